"""Messages: to stderr, and into the folder of a run."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger("crystalsim")


class _Stderr(logging.Handler):
    """Writes to what `sys.stderr` is at the time, past any progress bar.

    In place of `tqdm.contrib.logging`, whose handlers drop the level of ours, so that ``--quiet``
    would let everything through beside a bar, and which has to be entered around each bar.
    """

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "warning: " if record.levelno >= logging.WARNING else ""
        text = f"{prefix}{self.format(record)}"
        if "tqdm" in sys.modules:
            sys.modules["tqdm"].tqdm.write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr)


class _Once(logging.Filter):
    """Lets a warning pass once, however often it is given."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is to be shown."""
        if record.levelno != logging.WARNING:
            return True
        text = record.getMessage()
        known = text in self._seen
        self._seen.add(text)
        return not known


def show_messages(quiet: bool = False, verbose: bool = False) -> None:
    """Let the command line print messages, each warning once.

    Parameters
    ----------
    quiet
        Warnings and errors alone.
    verbose
        Details too, with the time.
    """
    handler = _Stderr()
    handler.addFilter(_Once())
    level = logging.DEBUG if verbose else logging.INFO
    handler.setLevel(logging.WARNING if quiet else level)
    if verbose:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG)  # a log file holds the details in any case


@contextlib.contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Append messages to a file, with the time, while inside."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.addFilter(_Once())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Give no message while inside: what is tried there is no result."""
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
