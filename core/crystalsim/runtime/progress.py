"""Progress bars on stderr: one place decides how they look and whether they are wanted."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from . import interrupts


class _Bar(tqdm):
    """A bar at whose steps a swallowed Ctrl-C is noticed."""

    def update(self, n: float | None = 1) -> bool | None:
        interrupts.check()
        return super().update(n)


def progress(
    iterable: Iterable[Any] | None = None,
    *,
    total: int | None = None,
    description: str = "",
    unit: str = "it",
    initial: int = 0,
    hidden: bool = False,
) -> tqdm:
    """Make a progress bar with rate and time left.

    In a terminal it is drawn in place; elsewhere (a log) a line comes every 20 seconds at most.
    With the environment variable ``CRYSTALSIM_QUIET`` (``crystalsim --quiet``), or if `hidden`,
    there is none.
    """
    terminal = sys.stderr.isatty()
    return _Bar(
        iterable,
        total=total,
        desc=description,
        unit=f" {unit}",
        initial=initial,
        disable=hidden or bool(os.environ.get("CRYSTALSIM_QUIET")),
        file=sys.stderr,
        mininterval=0.1 if terminal else 20.0,
        maxinterval=10.0 if terminal else 60.0,
        dynamic_ncols=True,
        leave=True,
    )
