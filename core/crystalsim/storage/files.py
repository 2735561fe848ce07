"""Files that are whole or not there, and their checksums; safe with several writers at once.

A file is written under a name of its own, ``.NAME.tmp-HOST-PID``, and renamed. The checksum of a
shard is a file too, ``checksums/NAME.HASH``, that is there before the shard has its name: whoever
writes last, the checksum of what stands there is on record, without any lock.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from ..errors import StoreError
from .provenance import fingerprint as fingerprint
from .provenance import provenance as provenance

CHECKSUMS = "checksums"
"""Folder beside shards; ``sha256sum --check checksums/*`` reads what is in it."""

_ASIDE = re.compile(r"\..+\.tmp-(?:(?P<host>.+)-)?(?P<process>\d+)")
_BLOCK = 1 << 20
_ABOUT_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL = 16 << 20
"""Free space below which a disk is called full [B]: a chunk of a file no longer fits."""


def aside(path: Path) -> Path:
    """Name under which this process writes a file before it is whole."""
    return path.with_name(f".{path.name}.tmp-{socket.gethostname()}-{os.getpid()}")


@contextlib.contextmanager
def written_aside(path: Path, *, checksum: bool = False) -> Iterator[Path]:
    """Give a name to write to, which becomes `path` at the end unless something was raised.

    Parameters
    ----------
    path
        The file in the end.
    checksum
        Whether to put its checksum on record.

    Raises
    ------
    StoreError
        If it cannot be written; the message names `path` and the reason.
    """
    unfinished = aside(path)
    try:
        yield unfinished
        if checksum:
            record_checksum(unfinished, path)
        unfinished.replace(path)
    except (OSError, RuntimeError) as error:
        raise StoreError(f"{path}: cannot be written: {_reason(error, path)}") from None
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


def _reason(error: OSError | RuntimeError, path: Path) -> str:
    """Why a file cannot be written, and how full its disk is if that may be why.

    netCDF and torch say of a full disk nothing but that writing failed.
    """
    reason, number = getattr(error, "strerror", None) or str(error), getattr(error, "errno", None)
    if isinstance(number, int) and number > 0 and number not in _ABOUT_SPACE:
        return reason
    folder = next((each for each in path.absolute().parents if each.is_dir()), Path("/"))
    free = shutil.disk_usage(folder).free
    state = "is full: only" if free < _FULL else "has"
    return f"{reason} (the disk of {folder} {state} {free} bytes free)"


def create_text(path: Path, text: str) -> bool:
    """Write a text file unless there is one.

    Returns
    -------
    bool
        False if there was one already, or if another process was faster; it is left as it is.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    unfinished = aside(path)
    try:
        unfinished.write_text(text, encoding="utf-8")
        try:
            os.link(unfinished, path)  # unlike a rename, it never replaces
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            if path.exists():
                return False
            unfinished.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()
    return True


def remove_stale(folder: Path) -> list[Path]:
    """Remove files that processes of this machine left behind half-written when they were killed.

    Those of processes that live, or of other machines, are left alone: they may be in work.
    """
    removed = []
    for path in folder.glob(".*.tmp-*"):
        match = _ASIDE.fullmatch(path.name)
        if match is None or match["host"] not in (None, socket.gethostname()):
            continue
        if not _alive(int(match["process"])):
            with contextlib.suppress(OSError):
                path.unlink()
                removed.append(path)
    return removed


def _alive(process: int) -> bool:
    if os.name == "nt":  # signal 0 is Ctrl-C there: nobody asks, and the file stays
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def sha256(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def record_checksum(file: Path, path: Path) -> None:
    """Put on record that `path` may hold what is in `file`."""
    digest = sha256(file)
    record = path.parent / CHECKSUMS / f"{path.name}.{digest[:16]}"
    if not record.exists():
        record.parent.mkdir(exist_ok=True)
        unfinished = aside(record)
        unfinished.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
        unfinished.replace(record)


def checksum_fits(path: Path) -> bool | None:
    """Whether a file is what was written; None if no checksum is on record."""
    records = list((path.parent / CHECKSUMS).glob(f"{path.name}.*"))
    if not records:
        return None
    digest = sha256(path)
    return any(record.read_text(encoding="utf-8").startswith(digest) for record in records)


def file_name(plugin: str) -> str:
    """Name of a plugin, which may be ``distribution/name``, as part of the name of a file."""
    return plugin.replace("/", "-")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are not there yet.

    Raises
    ------
    StoreError
        If it cannot be made; the message names it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made: {error.strerror}") from None


def write_text(path: Path, text: str) -> None:
    """Write a text file aside and rename it."""
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")
