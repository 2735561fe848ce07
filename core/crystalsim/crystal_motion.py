"""How each crystal moves: means of the staggered velocity over its exact area."""

from __future__ import annotations

import numpy as np
import xarray as xr

from .cases import iterate_cases
from .grid import Grid
from .scene import disc_fractions

_ATTRIBUTES = {
    "crystal_velocity_x": ("m s-1", "horizontal velocity of the crystal"),
    "crystal_velocity_z": ("m s-1", "vertical velocity of the crystal, upward"),
    "crystal_angular_velocity": ("s-1", "angular velocity of the crystal, from x to z"),
}


def crystal_motion(solutions: xr.Dataset) -> xr.Dataset:
    """Mean velocity and angular velocity of every crystal.

    Each component is averaged with the crystal's area in the control volumes of its faces. The
    angular velocity is that of the rigid motion with the same angular momentum,
    ``int (x v_z - z v_x) / int (x**2 + z**2)`` about the centre.

    Parameters
    ----------
    solutions
        Dataset with the crystals, `velocity_x` and `velocity_z`.

    Returns
    -------
    xarray.Dataset
        `crystal_velocity_x`, `crystal_velocity_z` [m s-1] and `crystal_angular_velocity` [s-1] on
        (sample, crystal), NaN beyond `crystal_count`.
    """
    grid = Grid.from_dataset(solutions)
    shape = (solutions.sizes["sample"], solutions.sizes["crystal"])
    found = np.full((3, *shape), np.nan)
    velocity_x, velocity_z = solutions["velocity_x"].values, solutions["velocity_z"].values
    for i, case in enumerate(iterate_cases(solutions)):
        for k, (x, z, radius) in enumerate(zip(case.x, case.z, case.radius, strict=True)):
            disc = disc_fractions(float(x), float(z), float(radius), grid)
            vx, vz = velocity_x[i][disc.x_faces], velocity_z[i][disc.z_faces]
            area_x, area_z = disc.x_face.sum(), disc.z_face.sum()
            mean_x = (disc.x_face * vx).sum() / area_x
            mean_z = (disc.z_face * vz).sum() / area_z
            above = (grid.z[disc.x_faces[0]] - z)[:, None] * disc.x_face
            beside = (grid.x[disc.z_faces[1]] - x) * disc.z_face
            moment = (beside * (vz - mean_z)).sum() - (above * (vx - mean_x)).sum()
            inertia = (beside * (grid.x[disc.z_faces[1]] - x)).sum() + (
                above * (grid.z[disc.x_faces[0]] - z)[:, None]
            ).sum()
            found[:, i, k] = mean_x, mean_z, moment / inertia if inertia > 0 else 0.0
    made = solutions[["crystal_count"]].drop_vars("crystal_count")
    return made.assign(
        {
            name: (("sample", "crystal"), values, {"units": units, "long_name": long_name})
            for values, (name, (units, long_name)) in zip(found, _ATTRIBUTES.items(), strict=True)
        }
    )
