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
from torch.nn.functional import pad

from ..scene.grid import Grid
from .isoviscous import laplacian_eigenvalues

__all__ = ["TorchIsoviscousOperator"]


class TorchIsoviscousOperator:
    """Solves ``K0 psi = f``; the torch twin of `crystalsim.stokes.isoviscous.IsoviscousOperator`.

    Parameters
    ----------
    grid
        Its cell sizes fix the unit of length.
    device, dtype
        Device and data type of right-hand sides and solutions.
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
        in_x = laplacian_eigenvalues(np.arange(grid.nx), grid.nx, grid.hx)
        in_z = laplacian_eigenvalues(np.arange(grid.nz), grid.nz, grid.hz)
        poisson = in_z[:, None] + in_x
        poisson[0, 0] = np.inf  # the mean of the pressure is zero
        self._inverse_poisson = torch.from_numpy(1.0 / poisson).to(device, dtype)
        self._cosine_x = cosine_matrix(grid.nx).to(device, dtype)
        self._cosine_z = cosine_matrix(grid.nz).to(device, dtype)
        self._hx, self._hz = grid.hx, grid.hz

    def solve(self, rhs: Tensor) -> Tensor:
        """Solve ``K0 psi = rhs`` on interior corners (..., nz - 1, nx - 1)."""
        modes = self._sine_z @ rhs @ self._sine_x
        return self._sine_z @ (modes * self._inverse) @ self._sine_x

    def pressure(self, force_x: Tensor, force_z: Tensor) -> Tensor:
        """Pressure (..., nz, nx) that balances a force; see `IsoviscousOperator.pressure`."""
        source = (pad(force_x, (0, 1)) - pad(force_x, (1, 0))) / self._hx
        source = source + (pad(force_z, (0, 0, 0, 1)) - pad(force_z, (0, 0, 1, 0))) / self._hz
        modes = self._cosine_z @ source @ self._cosine_x.T
        return -self._cosine_z.T @ (modes * self._inverse_poisson) @ self._cosine_x


def sine_matrix(cells: int) -> Tensor:
    """Orthonormal DST-I matrix in double precision (cells - 1, cells - 1)."""
    numbers = torch.arange(1, cells, dtype=torch.float64)
    # Reduced to one period in integers: the sine of large arguments would lose digits.
    phase = torch.remainder(torch.outer(numbers, numbers), 2 * cells)
    return math.sqrt(2.0 / cells) * torch.sin(math.pi / cells * phase)


def cosine_matrix(cells: int) -> Tensor:
    """Orthonormal DCT-II matrix in double precision, one mode a row (cells, cells)."""
    numbers, points = torch.arange(cells), 2 * torch.arange(cells) + 1
    phase = torch.remainder(torch.outer(numbers, points), 4 * cells).double()
    matrix = math.sqrt(2.0 / cells) * torch.cos(0.5 * math.pi / cells * phase)
    matrix[0] = math.sqrt(1.0 / cells)
    return matrix
