"""From what a network gives out to a velocity that respects the walls."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ..stokes.operators import velocity
from . import transport
from .batches import Batch

__all__ = ["Flow", "HEADS", "Head", "of_correction", "of_stress"]


class Flow(NamedTuple):
    """A prediction, in the units of `crystalsim.learning.batches`.

    Attributes
    ----------
    velocity_x, velocity_z
        On faces (sample, nz, nx + 1) and (sample, nz + 1, nx); zero through the walls.
    correction
        Stream function less the isoviscous one (sample, nz + 1, nx + 1), or None where the
        velocity has none.
    normal, shear
        Extra stress on cells (sample, nz, nx) and interior corners (sample, nz - 1, nx - 1), or
        None where it is not known.
    """

    velocity_x: Tensor
    velocity_z: Tensor
    correction: Tensor | None = None
    normal: Tensor | None = None
    shear: Tensor | None = None


class Head(NamedTuple):
    """What a network gives out, and how that becomes a flow.

    Attributes
    ----------
    channels
        Number of channels of the output.
    flow
        Called with the output (sample, channels, nz + 1, nx + 1), the batch, the cell sizes `hx`
        and `hz` in units of half the height, and the option `background`; gives the flow.
    """

    channels: int
    flow: Callable[[Tensor, Batch, float, float, str], Flow]


def _from_stream_function(
    output: Tensor, batch: Batch, hx: float, hz: float, background: str
) -> Flow:
    behind = _background(batch, background, hx, hz)
    return of_correction(behind + _vanishing(output[:, 0]), batch, hx, hz)


def _from_extra_stress(output: Tensor, batch: Batch, hx: float, hz: float, background: str) -> Flow:
    return of_stress(*_stress(output, batch, hx, hz, background), batch, hx, hz)


def _from_velocity(output: Tensor, batch: Batch, hx: float, hz: float, background: str) -> Flow:
    behind = _background(batch, background, hx, hz)
    rows, columns = output.shape[-2:]
    velocity_x = 0.5 * (output[:, 0, 1:] + output[:, 0, :-1]) * _arch(columns, output)
    velocity_z = 0.5 * (output[:, 1, :, 1:] + output[:, 1, :, :-1]) * _arch(rows, output)[:, None]
    behind_x, behind_z = velocity(batch.isoviscous + behind, hx, hz)
    return Flow(velocity_x + behind_x, velocity_z + behind_z)


HEADS: Mapping[str, Head] = {
    "stream_function": Head(1, _from_stream_function),
    "velocity": Head(2, _from_velocity),
    "extra_stress": Head(2, _from_extra_stress),
}
"""Heads of `TorchSurrogate` by the values of its option `predicts`."""


def of_correction(correction: Tensor, batch: Batch, hx: float, hz: float) -> Flow:
    """Flow with a stream function that differs by `correction` from the isoviscous one."""
    return Flow(*velocity(batch.isoviscous + correction, hx, hz), correction)


def of_stress(normal: Tensor, shear: Tensor, batch: Batch, hx: float, hz: float) -> Flow:
    """Flow around crystals with a given extra stress, exact in all but that stress."""
    flow = of_correction(-transport.response(normal, shear, hx, hz), batch, hx, hz)
    return flow._replace(normal=normal, shear=shear)


def _background(batch: Batch, kind: str, hx: float, hz: float) -> Tensor:
    """Stream function less the isoviscous one of the flow that a network corrects."""
    if kind == "none":
        return -batch.isoviscous
    if kind == "isoviscous":
        return torch.zeros_like(batch.isoviscous)
    return -transport.response(*transport.dilute(batch, hx, hz), hx, hz)


def _stress(
    output: Tensor, batch: Batch, hx: float, hz: float, background: str
) -> tuple[Tensor, Tensor]:
    low, high = output[:, 0, :-1], output[:, 0, 1:]
    cells = 0.25 * (high[..., 1:] + high[..., :-1] + low[..., 1:] + low[..., :-1])
    # Of the size of the strain rate around crystals, in the units of batches.
    normal = 20.0 * batch.rigidity_cell * cells
    shear = 20.0 * (batch.rigidity_corner * output[:, 1])[:, 1:-1, 1:-1]
    if background != "dilute":
        return normal, shear
    lone = transport.dilute(batch, hx, hz)
    return lone[0] + normal, lone[1] + shear


def _vanishing(output: Tensor) -> Tensor:
    """Stream function that vanishes on the walls (sample, nz + 1, nx + 1)."""
    rows, columns = output.shape[-2:]
    return output * (_arch(rows, output)[:, None] * _arch(columns, output))


def _arch(count: int, like: Tensor) -> Tensor:
    """Half a sine wave: zero at both ends to rounding, and exactly there."""
    arch = torch.linspace(0.0, math.pi, count, device=like.device, dtype=like.dtype).sin()
    arch[0] = arch[-1] = 0.0
    return arch
