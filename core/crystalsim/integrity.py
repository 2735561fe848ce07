"""Files that are whole: written aside and renamed, with a checksum beside those that stay long."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
from pathlib import Path

from .errors import StoreError

_BLOCK = 1 << 20


def aside(path: Path) -> Path:
    """Name to write a file under before it is renamed: hidden, and of this process alone."""
    return path.with_name(f".{path.stem}.tmp-{_host()}-{os.getpid()}{path.suffix}")


def write_text(path: Path, text: str) -> None:
    """Write a text file aside and rename it.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    hidden = aside(path)
    try:
        hidden.write_text(text, encoding="utf-8")
        hidden.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            hidden.unlink()


def remove_stale(folder: Path) -> None:
    """Remove what processes of this machine that are no more left half-written in a folder."""
    pattern = re.compile(rf"\..*\.tmp-{re.escape(_host())}-(\d+)(\..*)?")
    for path in folder.iterdir():
        found = pattern.fullmatch(path.name)
        if found and not _alive(int(found[1])):
            with contextlib.suppress(OSError):
                path.unlink()


def seal(path: Path) -> None:
    """Write the SHA-256 of a file beside it, as ``sha256sum --check`` reads it."""
    written = ""
    # Another process at the same work may have put its file in place in between: go by that.
    while (found := checksum(path)) != written:
        write_text(_seal_path(path), f"{found}  {path.name}\n")
        written = found


def is_sealed(path: Path) -> bool:
    """Whether a file has a checksum beside it."""
    return _seal_path(path).is_file()


def is_intact(path: Path) -> bool:
    """Whether a file is the one whose checksum stands beside it."""
    try:
        noted = _seal_path(path).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return False
    return bool(noted) and noted[0] == checksum(path)


def remove(path: Path) -> None:
    """Remove a file, and its checksum."""
    path.unlink(missing_ok=True)
    _seal_path(path).unlink(missing_ok=True)


def checksum(path: Path) -> str:
    """SHA-256 of a file.

    Raises
    ------
    StoreError
        If it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def _seal_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname()) or "host"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
