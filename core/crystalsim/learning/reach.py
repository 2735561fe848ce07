"""What a model was trained for, and whether it is asked for more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import xarray as xr


class Reach(NamedTuple):
    """Smallest and largest values in the training data.

    Attributes
    ----------
    cells
        Number of cells in each direction.
    crystals
        Number in a sample.
    radius
        Over half the height of the domain.
    contrast
        Viscosity of the crystals over the magma's.
    """

    cells: tuple[float, float]
    crystals: tuple[float, float]
    radius: tuple[float, float]
    contrast: tuple[float, float]

    @classmethod
    def of(cls, datasets: Sequence[xr.Dataset]) -> Self:
        """Reach of some samples, whatever has no crystal left out."""
        return cls(
            *(_range([values(dataset) for dataset in datasets]) for values in _VALUES.values())
        )

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Self:
        """Read what `_asdict` gave, as JSON holds it.

        Raises
        ------
        KeyError, TypeError, ValueError
            If something is missing or of another kind.
        """
        return cls(*((float(table[name][0]), float(table[name][1])) for name in cls._fields))

    def beyond(self, dataset: xr.Dataset) -> list[str]:
        """What of some samples is beyond this, a phrase each; empty if nothing is."""
        asked, phrases = Reach.of([dataset]), []
        for name, (low, high), (known_low, known_high) in zip(
            self._fields, asked, self, strict=True
        ):
            # A hundredth of slack: ranges are those of a finite sample.
            if low < 0.99 * known_low or high > 1.01 * known_high:
                known = _text(known_low, known_high)
                phrases.append(f"{_NAMES[name]} {_text(low, high)} (trained for {known})")
        return phrases

    def __str__(self) -> str:
        """One line for people."""
        return "; ".join(
            f"{_NAMES[name]} {_text(*limits)}"
            for name, limits in zip(self._fields, self, strict=True)
        )


_NAMES = {
    "cells": "cells",
    "crystals": "crystals",
    "radius": "radius over half the height",
    "contrast": "viscosity contrast",
}
_VALUES = {
    "cells": lambda d: np.array([d.sizes["x"], d.sizes["z"]]),
    "crystals": lambda d: d["crystal_count"].values,
    "radius": lambda d: d["crystal_radius"].values / (0.5 * float(np.ptp(d["z_face"].values))),
    "contrast": lambda d: (d["crystal_viscosity"] / d["matrix_viscosity"]).values,
}


def _range(parts: list[np.ndarray]) -> tuple[float, float]:
    values = np.concatenate([part.ravel().astype(np.float64) for part in parts])
    values = values[~np.isnan(values)]
    return (float(values.min()), float(values.max())) if values.size else (np.inf, -np.inf)


def _text(low: float, high: float) -> str:
    if low > high:
        return "none"
    return f"{low:.3g}" if f"{low:.3g}" == f"{high:.3g}" else f"{low:.3g} to {high:.3g}"
