"""From what a network gives out to a velocity that respects the walls."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..stokes.operators import velocity
from .batches import Batch
from .batches import background as background_flow

OUTPUTS = {"stream_function": 1, "velocity": 2}
"""Channels that a network has to give out for each head."""


def stream_function_correction(output: Tensor) -> Tensor:
    """Stream function that vanishes on the walls (sample, nz + 1, nx + 1)."""
    rows, columns = output.shape[-2:]
    return output[:, 0] * (_arch(rows, output)[:, None] * _arch(columns, output))


def flow(
    output: Tensor, batch: Batch, hx: float, hz: float, *, predicts: str, background: str
) -> tuple[Tensor, Tensor]:
    """Velocity on faces from the output of a network on corners.

    Parameters
    ----------
    output
        (sample, `OUTPUTS`, nz + 1, nx + 1).
    batch
        The samples, for their isoviscous flow.
    hx, hz
        Cell sizes in units of half the height.
    predicts, background
        See `SurrogateOptions`.

    Returns
    -------
    velocity_x, velocity_z
        (sample, nz, nx + 1) and (sample, nz + 1, nx); zero through the walls.
    """
    psi = background_flow(batch, background)
    if predicts == "stream_function":
        return velocity(psi + stream_function_correction(output), hx, hz)
    rows, columns = output.shape[-2:]
    velocity_x = 0.5 * (output[:, 0, 1:] + output[:, 0, :-1]) * _arch(columns, output)
    velocity_z = 0.5 * (output[:, 1, :, 1:] + output[:, 1, :, :-1]) * _arch(rows, output)[:, None]
    behind_x, behind_z = velocity(psi, hx, hz)
    return velocity_x + behind_x, velocity_z + behind_z


def _arch(count: int, like: Tensor) -> Tensor:
    """Half a sine wave: zero at both ends to rounding, and exactly there."""
    arch = torch.linspace(0.0, math.pi, count, device=like.device, dtype=like.dtype).sin()
    arch[0] = arch[-1] = 0.0
    return arch
