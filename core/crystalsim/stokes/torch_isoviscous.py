"""The isoviscous solve in torch: batched, differentiable, on any device.

The same equation as `crystalsim.stokes.isoviscous`. Sine transforms are products with the
orthonormal DST-I matrix, which is symmetric and its own inverse: torch has no sine transform, and
on a GPU a product of matrices this small is as fast as any.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ..grid import Grid
from .isoviscous import laplacian_eigenvalues


class TorchIsoviscousOperator:
    """Solves ``K0 psi = f``; the torch twin of `crystalsim.stokes.isoviscous.IsoviscousOperator`.

    Parameters
    ----------
    grid
        Its cell sizes fix the unit of length.
    device, dtype
        Of right-hand sides and solutions.
    """

    def __init__(
        self,
        grid: Grid,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        in_x = laplacian_eigenvalues(np.arange(1, grid.nx), grid.nx, grid.hx)
        in_z = laplacian_eigenvalues(np.arange(1, grid.nz), grid.nz, grid.hz)
        # Made in double precision, so that single precision loses nothing before the products.
        inverse = torch.from_numpy(1.0 / (in_z[:, None] + in_x) ** 2)
        self._inverse = inverse.to(device, dtype)
        self._sine_x = sine_matrix(grid.nx).to(device, dtype)
        self._sine_z = sine_matrix(grid.nz).to(device, dtype)

    def solve(self, rhs: Tensor) -> Tensor:
        """Solve ``K0 psi = rhs`` on interior corners (..., nz - 1, nx - 1)."""
        modes = self._sine_z @ rhs @ self._sine_x
        return self._sine_z @ (modes * self._inverse) @ self._sine_x


def sine_matrix(cells: int) -> Tensor:
    """Orthonormal DST-I matrix in double precision (cells - 1, cells - 1)."""
    numbers = torch.arange(1, cells, dtype=torch.float64)
    # Reduced to one period in integers: the sine of large arguments would lose digits.
    phase = torch.remainder(torch.outer(numbers, numbers), 2 * cells)
    return math.sqrt(2.0 / cells) * torch.sin(math.pi / cells * phase)
