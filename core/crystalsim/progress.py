"""Progress bars on stderr: one place decides how they look and whether they are wanted."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

_quiet = False


def set_quiet(quiet: bool) -> None:
    """Show no bars in this process (``--quiet``)."""
    global _quiet
    _quiet = quiet


def progress(
    iterable: Iterable[Any] | None = None,
    *,
    total: int | None = None,
    description: str = "",
    unit: str = "it",
    initial: int = 0,
) -> tqdm:
    """Make a progress bar with rate and time left.

    In a terminal it is drawn in place; elsewhere (a log) a line comes every 20 seconds at most.
    """
    terminal = sys.stderr.isatty()
    return tqdm(
        iterable,
        total=total,
        desc=description,
        unit=f" {unit}",
        initial=initial,
        disable=_quiet,
        file=sys.stderr,
        mininterval=0.1 if terminal else 20.0,
        maxinterval=10.0 if terminal else 60.0,
        dynamic_ncols=True,
        leave=True,
    )
