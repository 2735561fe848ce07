"""Crystals as extra stress in an isoviscous fluid (Lippmann-Schwinger equation).

In units of the viscosity of a reference medium, with strain rate ``S psi`` and relative viscosity
``eta``, the flow obeys ``S' eta S psi = f``. The extra stress ``t = (eta - 1) S psi`` (the
polarization stress of homogenisation theory) lives where ``eta`` is not one and obeys

    (D**-1 + Gamma) t = S psi0,    D = eta - 1,    Gamma = S K0**-1 S',    K0 = S' S,
    psi = psi0 - K0**-1 S' t,      psi0 = K0**-1 f.

``D**-1`` vanishes for rigid crystals, so any contrast is fine. The viscosity of the reference
medium is free to choose: with that of the magma the support is the crystals alone; with the
smallest of all, ``D`` is positive everywhere and the operator symmetric positive definite, whatever
the mixture of viscous and weak crystals. Moulinec & Suquet (1998),
doi:10.1016/S0045-7825(97)00218-1; Michel, Moulinec & Suquet (2001), doi:10.1002/nme.275.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import DTypeLike, NDArray

from ..scene.grid import Grid
from ..scene.painting import Scene
from .isoviscous import IsoviscousOperator
from .walls import Walls, wall_operator

__all__ = ["ExtraStressSystem", "Scales", "scales", "unit_grid"]

Array = NDArray[Any]

_SMALL = 2**13
"""Cells up to which leaving out rows of a transform gains nothing."""

_STIFFEST = {"float64": 1e-7, "float32": 1e-4}
"""Compliance that stands for rigid crystals where it has to have an inverse, by precision."""


class Scales(NamedTuple):
    """Units in which the flow is of order one; the only place where SI units are scaled.

    Attributes
    ----------
    length
        Half the height of the domain [m].
    density
        The largest density anomaly [kg m-3], 1 where there is none.
    stress
        ``density g length`` [Pa].
    velocity
        ``stress length / reference_viscosity`` [m s-1].
    """

    length: float
    density: float
    stress: float
    velocity: float

    @property
    def viscosity(self) -> float:
        """Of the reference medium [Pa s]."""
        return self.stress * self.length / self.velocity


def scales(scene: Scene, grid: Grid, reference_viscosity: float, gravity: float) -> Scales:
    """Units for one scene."""
    density = float(np.max(np.abs(scene.density_face))) or 1.0
    length = 0.5 * grid.height
    stress = density * (gravity or 1.0) * length
    return Scales(length, density, stress, stress * length / reference_viscosity)


def unit_grid(grid: Grid) -> Grid:
    """Return the grid with lengths in units of half the height, its lower left corner at zero."""
    length = 0.5 * grid.height
    return Grid(grid.nx, grid.nz, 0.0, grid.width / length, 0.0, grid.height / length)


class ExtraStressSystem:
    """The equation of the extra stress for one scene, in the units of `scales`.

    Vectors hold the extra stress on the support: crystal cells first, then crystal corners.

    Parameters
    ----------
    scene
        Viscosity and density, in SI units.
    grid
        Grid of the scene.
    reference_viscosity
        The viscosity of the reference medium, which has no extra stress [Pa s].
    gravity
        Acceleration downward [m s-2].
    dtype
        Floating-point type of all vectors and fields.
    walls
        See `crystalsim.stokes.walls`.

    Attributes
    ----------
    operator
        The isoviscous operator.
    dtype
        Floating-point type of all vectors and fields.
    compliance
        ``1 / D`` on the support; negative where the viscosity is below the reference.
    rows
        Rows of unknown corners that the strain rate on the support takes values from; all on small
        grids, and where that is more than half of them.
    strain_rate
        ``S`` from the unknown corners of those rows to the support.
    """

    def __init__(
        self,
        scene: Scene,
        grid: Grid,
        *,
        reference_viscosity: float,
        gravity: float,
        dtype: DTypeLike = np.float64,
        walls: Walls = "free_slip",
    ) -> None:
        self.scales = scales(scene, grid, reference_viscosity, gravity)
        self.operator = wall_operator(unit_grid(grid), walls)
        self.dtype = np.dtype(dtype)
        self._gravity = float(gravity > 0)
        self._density = scene.density_face / self.scales.density
        cell = scene.viscosity_cell / reference_viscosity
        cell -= 1.0
        corner = scene.viscosity_corner / reference_viscosity
        corner -= 1.0
        corner = self.operator.weigh_corners(corner)
        self._corner_shape = corner.shape
        self._cells, self._corners = np.flatnonzero(cell != 0), np.flatnonzero(corner != 0)
        excess = np.concatenate([cell.ravel()[self._cells], corner.ravel()[self._corners]])
        # Formed in double precision: single has no place for a crystal's graze of a cell.
        self.compliance: Array = (1.0 / excess).astype(self.dtype, copy=False)
        at_cells = np.divmod(self._cells, grid.nx)
        at_corners = self._on_all(np.divmod(self._corners, corner.shape[1]))
        self.rows = _touched_rows(at_cells[0], at_corners[0], grid.nz)
        if 2 * self.rows.size > grid.nz or grid.nz * grid.nx <= _SMALL:
            self.rows = np.arange(grid.nz - 1)
        matrix = _strain_rate_matrix(at_cells, at_corners, self.rows, self.operator)
        self.strain_rate = matrix.astype(self.dtype, copy=False)
        self._curl = self.strain_rate.T

    def _on_all(self, corners: tuple[Array, Array]) -> tuple[Array, Array]:
        """Places among all corners of places among those that carry shear."""
        rows, columns = self.operator.sheared
        return corners[0] + (rows.start or 0), corners[1] + (columns.start or 0)

    @functools.cached_property
    def driving(self) -> Array:
        """Curl of the body force: the right-hand side ``f`` on unknown corners."""
        curl = self.operator.buoyancy_curl(self._density)
        curl *= -self._gravity
        return curl.astype(self.dtype, copy=False)

    @functools.cached_property
    def isoviscous(self) -> Array:
        """Stream function of the flow without viscosity contrast, on unknown corners.

        Those are interior ones (nz - 1, nx - 1) unless the sides are periodic.
        """
        return self.operator.solve(self.driving)

    @functools.cached_property
    def right_hand_side(self) -> Array:
        """Strain rate of the isoviscous flow on the support."""
        return self.gather(self.isoviscous)

    def solve_on_rows(self, dtype: DTypeLike) -> Callable[[Array], Array]:
        """Give a function that solves ``K0 psi = f`` on `rows`, for `f` (row, column) on them.

        It may overwrite its argument, which is of that floating-point type.
        """
        if self.rows.size == self.operator.grid.nz - 1:
            return functools.partial(self.operator.solve, overwrite=True)
        return self.operator.on_rows(self.rows, dtype)

    def on_rows(self, psi: Array) -> Array:
        """Values of a stream function as `isoviscous` on `rows`, as a vector."""
        part = psi if self.rows.size == psi.shape[0] else psi[self.rows]
        return part.ravel()

    def gather(self, psi: Array) -> Array:
        """Strain rate on the support (support) of a stream function as `isoviscous`."""
        return np.asarray(self.strain_rate @ self.on_rows(psi))

    def scatter(self, stress: Array) -> tuple[Array, Array]:
        """Put a vector on the support into fields on cells and the operator's sheared corners."""
        grid = self.operator.grid
        normal = np.zeros((grid.nz, grid.nx), dtype=stress.dtype)
        shear = np.zeros(self._corner_shape, dtype=stress.dtype)
        normal.ravel()[self._cells] = stress[: self._cells.size]
        shear.ravel()[self._corners] = stress[self._cells.size :]
        return normal, shear

    def on_support(self, normal: Array, shear: Array) -> Array:
        """Vector on the support of fields on cells and corners; undoes `scatter`."""
        return np.concatenate([normal.ravel()[self._cells], shear.ravel()[self._corners]])

    def curl(self, stress: Array) -> Array:
        """Curl of the force of an extra stress, ``S' t``, on unknown corners."""
        on_rows = (self._curl @ stress).reshape(-1, self.driving.shape[1])
        if self.rows.size == self.driving.shape[0]:
            return on_rows
        curl = np.zeros_like(self.driving)
        curl[self.rows] = on_rows
        return curl

    def response(self, stress: Array) -> Array:
        """Stream function ``K0**-1 S' t`` that an extra stress takes away."""
        return self.operator.solve(self.curl(stress), overwrite=True)

    def flow(self, stress: Array) -> Array:
        """Stream function ``K0**-1 (f - S' t)`` with an extra stress, on unknown corners."""
        return self.operator.solve(self.driving - self.curl(stress), overwrite=True)

    def apply(self, stress: Array) -> Array:
        """Apply the operator: ``(D**-1 + Gamma) t`` on the support."""
        return self.gather(self.response(stress)) + self.compliance * stress

    def dilute(self) -> Array:
        """Extra stress of each crystal as if it were alone in a uniform strain (support).

        In two dimensions the response of a disc to a uniform extra stress takes away half of it
        from the strain rate (Eshelby 1957, doi:10.1098/rspa.1957.0133), so that
        ``(D**-1 + 1/2) t = S psi0``.
        """
        return np.asarray(self.right_hand_side / (self.compliance + 0.5))

    def pressure(self, psi: Array, stress: Array) -> Array:
        """Pressure of zero mean (nz, nx) in units of `scales.stress`.

        Taken from the extra stress: viscosity times strain rate would amplify what is left of the
        error of `psi` by the contrast.
        """
        normal, shear = self.scatter(stress)
        if not self.operator.balanced:
            rates = self.operator.strain_rate(psi)
            normal, shear = normal + rates[0], shear + rates[1]
        return self.operator.pressure(
            *self.operator.force(normal, shear, self._density, self._gravity)
        )

    @property
    def stiffness(self) -> Array:
        """``D`` on the support, in double precision; for rigid crystals of 1 over `_STIFFEST`."""
        compliance = self.compliance.astype(np.float64)
        return np.asarray(1.0 / np.maximum(compliance, _STIFFEST[self.dtype.name]))

    def near(self, cells: int) -> NDArray[np.bool_]:
        """Which unknown corners are within so many cells of the support."""
        touched = np.zeros(self.strain_rate.shape[1], dtype=bool)
        touched[self.strain_rate.indices[self.strain_rate.data != 0]] = True
        near: NDArray[np.bool_] = np.zeros(self.driving.shape, dtype=bool)
        near[self.rows] = touched.reshape(-1, self.driving.shape[1])
        for _ in range(cells):
            grown = near.copy()
            grown[1:] |= near[:-1]
            grown[:-1] |= near[1:]
            near = grown.copy()
            near[:, 1:] |= grown[:, :-1]
            near[:, :-1] |= grown[:, 1:]
        return near

    def neighbourhood(self, cells: int) -> tuple[scipy.sparse.csc_array, scipy.sparse.csr_array]:
        """Primal operator and strain rate on the corners near the support, still elsewhere.

        Parameters
        ----------
        cells
            How far from the support corners count.

        Returns
        -------
        stiffness
            ``S' diag(1 + D) S`` of the flows that vanish on all other corners
            (corner, corner), with `stiffness` for ``D``.
        strain_rate
            Their strain rate on the support (support, corner).
        """
        grid, operator = self.operator.grid, self.operator
        place = operator.number(np.arange(grid.nz - 1))
        near = self.near(cells)
        # Cells and corners whose strain rate these corners enter.
        known = np.append(near.ravel(), False)[place]
        at_corner = known[1:-1, 1:-1] | known[:-2, 1:-1] | known[2:, 1:-1]
        at_corner |= known[1:-1, :-2] | known[1:-1, 2:]
        inner = known[1:-1, 1:-1]
        at_cell = inner[1:, 1:] | inner[1:, :-1] | inner[:-1, 1:] | inner[:-1, :-1]
        shear = at_corner[operator.sheared]
        all_cells, all_corners = np.flatnonzero(at_cell), np.flatnonzero(shear)
        matrix = _strain_rate_matrix(
            np.divmod(all_cells, grid.nx),
            self._on_all(np.divmod(all_corners, shear.shape[1])),
            np.arange(grid.nz - 1),
            operator,
        )
        matrix = matrix.tocsc()[:, np.flatnonzero(near)].tocsr()
        weights = operator.weigh_corners(np.ones((grid.nz + 1, grid.nx + 1))).ravel()
        viscosity = np.concatenate([np.ones(all_cells.size), weights[all_corners]])
        rows = np.concatenate(
            [
                np.searchsorted(all_cells, self._cells),
                all_cells.size + np.searchsorted(all_corners, self._corners),
            ]
        )
        viscosity[rows] += self.stiffness
        stiffness = matrix.T @ scipy.sparse.diags_array(viscosity) @ matrix
        return stiffness.tocsc(), matrix[rows]


