"""Memory: how much there is, and one line where it does not suffice."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import MemoryShortageError

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
            f"{what}: needs about {size / 1e9:.3g} GB of memory, of which {there / 1e9:.3g} GB are "
            f"free; {advice}"
        )


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
