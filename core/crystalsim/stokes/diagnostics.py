"""What follows from a flow: strain rate, vorticity, forces on the walls."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.ndimage
import xarray as xr
from numpy.typing import NDArray

from ..datasets.scenes import scenes
from ..datasets.solutions import require_free_slip, walls
from ..scene.grid import Grid
from ..scene.shapes import case_discs

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
    made = solutions[["crystal_count"]].drop_vars("crystal_count")
    return made.assign(
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


def crystal_forces(solutions: xr.Dataset) -> xr.Dataset:
    """Force of the magma on each crystal, from the stress around it, for a metre of the section.

    The stress is integrated around the nearest faces that lie in the magma alone, where it is
    ``2 eta e - p``. Without inertia the force is what balances the weight: ``g drho area`` upward
    and nothing sideways, so that it also shows how well a solution (or a prediction with a
    pressure) keeps the balance of each crystal. Over ``eta v`` it is the crystal's dimensionless
    resistance, which walls and neighbours raise.

    Parameters
    ----------
    solutions
        With `pressure`.

    Returns
    -------
    xarray.Dataset
        `crystal_force_x` and `crystal_force_z` on (sample, crystal) [N m-1]; NaN beyond
        `crystal_count`, and where a wall or another crystal is within three cells or so, which
        leaves no magma to integrate through.
    """
    grid = Grid.from_dataset(solutions)
    shape = solutions.sizes["sample"], solutions.sizes["crystal"]
    found = np.full((2, *shape), np.nan)
    pressure = solutions["pressure"].values.astype(np.float64)
    rates = strain_rate(solutions)
    for i, (case, scene) in enumerate(scenes(solutions, grid)):
        rate, shear = (rates[n].values[i] for n in ("strain_rate_xx", "strain_rate_xz"))
        stress_xx = 2.0 * scene.viscosity_cell * rate - pressure[i]
        stress_zz = -2.0 * scene.viscosity_cell * rate - pressure[i]
        stress_xz = 2.0 * scene.viscosity_corner * shear
        magma_cell = scene.viscosity_cell == case.matrix_viscosity
        magma_corner = scene.viscosity_corner == case.matrix_viscosity
        for k, disc in enumerate(case_discs(case, grid)):
            inside = np.zeros((grid.nz, grid.nx), dtype=bool)
            inside[disc.cells] = disc.cell > 0
            inside = scipy.ndimage.binary_dilation(inside, np.ones((3, 3)))
            if inside[[0, -1]].any() or inside[:, [0, -1]].any():
                continue
            faces = np.pad(inside, ((1, 0), (0, 0))) | np.pad(inside, ((0, 1), (0, 0)))
            steps = _steps(faces, axis=1)
            found[1, i, k] = _through(stress_zz, -np.diff(faces.astype(int), axis=0), magma_cell)
            found[1, i, k] *= grid.hx
            found[1, i, k] += grid.hz * _through(stress_xz, -steps, magma_corner)
            faces = np.pad(inside, ((0, 0), (1, 0))) | np.pad(inside, ((0, 0), (0, 1)))
            steps = _steps(faces, axis=0)
            found[0, i, k] = _through(stress_xx, -np.diff(faces.astype(int), axis=1), magma_cell)
            found[0, i, k] *= grid.hz
            found[0, i, k] += grid.hx * _through(stress_xz, -steps, magma_corner)
    made = solutions[["crystal_count"]].drop_vars("crystal_count")
    dims = ("sample", "crystal")
    attributes = {"units": "N m-1", "long_name": "force of the magma on the crystal"}
    names = ("crystal_force_x", "crystal_force_z")
    return made.assign({n: (dims, f, attributes) for n, f in zip(names, found, strict=True)})


def _steps(faces: NDArray[np.bool_], axis: int) -> NDArray[np.int_]:
    """Differences of neighbouring faces, at the corners between them."""
    pad = [(0, 0), (0, 0)]
    pad[axis] = (1, 1)
    return np.diff(np.pad(faces, pad).astype(int), axis=axis)


def _through(
    stress: NDArray[np.float64], steps: NDArray[np.int_], magma: NDArray[np.bool_]
) -> float:
    """Sum the stress where a region ends; not a number if that is not all in the magma."""
    edge = steps != 0
    return float((steps * stress)[edge].sum()) if magma[edge].all() else float("nan")


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
