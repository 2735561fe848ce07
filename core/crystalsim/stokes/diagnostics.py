"""What follows from a flow: strain rate, vorticity, forces on the walls."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..datasets.scenes import scenes
from ..datasets.solutions import require_free_slip, walls
from ..scene.grid import Grid

__all__ = ["strain_rate", "vorticity", "wall_forces"]

_CELL = ("sample", "z", "x")
_CORNER = ("sample", "z_face", "x_face")


def strain_rate(solutions: xr.Dataset) -> xr.Dataset:
    """Strain rate of the velocity.

    Returns
    -------
    xarray.Dataset
        `strain_rate_xx` on (sample, z, x), which is also minus the vertical one, and
        `strain_rate_xz = (dv_x/dz + dv_z/dx) / 2` on (sample, z_face, x_face), zero on
        free-slip walls and ``v_t / h`` on walls at rest [s-1].
    """
    grid, vx, vz = _velocity(solutions)
    kind = walls(solutions)
    shear = 0.5 * (_across(vx, -2, grid.hz, kind) + _across(vz, -1, grid.hx, kind))
    dataset = solutions[["crystal_count"]].drop_vars("crystal_count")
    return dataset.assign(
        strain_rate_xx=_array(_CELL, np.diff(vx, axis=-1) / grid.hx, "horizontal strain rate"),
        strain_rate_xz=_array(_CORNER, shear, "shear strain rate"),
    )


def vorticity(solutions: xr.Dataset) -> xr.DataArray:
    """Vorticity ``dv_z/dx - dv_x/dz`` [s-1], zero on free-slip walls.

    Returns
    -------
    xarray.DataArray
        On (sample, z_face, x_face).
    """
    grid, vx, vz = _velocity(solutions)
    kind = walls(solutions)
    values = _across(vz, -1, grid.hx, kind) - _across(vx, -2, grid.hz, kind)
    return solutions.assign(vorticity=_array(_CORNER, values, "vorticity"))["vorticity"]


def wall_forces(solutions: xr.Dataset) -> xr.DataArray:
    """Force of the magma on each wall along its outward normal, for a metre of the section.

    With the normal stress ``s = 2 eta de_n/dn - p`` of the cells next to a wall it is the sum of
    ``-s`` times the cell size. Free-slip walls carry no shear. Summing the discrete vertical
    momentum equation over all interior faces leaves

        top - bottom = -g sum drho hx hz,

    so that the walls carry the weight of the crystals exactly where the solution has converged.

    Parameters
    ----------
    solutions
        With `pressure`.

    Returns
    -------
    xarray.DataArray
        On (sample, wall) with walls ``left, right, bottom, top`` [N m-1].

    Raises
    ------
    UnsupportedError
        If walls are not free-slip: they carry shear too, or are none.
    """
    require_free_slip(solutions, "wall_forces")
    grid, vx, vz = _velocity(solutions)
    viscosity = np.stack([scene.viscosity_cell for _, scene in scenes(solutions, grid)])
    pressure = solutions["pressure"].values.astype(np.float64)

    def pushed(row: slice | int, column: slice | int, gradient: NDArray[np.float64]) -> NDArray:
        stress = 2.0 * viscosity[:, row, column] * gradient[:, row, column]
        return np.asarray((pressure[:, row, column] - stress).sum(axis=-1))

    every = slice(None)
    in_x, in_z = np.diff(vx, axis=-1) / grid.hx, np.diff(vz, axis=-2) / grid.hz
    values = [
        grid.hz * pushed(every, 0, in_x),
        grid.hz * pushed(every, -1, in_x),
        grid.hx * pushed(0, every, in_z),
        grid.hx * pushed(-1, every, in_z),
    ]
    coords: dict[str, Any] = {"wall": ["left", "right", "bottom", "top"]}
    if "sample" in solutions.coords:
        coords["sample"] = solutions["sample"]
    attributes = {"units": "N m-1", "long_name": "force on the wall, outward"}
    return xr.DataArray(
        np.stack(values, axis=1), coords, ("sample", "wall"), "wall_force", attributes
    )


def _velocity(
    solutions: xr.Dataset,
) -> tuple[Grid, NDArray[np.float64], NDArray[np.float64]]:
    vx, vz = (solutions[n].values.astype(np.float64) for n in ("velocity_x", "velocity_z"))
    return Grid.from_dataset(solutions), vx, vz


def _across(
    velocity: NDArray[np.float64], axis: int, spacing: float, kind: str
) -> NDArray[np.float64]:
    """Difference of a tangential velocity at corners.

    The cell beyond a wall has the same velocity (free slip), the opposite one (no slip) or that of
    the other side (periodic).
    """
    first, last = velocity.take([0], axis), velocity.take([-1], axis)
    joined = kind == "periodic_sides"
    if joined and axis == -1:
        first, last = last, first
    sign = -1.0 if kind == "no_slip" else 1.0
    difference = np.diff(velocity, axis=axis, prepend=sign * first, append=sign * last) / spacing
    # Along the other walls the normal velocity is zero, and so is its derivative.
    if axis == -1:
        difference[..., [0, -1], :] = 0.0
    elif not joined:
        difference[..., [0, -1]] = 0.0
    return difference


def _array(
    dims: tuple[str, ...], values: NDArray[np.float64], long_name: str
) -> tuple[tuple[str, ...], NDArray[np.float64], dict[str, str]]:
    return dims, values, {"units": "s-1", "long_name": long_name}
