"""Progress bars on stderr: one place decides how they look and whether they are wanted."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm.auto import tqdm

from . import interrupts
from .words import plural


class _Bar(tqdm):
    """A bar at whose steps a swallowed Ctrl-C is noticed."""

    thing = ""
    """What is counted."""

    def update(self, n: float | None = 1) -> bool | None:
        interrupts.check()
        return super().update(n)


class _Line(_Bar):
    """A bar for logs and pipes: one line when the work is done, nothing before."""

    def display(self, *arguments: Any, **named: Any) -> None:
        """Draw nothing."""

    def clear(self, *arguments: Any, **named: Any) -> None:
        """Clear nothing: messages need no room."""

    def close(self) -> None:
        """Write the line."""
        if self.disable:
            return
        spent = tqdm.format_interval(self.format_dict["elapsed"])
        amount = plural(int(self.n - self.initial), self.thing)
        text = f"{self.desc.removesuffix(': ')}: {amount} in {spent}"
        self.disable = True
        type(self)._decr_instances(self)  # type: ignore[attr-defined]
        print(text, file=sys.stderr)


def progress(
    iterable: Iterable[Any] | None = None,
    *,
    total: int | None = None,
    description: str = "",
    unit: str = "step",
    initial: int = 0,
    hidden: bool = False,
) -> tqdm:
    """Make a progress bar with rate and time left.

    In a terminal it is drawn in place, in a notebook it is a widget (text without ipywidgets);
    elsewhere (a pipe, a log) one line comes at the end. With the environment variable
    ``CRYSTALSIM_QUIET`` (``crystalsim --quiet``), or if `hidden`, there is none.
    """
    drawn = sys.stderr.isatty() or _in_notebook()
    bar = (_Bar if drawn else _Line)(
        iterable,
        total=total,
        desc=description,
        unit=f" {unit}",
        initial=initial,
        disable=hidden or bool(os.environ.get("CRYSTALSIM_QUIET")),
        file=sys.stderr,
        mininterval=0.1,
        dynamic_ncols=True,
        leave=True,
    )
    bar.thing = unit
    return bar


def _in_notebook() -> bool:
    """Whether this is a notebook, by the sign that `tqdm.auto` goes by."""
    return "ipykernel.zmqshell" in sys.modules
