"""Locks between processes, also on other machines that share the folder."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ..errors import StoreError

_PATIENCE = 0.5


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time in; the others wait.

    The lock is that of an empty SQLite database: the system releases it when its process dies,
    however it dies, and it works wherever SQLite itself does, on Windows too. Explorations need no
    more than that, as their own database is one of SQLite in the same folder. The package filelock
    asks more of a folder that machines share (``flock``), and without it leaves a file behind that
    outlives a killed process.

    Parameters
    ----------
    path
        File of the lock; it is made, and stays.

    Raises
    ------
    StoreError
        If the file cannot be made.
    """
    try:
        connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be locked: {error}") from None
    with contextlib.closing(connection):
        while True:  # short waits, since Ctrl-C is not seen within one
            try:
                connection.execute("BEGIN EXCLUSIVE")
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise StoreError(f"{path}: cannot be locked: {error}") from None
        yield


def is_locked(path: Path) -> bool:
    """Whether a process is inside the lock just now."""
    if not path.is_file():
        return False
    with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            return True
    return False
