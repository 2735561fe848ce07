"""Messages: to stderr, and into the folder of a run."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger("crystalsim")


class _Stderr(logging.Handler):
    """Writes to what `sys.stderr` is at the time, past any progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "warning: " if record.levelno >= logging.WARNING else ""
        text = f"{prefix}{self.format(record)}"
        if "tqdm" in sys.modules:
            sys.modules["tqdm"].tqdm.write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr)


def show_messages(quiet: bool = False) -> None:
    """Let the command line print messages; warnings alone if quiet."""
    logger.handlers = [_Stderr()]
    logger.setLevel(logging.INFO)
    logger.handlers[0].setLevel(logging.WARNING if quiet else logging.INFO)


@contextlib.contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Append messages to a file, with the time, while inside."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
