"""How each crystal moves: a motion fitted to the staggered velocity well inside it."""

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

_MOTION = {
    "crystal_velocity_x": ("m s-1", "horizontal velocity of the crystal"),
    "crystal_velocity_z": ("m s-1", "vertical velocity of the crystal, upward"),
    "crystal_angular_velocity": ("s-1", "angular velocity of the crystal, from x to z"),
}

_INSIDE = 8
"""Power of a face's area fraction that weighs it: cut faces, which move partly with the magma,
count for next to nothing, and crystals that hardly fill a face still have a motion."""

_STIFF = 1e3
"""Contrast from which a crystal's own deformation is less than what the fit makes of a grid."""

_SMALL = 1.5
"""Cells a radius below which the faces inside do not tell a flow from a rigid motion."""


def crystal_motion(solutions: xr.Dataset) -> xr.Dataset:
    """Velocity and angular velocity of every crystal.

    The mean over the crystal's area of its velocity, and the angular velocity of the rigid motion
    with the same angular momentum, ``int (x v_z - z v_x) / int (x**2 + z**2)`` about the centre.
    They belong to the flow that fits the velocities of the crystal's faces best, weighted by the
    eighth power of their area fractions: a rigid motion in crystals a thousand times as viscous as
    the magma and more; in others a stream function that is a cubic polynomial, which holds rigid
    motions, uniform strain and the flow inside a drop that sinks alone (Hadamard 1911, Rybczynski
    1911). Its face averages are compared with those of the dataset, so that only what a polynomial
    leaves out and cut faces are in error.

    From exact face averages (multipole solutions of 1-8 crystals of 3 to 6 cells a radius) the
    velocity is found to 0.01 % of the sample's largest crystal speed for rigid crystals and to
    0.03 % for all others, worst of 40; errors are four times smaller on twice as many cells. At 2
    and 1.5 cells a radius it is 0.05 and 0.06 % for rigid crystals, 0.1 and 1 % for others. Below
    1.5 cells a rigid motion is fitted to crystals of any viscosity; at one cell it is 0.8 % off for
    rigid crystals and 3 % for others. Smaller ones are hardly on the grid at all.

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
    contrasts = case.viscosity / case.matrix_viscosity
    x_face, z_face, small = grid.x_face, grid.z_face, _SMALL * max(grid.hx, grid.hz)
    for k, (disc, radius, contrast) in enumerate(zip(discs, case.radius, contrasts, strict=True)):
        # Lengths in radii from the centre: the fit is then well conditioned.
        across = (x_face[disc.faces[1]] - case.x[k]) / radius
        upward = (z_face[disc.faces[0]] - case.z[k]) / radius
        inside = velocity_x[disc.x_faces], velocity_z[disc.z_faces]
        rigid, power = contrast >= _STIFF, _INSIDE
        if not rigid and radius < small:
            rigid, power = True, 2
        *velocity, turning = _fit(disc, inside, across, upward, rigid, power)
        motion[:, k] = *velocity, turning / radius
    return motion


def motion_dataset(cases: xr.Dataset, motion: Array) -> xr.Dataset:
    """Name the motion of crystals (3, sample, crystal); see `crystal_motion`."""
    of_crystals = cases[["crystal_count"]].set_coords("crystal_count")
    if "crystal" in cases.coords:
        of_crystals = of_crystals.assign_coords(crystal=cases["crystal"])
    variables = {
        name: (("sample", "crystal"), values, {"units": units, "long_name": long_name})
        for values, (name, (units, long_name)) in zip(motion, _MOTION.items(), strict=True)
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
    """Velocity of every crystal (component, sample, crystal); see `crystal_motion`."""
    motion = crystal_motion(solutions)
    return np.stack([motion["crystal_velocity_x"].values, motion["crystal_velocity_z"].values])


def _fit(
    disc: Disc,
    velocity: tuple[Array, Array],
    x: Array,
    z: Array,
    rigid: bool,
    power: int,
) -> tuple[float, float, float]:
    """Velocity and angular velocity of a unit disc; `x` and `z` are the corners' positions."""
    z = z[:, None]
    # Stream functions of translation along x and z and of rotation, then the others.
    terms = [z + 0 * x, -x + 0 * z, -0.5 * (x**2 + z**2)]
    if not rigid:
        terms += [x * z, x**2 - z**2, x**3 + 0 * z, x**2 * z, x * z**2, z**3 + 0 * x]
    psi = np.stack(terms)
    # Face averages of a velocity are differences of its stream function, exactly.
    along_x = np.diff(psi, axis=1) / (z[1] - z[0])
    along_z = -np.diff(psi, axis=2) / (x[1] - x[0])
    count = len(terms)
    rates = np.concatenate([along_x.reshape(count, -1), along_z.reshape(count, -1)], axis=1)
    weight = np.concatenate([disc.x_face.ravel(), disc.z_face.ravel()]) ** power
    weighted = rates * (weight / weight.max())
    values = np.concatenate([field.ravel() for field in velocity]).astype(np.float64)
    # By least squares again, as a crystal far smaller than a cell does not fix its rotation.
    terms_of = np.linalg.lstsq(weighted @ rates.T, weighted @ values, rcond=1e-10)[0]
    velocity_x, velocity_z, turning, *others = terms_of.tolist()
    if others:
        # Means over the unit disc: x**2 and z**2 are 1/4 each.
        _, _, xxx, xxz, xzz, zzz = others
        velocity_x += 0.25 * (xxz + 3 * zzz)
        velocity_z -= 0.25 * (3 * xxx + xzz)
    return velocity_x, velocity_z, turning
