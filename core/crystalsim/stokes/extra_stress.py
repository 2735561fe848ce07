"""Crystals as extra stress in an isoviscous fluid (Lippmann-Schwinger equation).

In units of the matrix viscosity, with strain rate ``S psi`` and relative viscosity ``eta``, the
flow obeys ``S' eta S psi = f``. The extra stress ``t = (eta - 1) S psi`` (the polarization stress of
homogenisation theory) lives on crystal cells and corners only and obeys

    (D**-1 + Gamma) t = S psi0,    D = eta - 1,    Gamma = S K0**-1 S',    K0 = S' S,
    psi = psi0 - K0**-1 S' t,      psi0 = K0**-1 f.

``D**-1`` vanishes for rigid crystals, so any contrast is fine, and the operator is symmetric positive
definite where crystals are more viscous than the magma. Moulinec & Suquet (1998),
doi:10.1016/S0045-7825(97)00218-1; Michel, Moulinec & Suquet (2001), doi:10.1002/nme.275.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..cases import Case
from ..errors import OptionError
from ..grid import Grid
from ..scene import Average, rasterise
from .isoviscous import isoviscous_operator
from .operators import buoyancy_curl, force, pad_walls, strain_rate, strain_rate_adjoint

Array = NDArray[Any]


class Scales(NamedTuple):
    """Units in which the flow is of order one; the only place where SI units are scaled.

    Attributes
    ----------
    length
        Half the height of the domain [m].
    velocity
        ``drho g length**2 / matrix_viscosity`` with the largest density contrast [m s-1].
    stress
        ``drho g length`` [Pa].
    density
        The largest density contrast [kg m-3], 1 where there is none.
    """

    length: float
    velocity: float
    stress: float
    density: float


def scales(case: Case, grid: Grid) -> Scales:
    """Units for one case."""
    density = float(np.max(np.abs(case.density_contrast), initial=0.0)) or 1.0
    length = 0.5 * grid.height
    stress = density * (case.gravity or 1.0) * length
    return Scales(length, stress * length / case.matrix_viscosity, stress, density)


def unit_grid(grid: Grid) -> Grid:
    """Return the grid with lengths in units of half the height, its lower left corner at zero."""
    length = 0.5 * grid.height
    return Grid(grid.nx, grid.nz, 0.0, grid.width / length, 0.0, grid.height / length)


class ExtraStressSystem:
    """The equation of the extra stress for one case, in the units of `scales`.

    Vectors hold the extra stress on the support: crystal cells first, then crystal corners.

    Parameters
    ----------
    case, grid
        What to solve, in SI units.
    average
        Mean of the viscosity where crystal and magma share a control volume.
    dtype
        Floating-point type of all arrays.

    Attributes
    ----------
    isoviscous
        Stream function of the flow without viscosity contrast, interior corners (nz - 1, nx - 1).
    right_hand_side
        Its strain rate on the support.
    compliance
        ``1 / D`` on the support.

    Raises
    ------
    OptionError
        If a crystal is less viscous than the magma.
    """

    def __init__(
        self,
        case: Case,
        grid: Grid,
        average: Average = "harmonic",
        dtype: DTypeLike = np.float64,
    ) -> None:
        if (case.viscosity < case.matrix_viscosity).any():
            raise OptionError(
                f"crystal_viscosity = {case.viscosity.min():g} Pa s is below matrix_viscosity = "
                f"{case.matrix_viscosity:g} Pa s; expected crystals at least as viscous as the magma"
            )
        self.scales = scales(case, grid)
        unit = unit_grid(grid)
        self._hx, self._hz = unit.hx, unit.hz
        self._operator = isoviscous_operator(unit)
        scene = rasterise(case, grid, average)
        self._gravity = float(case.gravity > 0)
        self._density = scene.density_face / self.scales.density
        rhs = -self._gravity * buoyancy_curl(self._density, self._hx)
        self.isoviscous: Array = self._operator.solve(rhs.astype(dtype))
        cell = scene.viscosity_cell / case.matrix_viscosity - 1.0
        corner = scene.viscosity_corner[1:-1, 1:-1] / case.matrix_viscosity - 1.0
        self._cells, self._corners = np.flatnonzero(cell), np.flatnonzero(corner)
        excess = np.concatenate([cell.ravel()[self._cells], corner.ravel()[self._corners]])
        self.compliance: Array = (1.0 / excess).astype(dtype)
        self.right_hand_side: Array = self.gather(self.isoviscous)

    def gather(self, psi: Array) -> Array:
        """Strain rate on the support (support) of a stream function (nz - 1, nx - 1)."""
        normal, shear = strain_rate(pad_walls(psi), self._hx, self._hz)
        return np.concatenate([normal.ravel()[self._cells], shear.ravel()[self._corners]])

    def scatter(self, stress: Array) -> tuple[Array, Array]:
        """Put a vector on the support into fields on cells and interior corners."""
        nz, nx = self.isoviscous.shape
        normal = np.zeros((nz + 1, nx + 1), dtype=stress.dtype)
        shear = np.zeros((nz, nx), dtype=stress.dtype)
        normal.ravel()[self._cells] = stress[: self._cells.size]
        shear.ravel()[self._corners] = stress[self._cells.size :]
        return normal, shear

    def response(self, stress: Array) -> Array:
        """Stream function ``K0**-1 S' t`` that an extra stress takes away (nz - 1, nx - 1)."""
        curl = strain_rate_adjoint(*self.scatter(stress), self._hx, self._hz)
        return self._operator.solve(curl)

    def apply(self, stress: Array) -> tuple[Array, Array]:
        """Apply the operator.

        Returns
        -------
        image
            ``(D**-1 + Gamma) t`` on the support.
        psi
            ``K0**-1 S' t``, see `response`.
        """
        psi = self.response(stress)
        return self.compliance * stress + self.gather(psi), psi

    def pressure(self, psi: Array, stress: Array) -> Array:
        """Pressure of zero mean (nz, nx) in units of `scales.stress`.

        Taken from the extra stress: viscosity times strain rate would amplify what is left of the
        error of `psi` by the contrast.
        """
        normal, shear = strain_rate(pad_walls(psi), self._hx, self._hz)
        extra_normal, extra_shear = self.scatter(stress)
        return self._operator.pressure(
            *force(
                normal + extra_normal,
                shear + extra_shear,
                self._density,
                self._gravity,
                self._hx,
                self._hz,
            )
        )
