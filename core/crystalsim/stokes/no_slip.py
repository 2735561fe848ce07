"""Walls that hold the magma, as extra stress on free-slip ones.

Free-slip walls carry no shear. No-slip walls carry the shear stress that stops the magma beside
them, which is one more extra stress: on a corner of a wall, with the tangential velocity ``v`` of
the face beside it mirrored to ``-v``, the shear strain rate is ``2 v / h`` (twice ``e_xz``), and
half a control volume of magma resists it. So the wall's row of ``S`` is ``2 psi / h**2`` of the
nearest corner inside, its ``D`` half the viscosity there, and the equation of the extra stress
stays what it was; see `crystalsim.stokes.extra_stress`.

Along a wall ``Gamma`` is diagonal in sines. Its entries fall from the number of cells to one, so
that the iteration needs them as a preconditioner: a sine transform of each wall.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
import scipy.sparse
from numpy.typing import NDArray

from ..grid import Grid
from .isoviscous import laplacian_eigenvalues

Array = NDArray[Any]


class NoSlipWalls:
    """The corners of all four walls: bottom, top, left, right, each without its ends.

    Parameters
    ----------
    grid
        In the unit of length of the system.

    Attributes
    ----------
    size
        Number of corners on walls.
    strain_rate
        Matrix from interior corners, row by row, to the walls' shear strain rate.
    """

    def __init__(self, grid: Grid) -> None:
        inner_x, inner_z = grid.nx - 1, grid.nz - 1
        self.size = 2 * (inner_x + inner_z)
        self._ends = np.cumsum([inner_x, inner_x, inner_z])
        number = np.arange(inner_x * inner_z).reshape(inner_z, inner_x)
        beside = np.concatenate([number[0], number[-1], number[:, 0], number[:, -1]])
        # dv_x/dz of the lower and upper walls, dv_z/dx of the others: psi counts with both signs.
        along_x, along_z = 2.0 / grid.hz**2, -2.0 / grid.hx**2
        values = np.repeat([along_x, along_z], [2 * inner_x, 2 * inner_z])
        shape = (self.size, number.size)
        self.strain_rate = scipy.sparse.csr_array(
            (values, beside, np.arange(self.size + 1)), shape=shape
        )
        in_x = laplacian_eigenvalues(np.arange(1, grid.nx), grid.nx, grid.hx)
        in_z = laplacian_eigenvalues(np.arange(1, grid.nz), grid.nz, grid.hz)
        inverse = 1.0 / (in_z[:, None] + in_x) ** 2
        lowest_z = 2.0 / grid.nz * np.sin(np.pi * np.arange(1, grid.nz) / grid.nz) ** 2
        lowest_x = 2.0 / grid.nx * np.sin(np.pi * np.arange(1, grid.nx) / grid.nx) ** 2
        self._along_x = along_x**2 * (lowest_z @ inverse)
        self._along_z = along_z**2 * (inverse @ lowest_x)

    def precondition(self, values: Array, compliance: float) -> Array:
        """Solve ``(1/D + Gamma) t = values`` for each wall as if it were alone."""
        found: list[Array] = []
        for part in np.split(values, self._ends):
            response = self._along_x if len(found) < 2 else self._along_z
            modes = scipy.fft.dst(part, type=1, norm="ortho")
            found.append(scipy.fft.dst(modes / (compliance + response), type=1, norm="ortho"))
        return np.concatenate(found).astype(values.dtype)

    def viscosity(self, corner: Array) -> Array:
        """Values on the walls of a field on all corners (nz + 1, nx + 1)."""
        inner = slice(1, -1)
        return np.concatenate(
            [corner[0, inner], corner[-1, inner], corner[inner, 0], corner[inner, -1]]
        )

    def add_stress(self, shear: Array, stress: Array) -> None:
        """Put the stress of the walls into shear stress on all corners (nz + 1, nx + 1)."""
        inner = slice(1, -1)
        bottom, top, left, right = np.split(2.0 * stress, self._ends)
        shear[0, inner], shear[-1, inner] = bottom, top
        shear[inner, 0], shear[inner, -1] = left, right
