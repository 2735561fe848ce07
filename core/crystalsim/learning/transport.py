"""What the extra stress of crystals does to the flow: the fixed isoviscous solve, in torch.

All in the units of `crystalsim.learning.batches`: `strain_rate` is that of
`crystalsim.stokes.operators`, stress is in units of the matrix viscosity times it.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from ..scene.grid import Grid
from ..stokes.isoviscous import isoviscous_operator
from ..stokes.operators import pad_walls, strain_rate, strain_rate_adjoint
from ..stokes.torch_isoviscous import TorchIsoviscousOperator
from .batches import Batch

__all__ = ["dilute", "response"]


def response(normal: Tensor, shear: Tensor, hx: float, hz: float) -> Tensor:
    """Stream function ``K0**-1 S' t`` that an extra stress takes away (sample, nz + 1, nx + 1).

    Parameters
    ----------
    normal, shear
        Extra stress on cells (sample, nz, nx) and interior corners (sample, nz - 1, nx - 1).
    hx, hz
        Cell sizes in units of half the height.
    """
    nz, nx = normal.shape[-2:]
    with torch.autocast(normal.device.type, enabled=False):
        curl = strain_rate_adjoint(normal.float(), shear.float(), hx, hz)
        grid = Grid(nx, nz, 0.0, nx * hx, 0.0, nz * hz)
        if torch.is_grad_enabled() or curl.device.type != "cpu":
            return pad_walls(_operator(grid, curl.device).solve(curl))
        # On a processor fast transforms beat products of matrices: 1.3 to 2.5 ms at 256 cells.
        return pad_walls(torch.from_numpy(isoviscous_operator(grid).solve(curl.numpy())))


def dilute(batch: Batch, hx: float, hz: float) -> tuple[Tensor, Tensor]:
    """Extra stress of each crystal as if it were alone in the isoviscous flow.

    ``(1/D + 1/2) t = S psi0``, see `crystalsim.stokes.extra_stress.ExtraStressSystem.dilute`; with
    the rigidity ``D / (1 + D)`` that is ``t = rigidity / (1 - rigidity / 2) S psi0``.

    Returns
    -------
    normal, shear
        On cells (sample, nz, nx) and interior corners (sample, nz - 1, nx - 1).
    """
    normal, shear = strain_rate(batch.isoviscous, hx, hz)
    corner = batch.rigidity_corner[:, 1:-1, 1:-1]
    cell = batch.rigidity_cell
    return cell / (1.0 - 0.5 * cell) * normal, corner / (1.0 - 0.5 * corner) * shear


@functools.lru_cache(maxsize=16)
def _operator(grid: Grid, device: torch.device) -> TorchIsoviscousOperator:
    return TorchIsoviscousOperator(grid, device=device)
