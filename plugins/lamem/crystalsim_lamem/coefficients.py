"""Viscosity and density as LaMEM makes them from markers.

LaMEM fills every cell with a lattice of markers, each of the phase at its position, and takes
arithmetic means. A cell's mean is over its own markers, that around a corner over the markers
nearer to it than to any other corner; the weight of a marker is ``(1 - |dx|/hx) (1 - |dz|/hz)``
with its distance from the centre or corner. The mean over cut cells is first-order accurate, and
makes crystals sink too slowly.

Given to another solver of the same staggered equations, these coefficients reproduce LaMEM's
velocities to single precision; see `lamem_cases`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crystalsim import Grid, iterate_cases
from crystalsim.datasets.cases import cases_only
from crystalsim.datasets.schema import GIVEN_FIELDS, VARIABLES, attributes
from crystalsim.scene.case import Case

Array = NDArray[np.float64]


class Coefficients(NamedTuple):
    """What LaMEM solves with, for one case.

    Attributes
    ----------
    viscosity
        On cells (z, x) [Pa s].
    viscosity_corner
        On corners (z_face, x_face) [Pa s].
    density
        On cells (z, x) [kg m-3].
    """

    viscosity: Array
    viscosity_corner: Array
    density: Array


def coefficients(case: Case, grid: Grid, markers: int = 4) -> Coefficients:
    """Means over markers, as LaMEM takes them.

    Parameters
    ----------
    case
        Crystals and magma.
    grid
        LaMEM's cells.
    markers
        Number in a cell in each direction, even: odd ones lie on the borders between corners.

    Raises
    ------
    ValueError
        If `markers` is odd or not positive.
    """
    if markers < 2 or markers % 2:
        raise ValueError(f"markers = {markers}: expected an even number, 2 or more")
    offset = (np.arange(markers) + 0.5) / markers
    x = grid.x_min + grid.hx * (np.arange(grid.nx)[:, None] + offset).ravel()
    z = grid.z_min + grid.hz * (np.arange(grid.nz)[:, None] + offset).ravel()
    viscosity = np.full((z.size, x.size), case.matrix_viscosity)
    density = np.full((z.size, x.size), case.matrix_density)
    for k in range(case.x.size):
        # A crystal's own box of markers alone is searched.
        columns = slice(*np.searchsorted(x, case.x[k] + case.radius[k] * np.array([-1, 1])))
        rows = slice(*np.searchsorted(z, case.z[k] + case.radius[k] * np.array([-1, 1])))
        distance = np.hypot(x[columns] - case.x[k], z[rows, None] - case.z[k])
        inside = distance <= case.radius[k]
        viscosity[rows, columns][inside] = case.viscosity[k]
        density[rows, columns][inside] = case.density[k]
    return Coefficients(
        _over_cells(viscosity, grid, offset),
        _around_corners(viscosity, grid, offset),
        _over_cells(density, grid, offset),
    )


def lamem_cases(cases: xr.Dataset, markers: int = 4) -> xr.Dataset:
    """Cases whose media are given on the grid as LaMEM makes them.

    Parameters
    ----------
    cases
        Dataset of kind ``"cases"``.
    markers
        Number in a cell in each direction, 2 or 4.

    Returns
    -------
    xarray.Dataset
        The cases with `viscosity`, `viscosity_corner` and `density`, for any solver that takes
        given fields.

    Examples
    --------
    >>> import crystalsim
    >>> from crystalsim_lamem.coefficients import lamem_cases
    >>> crystal = dict(x=0, z=0, radius=100, density=2900, viscosity=1e24)
    >>> cases = lamem_cases(crystalsim.make_cases([[crystal]], crystalsim.Grid(64, 64)))
    >>> solver = crystalsim.get("solver", "builtin", tolerance=1e-8)  # doctest: +SKIP
    >>> solver.solve(cases)  # LaMEM's velocities # doctest: +SKIP
    """
    grid = Grid.from_dataset(cases)
    media = [coefficients(case, grid, markers) for case in iterate_cases(cases)]
    plain = cases_only(cases).drop_vars(GIVEN_FIELDS, errors="ignore")
    fields = {}
    for name in Coefficients._fields:
        dims = VARIABLES[name].dims
        values = np.zeros([plain.sizes[dim] for dim in dims])
        for i, one in enumerate(media):
            values[i] = getattr(one, name)
        fields[name] = (dims, values, attributes(name))
    return plain.assign(fields)


def to_nodes(cells: Array) -> Array:
    """Mean of the cells around each node (z_face, x_face), those at a wall counted twice."""
    padded = np.pad(cells, 1, mode="edge")
    return 0.25 * (padded[1:, 1:] + padded[1:, :-1] + padded[:-1, 1:] + padded[:-1, :-1])


def _over_cells(markers: Array, grid: Grid, offset: Array) -> Array:
    weight = 1.0 - np.abs(offset - 0.5)
    weight /= weight.sum()
    lattice = markers.reshape(grid.nz, offset.size, grid.nx, offset.size)
    return np.einsum("kmin,m,n->ki", lattice, weight, weight)


def _around_corners(markers: Array, grid: Grid, offset: Array) -> Array:
    lattice = markers.reshape(grid.nz, offset.size, grid.nx, offset.size)
    # Weights towards the lower and the upper corner, of the markers in that half of the cell.
    halves = [np.where(half < 0.5, 1.0 - half, 0.0) for half in (offset, 1.0 - offset)]
    total, weights = np.zeros((2, grid.nz + 1, grid.nx + 1))
    for up, weight_z in enumerate(halves):
        for right, weight_x in enumerate(halves):
            corner = np.s_[up : up + grid.nz, right : right + grid.nx]
            total[corner] += np.einsum("kmin,m,n->ki", lattice, weight_z, weight_x)
            weights[corner] += weight_z.sum() * weight_x.sum()
    return np.asarray(total / weights)