def _touched_rows(cells: Array, corners: Array, nz: int) -> NDArray[np.intp]:
    """Rows of interior corners that the strain rate takes values from, of rows of its places."""
    touched = np.zeros(nz + 3, dtype=bool)
    for beside in (0, 1):
        touched[cells + beside + 1] = True
    for beside in (-1, 0, 1):
        touched[corners + beside + 1] = True
    return np.flatnonzero(touched[2 : nz + 1])


def _strain_rate_matrix(
    cells: tuple[Array, ...],
    corners: tuple[Array, ...],
    rows: NDArray[np.intp],
    operator: IsoviscousOperator,
) -> scipy.sparse.csr_array:
    """`strain_rate` as a matrix from some rows of unknowns to cells and corners."""
    grid = operator.grid
    row = grid.nx + 3
    at_cell = (cells[0] + 1) * row + cells[1] + 1
    at_corner = (corners[0] + 1) * row + corners[1] + 1
    every = np.concatenate(
        [
            (at_cell[:, None] + [0, 1, row, row + 1]).ravel(),
            (at_corner[:, None] + [-row, -1, 0, 1, row]).ravel(),
        ]
    )
    twist, in_x, in_z = 2.0 / (grid.hx * grid.hz), 1.0 / grid.hx**2, 1.0 / grid.hz**2
    values = np.concatenate(
        [
            np.tile([twist, -twist, -twist, twist], at_cell.size),
            np.tile([in_z, -in_x, 2 * (in_x - in_z), -in_x, in_z], at_corner.size),
        ]
    )
    starts = np.concatenate(
        [
            4 * np.arange(at_cell.size),
            4 * at_cell.size + 5 * np.arange(at_corner.size + 1),
        ]
    )
    place = operator.number(rows)
    columns = place.ravel()[every]
    # The stream function is zero on the walls: what is taken from there counts for nothing.
    values[columns < 0] = 0.0
    columns[columns < 0] = 0
    shape = (at_cell.size + at_corner.size, place.max(initial=-1) + 1)
    return scipy.sparse.csr_array((values, columns, starts), shape=shape)
