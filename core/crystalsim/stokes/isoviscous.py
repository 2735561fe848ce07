"""Flow with one viscosity everywhere: two sine transforms.

With viscosity one, the stream function obeys the biharmonic equation ``K0 psi = f``. With free-slip
walls the sine modes diagonalise ``K0`` exactly, with eigenvalues ``(l_i + l_j)**2``,
``l_k = (2 - 2 cos(pi k / n)) / h**2``; the pressure follows from a Poisson equation with a cosine
transform. Fast Poisson solvers: Swarztrauber (1977), doi:10.1137/1019071.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray

from ..datasets.cases import iterate_cases
from ..scene.grid import Grid
from ..scene.painting import rasterise
from .operators import buoyancy_curl, force, pad_walls, strain_rate
from .transforms import cosine, sine, sine_matrix

__all__ = ["IsoviscousOperator", "isoviscous_operator", "solve_isoviscous"]

Corners = tuple[slice, slice]


def laplacian_eigenvalues(modes: NDArray[Any], cells: int, spacing: float) -> NDArray[np.float64]:
    """Eigenvalues of minus the second difference for modes on `cells` cells [1 / spacing**2]."""
    return 4.0 * np.sin(0.5 * np.pi * modes / cells) ** 2 / spacing**2


class IsoviscousOperator:
    """Solves ``K0 psi = f`` and the Poisson equation of the pressure on one grid, free slip.

    Everything that depends on the walls is here; `crystalsim.stokes.walls` has the operators of
    other walls.

    Parameters
    ----------
    grid
        Its cell sizes fix the unit of length.

    Attributes
    ----------
    unknown
        The corners, of (nz + 1, nx + 1), where the stream function is unknown.
    sheared
        The corners that carry shear stress.
    balanced
        Whether the stress of an isoviscous flow is balanced without a pressure:
        ``div div 2 e(v) = laplace div v = 0``, on walls too if they are free-slip or none.
    """

    balanced = True
    unknown: Corners = (slice(1, -1), slice(1, -1))
    sheared: Corners = (slice(1, -1), slice(1, -1))

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        in_x = laplacian_eigenvalues(np.arange(1, grid.nx), grid.nx, grid.hx)
        in_z = laplacian_eigenvalues(np.arange(1, grid.nz), grid.nz, grid.hz)
        # Two unnormalised DST-I in two dimensions multiply by 2 nx * 2 nz.
        self._inverse = 1.0 / ((in_z[:, None] + in_x) ** 2 * (4 * grid.nx * grid.nz))
        in_x = laplacian_eigenvalues(np.arange(grid.nx), grid.nx, grid.hx)
        in_z = laplacian_eigenvalues(np.arange(grid.nz), grid.nz, grid.hz)
        poisson = in_z[:, None] + in_x
        poisson[0, 0] = np.inf  # the mean of the pressure is zero
        self._inverse_poisson = 1.0 / (poisson * (4 * grid.nx * grid.nz))
        self._single = self._inverse.astype(np.float32)

    def solve(self, rhs: NDArray[Any], *, overwrite: bool = False) -> NDArray[Any]:
        """Solve ``K0 psi = rhs`` on interior corners.

        Parameters
        ----------
        rhs
            (..., nz - 1, nx - 1), in single or double precision, as is the result.
        overwrite
            Whether `rhs` may be used for the result.
        """
        modes = sine(rhs, overwrite=overwrite)
        self._invert(modes)
        return np.asarray(sine(modes, overwrite=True))

    def on_rows(
        self, rows: NDArray[np.intp], dtype: DTypeLike
    ) -> Callable[[NDArray[Any]], NDArray[Any]]:
        """Give a function that solves for a right-hand side on some rows, on those rows alone.

        Transforms in x skip the other rows; in z a product with as many columns of the sine matrix
        takes the place of the transform, which is faster for up to about half of the rows.

        Parameters
        ----------
        rows
            Which of the nz - 1 rows of interior corners.
        dtype
            Data type of the right-hand side (row, nx - 1), which is zero elsewhere and may be
            overwritten, and of the result.
        """
        back = sine_matrix(self.grid.nz, np.dtype(dtype).str)[rows]
        # The unnormalised transforms, forth and back, have twice the sine.
        forth = np.ascontiguousarray(4.0 * back.T)

        def solve(rhs: NDArray[Any]) -> NDArray[Any]:
            modes = forth @ sine(rhs, (-1,), overwrite=True)
            self._invert(modes)
            return np.asarray(sine(back @ modes, (-1,), overwrite=True))

        return solve

    def _invert(self, modes: NDArray[Any]) -> None:
        """Divide modes by the eigenvalues and by the factor of two transforms, in place."""
        modes *= self._single if modes.dtype == np.float32 else self._inverse

    def extend(self, psi: NDArray[Any]) -> NDArray[Any]:
        """Stream function on all corners of its values on `unknown` ones."""
        return pad_walls(psi)

    def number(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Places of corners in a vector of some rows of unknowns, -1 where psi is zero.

        Returns
        -------
        array
            On all corners and a ring of neighbours outside (nz + 3, nx + 3).
        """
        width = self.grid.nx - 1
        place = np.full((self.grid.nz + 3, self.grid.nx + 3), -1, dtype=np.intp)
        place[rows + 2, 2:-2] = np.arange(rows.size * width).reshape(rows.size, width)
        return place

    def buoyancy_curl(self, density_face: NDArray[Any]) -> NDArray[Any]:
        """`operators.buoyancy_curl` on `unknown` corners."""
        return buoyancy_curl(density_face, self.grid.hx)

    def strain_rate(self, psi: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """`operators.strain_rate` on cells and `sheared` corners, of psi on `unknown` ones."""
        return strain_rate(pad_walls(psi), self.grid.hx, self.grid.hz)

    def weigh_corners(self, values: NDArray[Any]) -> NDArray[Any]:
        """Take `sheared` corners, each times the part of its control volume; see `walls`."""
        return values[self.sheared]

    def shear_on_all(self, shear: NDArray[Any]) -> NDArray[Any]:
        """Shear stress on all corners of that on `sheared` ones."""
        return pad_walls(shear)

    def force(
        self,
        normal: NDArray[Any],
        shear: NDArray[Any],
        density_face: NDArray[Any],
        gravity: float,
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """`operators.force` on the faces that `pressure` takes."""
        return force(normal, shear, density_face, gravity, self.grid.hx, self.grid.hz)

    def pressure(
        self, force_x: NDArray[np.float64], force_z: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Pressure of zero mean whose gradient balances a force on interior faces.

        Parameters
        ----------
        force_x, force_z
            (..., nz, nx - 1) and (..., nz - 1, nx); see `crystalsim.stokes.operators.force`.

        Returns
        -------
        array
            On cells (..., nz, nx); exact where the force is a gradient, else its gradient part.
        """
        grid = self.grid
        source = np.zeros((*force_x.shape[:-2], grid.nz, grid.nx))
        along = force_x / grid.hx
        source[..., :, :-1] = along
        source[..., :, 1:] -= along
        along = force_z / grid.hz
        source[..., :-1, :] += along
        source[..., 1:, :] -= along
        modes = cosine(source, overwrite=True)
        modes *= -self._inverse_poisson
        return np.asarray(cosine(modes, back=True, overwrite=True))


@functools.lru_cache(maxsize=8)
def isoviscous_operator(grid: Grid) -> IsoviscousOperator:
    """Return the operator of a grid with free slip, made once."""
    return IsoviscousOperator(grid)


def solve_isoviscous(
    cases: xr.Dataset, *, pressure: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Flow of all samples as if the crystals were as viscous as the magma.

    Parameters
    ----------
    cases
        Dataset of kind ``"cases"``.
    pressure
        Whether to compute it too.

    Returns
    -------
    stream_function
        (sample, z_face, x_face) [m2 s-1].
    pressure
        (sample, z, x) [Pa], or None.
    """
    grid = Grid.from_dataset(cases)
    operator = isoviscous_operator(grid)
    samples = cases.sizes["sample"]
    psi = np.zeros((samples, grid.nz + 1, grid.nx + 1))
    p = np.zeros((samples, grid.nz, grid.nx)) if pressure else None
    for i, case in enumerate(iterate_cases(cases)):
        density = rasterise(case, grid).density_face
        rhs = buoyancy_curl(density, grid.hx) * (-case.gravity / case.matrix_viscosity)
        psi[i] = pad_walls(operator.solve(rhs))
        if p is not None:
            normal, shear = strain_rate(psi[i], grid.hx, grid.hz)
            eta = case.matrix_viscosity
            p[i] = operator.pressure(
                *force(eta * normal, eta * shear, density, case.gravity, grid.hx, grid.hz)
            )
    return psi, p
