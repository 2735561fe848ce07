"""What depends on the reference alone is computed once for all predictions of it.

A run scores each model and baseline against one reference: solving its crystals alone, or its
samples again with early stops, for each of them took most of the time of the evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import xarray as xr

from crystalsim.storage.provenance import fingerprint

T = TypeVar("T")

_LAST: dict[str, tuple[str, object]] = {}


def remember(what: str, reference: xr.Dataset, options: object, make: Callable[[], T]) -> T:
    """Give what `make` gives, from the last call if the reference and the options are the same.

    Parameters
    ----------
    what
        Name of the quantity; one result of each name is kept.
    reference
        What it depends on.
    options
        And these.
    make
        Computes it.
    """
    key = fingerprint(reference) + repr(options)
    known = _LAST.get(what)
    if known is None or known[0] != key:
        known = _LAST[what] = (key, make())
    made: T = known[1]  # type: ignore[assignment]
    return made
