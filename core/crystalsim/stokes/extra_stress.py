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
        Floating-point type of all arrays.
    walls
        See `crystalsim.stokes.walls`.

    Attributes
    ----------
    operator
        The isoviscous operator.
    isoviscous
        Stream function of the flow without viscosity contrast, on the operator's unknown corners:
        interior ones (nz - 1, nx - 1) unless the sides are periodic.
    right_hand_side
        Its strain rate on the support.
    compliance
        ``1 / D`` on the support; negative where the viscosity is below the reference.
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
        unit = unit_grid(grid)
        self.operator = wall_operator(unit, walls)
        self._gravity = float(gravity > 0)
        self._density = scene.density_face / self.scales.density
        rhs = -self._gravity * self.operator.buoyancy_curl(self._density)
        self.isoviscous: Array = self.operator.solve(rhs.astype(dtype))
        cell = scene.viscosity_cell / reference_viscosity - 1.0
        corner = self.operator.weigh_corners(scene.viscosity_corner / reference_viscosity - 1.0)
        self._corner_shape = corner.shape
        self._cells, self._corners = np.nonzero(cell), np.nonzero(corner)
        excess = np.concatenate([cell[self._cells], corner[self._corners]])
        first = [part.start or 0 for part in self.operator.sheared]
        on_all = tuple(i + start for i, start in zip(self._corners, first, strict=True))
        self._rows = _touched_rows(self._cells, on_all, grid.nz)
        matrix = _strain_rate_matrix(self._cells, on_all, self._rows, self.operator)
        self._strain_rate = matrix.astype(dtype)
        self._curl = self._strain_rate.T.tocsr()
        self.compliance: Array = (1.0 / excess).astype(dtype)
        self.right_hand_side: Array = self.gather(self.isoviscous)

    def restrict(self, psi: Array) -> Array:
        """Rows of a stream function, as `isoviscous`, that the support touches."""
        return np.asarray(psi[self._rows])

    def gather(self, psi: Array) -> Array:
        """Strain rate on the support (support) of a stream function as `isoviscous`."""
        return np.asarray(self._strain_rate @ self.restrict(psi).ravel())

    def scatter(self, stress: Array) -> tuple[Array, Array]:
        """Put a vector on the support into fields on cells and the operator's sheared corners."""
        grid = self.operator.grid
        normal = np.zeros((grid.nz, grid.nx), dtype=stress.dtype)
        shear = np.zeros(self._corner_shape, dtype=stress.dtype)
        normal[self._cells] = stress[: self._cells[0].size]
        shear[self._corners] = stress[self._cells[0].size :]
        return normal, shear

    def on_support(self, normal: Array, shear: Array) -> Array:
        """Vector on the support of fields on cells and corners; undoes `scatter`."""
        return np.concatenate([normal[self._cells], shear[self._corners]])

    def response(self, stress: Array) -> Array:
        """Stream function ``K0**-1 S' t`` that an extra stress takes away."""
        curl = np.zeros_like(self.isoviscous)
        curl[self._rows] = (self._curl @ stress).reshape(self._rows.size, self.isoviscous.shape[1])
        return self.operator.solve(curl)

    def apply(self, stress: Array) -> tuple[Array, Array]:
        """Apply the operator.

        Returns
        -------
        image
            ``(D**-1 + Gamma) t`` on the support.
        psi
            ``K0**-1 S' t`` on the rows that the support touches, see `restrict`.
        """
        curl = (self._curl @ stress).reshape(self._rows.size, self.isoviscous.shape[1])
        if 2 * self._rows.size > self.isoviscous.shape[0]:
            full = np.zeros_like(self.isoviscous)
            full[self._rows] = curl
            psi = self.restrict(self.operator.solve(full))
        else:
            psi = self.operator.solve_rows(curl, self._rows)
        return self.compliance * stress + self._strain_rate @ psi.ravel(), psi

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
        normal, shear = self.operator.strain_rate(psi)
        extra_normal, extra_shear = self.scatter(stress)
        total = normal + extra_normal, shear + extra_shear
        return self.operator.pressure(*self.operator.force(*total, self._density, self._gravity))


def _touched_rows(
    cells: tuple[Array, ...], corners: tuple[Array, ...], nz: int
) -> NDArray[np.intp]:
    """Rows of interior corners that the strain rate there takes values from."""
    near = [cells[0] - 1, cells[0], corners[0] - 2, corners[0] - 1, corners[0]]
    rows = np.unique(np.concatenate(near))
    return rows[(rows >= 0) & (rows < nz - 1)]


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
