"""What the evaluators share: velocities of a sample, and ratios that may have no value."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Velocity = tuple[Array, Array]
"""`velocity_x` (z, x_face) and `velocity_z` (z_face, x) of one sample [m s-1]."""


def velocity(dataset: xr.Dataset, index: int) -> Velocity:
    """Velocity of the sample at a position, in double precision."""
    vx, vz = (
        dataset.variables[name][index].values.astype(np.float64)
        for name in ("velocity_x", "velocity_z")
    )
    return vx, vz


def at_centres(flow: Velocity) -> Array:
    """Both components at cell centres (component, z, x), means of the faces."""
    vx, vz = flow
    return np.stack([0.5 * (vx[:, 1:] + vx[:, :-1]), 0.5 * (vz[1:] + vz[:-1])])


def divide(above: ArrayLike, below: ArrayLike) -> Any:
    """Ratio; not a number where the denominator is not above zero."""
    top, bottom = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
