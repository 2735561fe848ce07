"""Ctrl-C: taken at once, but for what must not be cut in two.

Python raises `KeyboardInterrupt` between any two instructions. Inside xarray's locks on netCDF
files that leaves a lock taken for ever; in a destructor or a callback of a library it is swallowed.
`shielded` keeps it back until a file is read or written; `listening` and `check` see to it that a
swallowed one still ends a command at its next step.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class _State:
    """What this process has been told.

    Attributes
    ----------
    depth
        How many `shielded` blocks the main thread is in.
    asked
        Whether Ctrl-C was pressed and nothing has ended yet.
    """

    depth = 0
    asked = False


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Remember Ctrl-C while inside, for `heard` and `check`; for programs, in the main thread.

    A handler that is not Python's own, or a process that ignores Ctrl-C, is left as it is. On
    leaving, the handler and what was heard are as they were before.
    """
    asked, _State.asked = _State.asked, False
    before = signal.getsignal(signal.SIGINT)
    ours = _is_main() and before is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, _handle)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)
        _State.asked = asked


def heard() -> bool:
    """Whether Ctrl-C was pressed since `listening` began."""
    return _State.asked


def check() -> None:
    """Raise what was swallowed.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C was pressed and this is not a `shielded` block.
    """
    if _State.asked and not _State.depth and _is_main():
        raise KeyboardInterrupt


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """Keep Ctrl-C back while inside; it is raised on leaving. For short work on files.

    Raises
    ------
    KeyboardInterrupt
        On leaving, if Ctrl-C was pressed inside.
    """
    if not _is_main() or signal.getsignal(signal.SIGINT) not in (
        signal.default_int_handler,
        _handle,
    ):
        yield
        return
    before = signal.signal(signal.SIGINT, _handle)
    pressed = _State.asked
    _State.depth += 1
    try:
        yield
    finally:
        _State.depth -= 1
        signal.signal(signal.SIGINT, before)
    if _State.asked and not _State.depth:
        if before is signal.default_int_handler:  # nobody else would forget it
            _State.asked = pressed
        raise KeyboardInterrupt


def _handle(number: int, frame: FrameType | None) -> None:
    _State.asked = True
    if not _State.depth:
        raise KeyboardInterrupt


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()
