"""Losses, each a mean over samples of a relative error; compose them by addition."""

from __future__ import annotations

import torch
from torch import Tensor


def relative_l2(velocity_x: Tensor, velocity_z: Tensor, true_x: Tensor, true_z: Tensor) -> Tensor:
    """``||v - v_true|| / ||v_true||`` over all faces (sample)."""
    error = _square(velocity_x - true_x) + _square(velocity_z - true_z)
    return _root(error / _safe(_square(true_x) + _square(true_z)))


def relative_strain(
    velocity_x: Tensor, velocity_z: Tensor, true_x: Tensor, true_z: Tensor, hx: float, hz: float
) -> Tensor:
    """The same for the strain rate: the error in the norm of the viscous dissipation (sample)."""
    true = strain_of_velocity(true_x, true_z, hx, hz)
    found = strain_of_velocity(velocity_x, velocity_z, hx, hz)
    error = sum(_square(a - b) for a, b in zip(found, true, strict=True))
    return _root(torch.as_tensor(error) / _safe(_square(true[0]) + _square(true[1])))


def strain_of_velocity(
    velocity_x: Tensor, velocity_z: Tensor, hx: float, hz: float
) -> tuple[Tensor, Tensor]:
    """``2 e_xx`` on cells, ``2 e_xz`` on interior corners; see `stokes.operators.strain_rate`."""
    normal = 2.0 * (velocity_x[..., 1:] - velocity_x[..., :-1]) / hx
    inner_x, inner_z = velocity_x[..., 1:-1], velocity_z[..., 1:-1, :]
    shear = (inner_x[..., 1:, :] - inner_x[..., :-1, :]) / hz + (
        inner_z[..., 1:] - inner_z[..., :-1]
    ) / hx
    return normal, shear


def _square(values: Tensor) -> Tensor:
    return (values * values).sum(dim=(-2, -1))


def _root(ratio: Tensor) -> Tensor:
    # The slope of the root at zero is infinite: one exact sample would make all weights NaN.
    return torch.sqrt(ratio.clamp(min=1e-24))


def _safe(norm: Tensor) -> Tensor:
    return norm.clamp(min=1e-12)
