"""How each crystal moves: means of the staggered velocity over its exact area."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..contracts import Model, Motion, Solver
from ..datasets.cases import iterate_cases
from ..scene.case import Case
from ..scene.grid import Grid
from ..scene.shapes import Disc, case_discs

__all__ = [
    "crystal_motion",
    "crystal_velocities",
    "motion_dataset",
    "motion_of",
    "motion_of_crystals",
]

Array = NDArray[np.float64]

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

    Cut faces move partly with the magma, so that exact face averages give a crystal's velocity to
    first order in the cell size only: within 0.09 % of the sample's largest crystal speed at
    256 x 256 and 1.4 % at 64 x 64 cells for the finite-element references (radii 40-100 m in a
    domain of 2 km). Two solutions on one grid share that error.

    Parameters
    ----------
    solutions
        Dataset with the crystals, `velocity_x` and `velocity_z`.

    Returns
    -------
    xarray.Dataset
        `crystal_velocity_x`, `crystal_velocity_z` [m s-1] and `crystal_angular_velocity` [s-1] on
        (sample, crystal), NaN beyond `crystal_count`, which is a coordinate.
    """
    grid = Grid.from_dataset(solutions)
    motion = np.full((3, solutions.sizes["sample"], solutions.sizes["crystal"]), np.nan)
    fields = [solutions.variables[name] for name in ("velocity_x", "velocity_z")]
    for i, case in enumerate(iterate_cases(solutions)):
        # One sample at a time, so that a large lazy dataset need not fit into memory.
        velocities = (field[i].values for field in fields)
        motion[:, i, : case.x.size] = motion_of_crystals(
            case, case_discs(case, grid), grid, *velocities
        )
    return motion_dataset(solutions, motion)


def motion_of_crystals(
    case: Case, discs: Sequence[Disc], grid: Grid, velocity_x: Array, velocity_z: Array
) -> Array:
    """`crystal_motion` of one sample, without a dataset.

    Parameters
    ----------
    case
        Where the crystals are.
    discs
        Their area fractions.
    grid
        Grid of both.
    velocity_x, velocity_z
        (z, x_face) and (z_face, x) [m s-1].

    Returns
    -------
    array
        Both velocities [m s-1] and the angular velocity [s-1] of each crystal (3, crystal).
    """
    motion = np.empty((3, len(discs)))
    cell_x, cell_z = grid.x, grid.z
    for k, disc in enumerate(discs):
        motion[:, k] = _rigid_motion(
            disc,
            velocity_x[disc.x_faces],
            velocity_z[disc.z_faces],
            cell_x[disc.z_faces[1]] - case.x[k],
            cell_z[disc.x_faces[0], None] - case.z[k],
        )
    return motion


def motion_dataset(cases: xr.Dataset, motion: Array) -> xr.Dataset:
    """Name the motion of crystals (3, sample, crystal); see `crystal_motion`."""
    of_crystals = cases[["crystal_count"]].set_coords("crystal_count")
    if "crystal" in cases.coords:
        of_crystals = of_crystals.assign_coords(crystal=cases["crystal"])
    variables = {
        name: (("sample", "crystal"), values, {"units": units, "long_name": long_name})
        for values, (name, (units, long_name)) in zip(motion, _ATTRIBUTES.items(), strict=True)
    }
    return xr.Dataset(variables, of_crystals.coords, of_crystals.attrs)


def motion_of(by: Solver | Model, cases: xr.Dataset) -> xr.Dataset:
    """Motion of the crystals of cases, by a solver or a trained model.

    Parameters
    ----------
    by
        Solver or model. One that has the capability `crystalsim.contracts.Motion` is asked for it;
        of others it is the `crystal_motion` of the flow.
    cases
        Dataset of kind ``"cases"``.

    Returns
    -------
    xarray.Dataset
        As `crystal_motion` gives it, with `converged` on (sample).

    Raises
    ------
    TypeError
        If `by` is neither a solver nor a model.
    """
    if isinstance(by, Motion):
        return by.motion(cases)
    if not isinstance(by, Solver | Model):
        raise TypeError(f"motion_of: {by!r} is neither a solver nor a model")
    flow = by.solve(cases) if isinstance(by, Solver) else by.predict(cases)
    return crystal_motion(flow).assign(converged=flow["converged"])


def crystal_velocities(solutions: xr.Dataset) -> Array:
    """Mean velocity of every crystal (component, sample, crystal); see `crystal_motion`."""
    motion = crystal_motion(solutions)
    return np.stack([motion["crystal_velocity_x"].values, motion["crystal_velocity_z"].values])


def _rigid_motion(
    disc: Disc, velocity_x: Array, velocity_z: Array, beside: Array, above: Array
) -> tuple[float, float, float]:
    """Mean velocity and angular velocity; `beside` and `above` are measured from the centre."""
    mean_x = (disc.x_face * velocity_x).sum() / disc.x_face.sum()
    mean_z = (disc.z_face * velocity_z).sum() / disc.z_face.sum()
    moment_x, moment_z = disc.x_face * above, disc.z_face * beside
    inertia = (moment_x * above).sum() + (moment_z * beside).sum()
    # A crystal far smaller than a cell may touch only faces in line with its centre.
    if inertia == 0:
        return mean_x, mean_z, 0.0
    spin = (moment_z * (velocity_z - mean_z)).sum() - (moment_x * (velocity_x - mean_x)).sum()
    return mean_x, mean_z, spin / inertia
