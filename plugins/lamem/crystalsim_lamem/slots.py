"""A bound on how many runs of LaMEM share this machine, whatever process started them.

Workers of `crystalsim solve` know nothing of each other. Each run holds the lock of one of a number
of files, which the system gives back when its process ends in any way.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from crystalsim import Grid
from crystalsim.errors import OptionError, UnsupportedError

from .input_file import Version
from .plugin import LamemOptions

try:
    import fcntl
except ImportError:
    raise UnsupportedError(
        "LaMEM is started and ended by locks and process groups of POSIX, which this system lacks"
    ) from None

_KILOBYTES_A_CELL = {("direct", 2): 31.0, ("direct", 3): 75.0, ("multigrid", 3): 36.0}
"""Memory of a run over the cells of its section, measured at 256 x 256 and 512 x 512."""

_LEAST = 0.2
"""Gigabytes that any run takes."""

_PAUSE = 0.2


def estimated_memory(grid: Grid, version: Version, method: str) -> float:
    """Memory that a run takes [GB]."""
    key = method, min(max(version.major, 2), 3)
    each = _KILOBYTES_A_CELL.get(key, _KILOBYTES_A_CELL["direct", 3])
    return max(_LEAST, each * 1e3 * grid.nx * grid.nz / 1e9)


def slot_count(grid: Grid, version: Version, options: LamemOptions) -> int:
    """How many runs may go on at once.

    Raises
    ------
    OptionError
        If one alone exceeds the memory or the cores that the options give.
    """
    needed = estimated_memory(grid, version, options.method)
    if options.memory and needed > options.memory:
        raise OptionError(
            f"option solver.memory = {options.memory:g} GB: LaMEM takes about {needed:.1f} GB for "
            f"{grid.nx} x {grid.nz} cells"
        )
    if options.cores and options.processes > options.cores:
        raise OptionError(
            f"option solver.processes = {options.processes}: expected {options.cores} at most, as "
            "solver.cores says"
        )
    cores = options.cores or available_cores()
    memory = options.memory or total_memory()
    return max(1, min(cores // options.processes, int(memory / needed)))


@contextlib.contextmanager
def slot(count: int) -> Iterator[None]:
    """Wait for one of `count` slots of this user and hold it."""
    folder = Path(tempfile.gettempdir()) / f"crystalsim-lamem-slots-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    while True:
        for number in range(count):
            descriptor = os.open(folder / str(number), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                continue
            try:
                yield
            finally:
                os.close(descriptor)
            return
        time.sleep(_PAUSE)


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def total_memory() -> float:
    """Memory of this machine [GB]."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
