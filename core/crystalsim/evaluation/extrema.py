"""Extrema of the vertical velocity: where a flow seems to show its crystals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from ..scene.case import Case
from ..scene.grid import Grid

__all__ = ["find_peaks"]

Array = NDArray[np.float64]


def velocity_extrema(
    velocity_z: Array, case: Case, grid: Grid, separation: float
) -> NDArray[np.intp]:
    """Minima of the vertical velocity for sinking crystals and maxima for rising ones.

    A rigid crystal moves with one velocity, so that even in an exact flow the extremum is not at
    the centre.

    Parameters
    ----------
    velocity_z
        At cell centres (z, x).
    case
        Its crystals.
    grid
        Its grid.
    separation
        Least distance between two minima, or two maxima, over the smallest radius.

    Returns
    -------
    array
        Indices (extremum, 2) into (z, x): minima first, the strongest first.
    """
    rising = int((case.density_contrast < 0).sum())
    if not case.x.size:
        return np.empty((0, 2), dtype=np.intp)
    least = separation * float(case.radius.min())
    peaks = [
        find_peaks(height, grid, count, least)
        for height, count in ((-velocity_z, case.x.size - rising), (velocity_z, rising))
    ]
    return np.concatenate(peaks)


def find_peaks(height: Array, grid: Grid, count: int, separation: float) -> NDArray[np.intp]:
    """Highest local maxima that keep a distance from each other; a flat field has none.

    Parameters
    ----------
    height
        Field on cells (z, x).
    grid
        Its grid.
    count
        How many to find; fewer are returned where there are not so many.
    separation
        Least distance between two of them [m].

    Returns
    -------
    array
        Indices (peak, 2) into (z, x), highest first.
    """
    top = maximum_filter(height, size=3, mode="nearest")
    flat = minimum_filter(height, size=3, mode="nearest") == top
    local = np.argwhere((height == top) & ~flat)
    local = local[np.argsort(-height[local[:, 0], local[:, 1]], kind="stable")]
    x, z = grid.x[local[:, 1]], grid.z[local[:, 0]]
    kept: list[int] = []
    for i in range(len(local)):
        if len(kept) == count:
            break
        if np.all(np.hypot(x[kept] - x[i], z[kept] - z[i]) >= separation):
            kept.append(i)
    return local[kept]
