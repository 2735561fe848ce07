"""Numbers of things in messages."""

from __future__ import annotations

from collections.abc import Sequence


def plural(count: int, noun: str, several: str = "") -> str:
    """Say how many: ``1 sample``, ``2 samples``.

    Parameters
    ----------
    count
        How many.
    noun
        What one of them is called.
    several
        What several are called, where that is not `noun` with an s.
    """
    return f"{count} {noun if count == 1 else several or noun + 's'}"


def span(low: int, high: int, noun: str) -> str:
    """Say from how many to how many: ``1-3 crystals``, ``2 crystals``, ``no crystals``."""
    if low == high:
        return plural(low, noun) if low else f"no {noun}s"
    return f"{low}-{high} {noun}s"


def listed(values: Sequence[object], most: int = 10) -> str:
    """List the first few values: ``1, 2, 3 ...``."""
    return ", ".join(map(str, values[:most])) + (" ..." if len(values) > most else "")
