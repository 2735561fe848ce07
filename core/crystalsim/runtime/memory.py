"""Memory: how much there is, and one line where it does not suffice."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import MemoryShortageError

BYTES_A_CELL = 100
"""Memory of solutions for each cell and sample while they are made [B].

Measured with the solver `builtin`: 93 to 102 at 128 to 512 cells in each direction, with 8 to 64
samples in a shard. Models take twice as much.
"""

_CGROUP = Path("/sys/fs/cgroup")


def available() -> float:
    """Memory that this process may still take without the machine swapping [B]."""
    return min(_free(), _limit())


def _free() -> float:
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        lines = dict(line.split(":", 1) for line in text.splitlines())
        return 1024.0 * int(lines["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):  # not Linux: what the machine has
        try:
            return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        except (AttributeError, ValueError, OSError):  # not on this system
            return 64e9


def _limit() -> float:
    """What the container or job leaves, infinite where there is no limit."""
    try:
        most, used = (
            float((_CGROUP / f"memory.{name}").read_text(encoding="ascii"))
            for name in ("max", "current")
        )
    except (OSError, ValueError):  # no such file, or "max"
        return float("inf")
    return max(most - used, 0.0)


def require(size: float, what: str, advice: str) -> None:
    """Refuse what does not fit into memory, before any of it is there.

    Parameters
    ----------
    size
        Memory that it takes [B].
    what
        What takes it, for the message.
    advice
        What to do about it.

    Raises
    ------
    MemoryShortageError
        If there is less.
    """
    if size > (there := available()):
        raise MemoryShortageError(
            f"{what}: needs about {_gigabytes(size)} of memory, of which {_gigabytes(there)} are "
            f"free; {advice}"
        )


def require_for_solutions(cells: float, samples: int, what: str, advice: str) -> None:
    """Refuse to make solutions that do not fit into memory; see `require`.

    Parameters
    ----------
    cells
        Cells of a sample.
    samples
        Samples that are in memory at the same time.
    what, advice
        See `require`.
    """
    size = BYTES_A_CELL * cells * samples
    many = "1 sample" if samples == 1 else f"{samples} samples at the same time"
    require(size, f"{what}, {many}, each of {cells:.3g} cells", advice)


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:,.0f} GB" if size > 1e11 else f"{size / 1e9:.3g} GB"


def is_shortage(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, of the machine or of a GPU."""
    if isinstance(error, MemoryError):
        return True
    # torch raises RuntimeError, and a subclass of it for GPUs.
    words = ("can't allocate memory", "not enough memory", "out of memory")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def shortage(error: BaseException) -> MemoryShortageError:
    """Say in one line that memory ran out, and what to do."""
    text = (" ".join(str(error).split()) or "no more could be had")[:200]
    return MemoryShortageError(
        f"out of memory: {text}; take fewer cells, smaller shards (solve --shard-size) or fewer "
        "--workers"
    )
