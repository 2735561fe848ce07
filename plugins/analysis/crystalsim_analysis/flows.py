"""What the evaluators share: velocities of a sample."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crystalsim.stokes import operators

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
    return np.stack(operators.at_centres(*flow))
