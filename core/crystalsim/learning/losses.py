"""Losses, each a relative error of every sample; `total` composes them by the options' weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ..errors import OptionError
from ..stokes import operators
from . import transport
from .batches import Batch
from .heads import Flow

__all__ = ["LOSSES", "Term"]

Spacing = tuple[float, float]
Term = Callable[[Flow, Batch, Spacing], Tensor]
"""Part of a loss: a relative error of each sample (sample)."""


def velocity(flow: Flow, batch: Batch, spacing: Spacing) -> Tensor:
    """Relative L2 error of the velocity (sample)."""
    return relative_l2(flow.velocity_x, flow.velocity_z, batch.velocity_x, batch.velocity_z)


def strain(flow: Flow, batch: Batch, spacing: Spacing) -> Tensor:
    """Relative error of the strain rate: H1, the norm of the viscous dissipation (sample)."""
    return relative_strain(
        flow.velocity_x, flow.velocity_z, batch.velocity_x, batch.velocity_z, *spacing
    )


def mean_square(flow: Flow, batch: Batch, spacing: Spacing) -> Tensor:
    """Mean squared error of the velocity over the Stokes velocity of the first crystal (sample)."""
    error_x = (flow.velocity_x - batch.velocity_x).square().mean(dim=(-2, -1))
    error_z = (flow.velocity_z - batch.velocity_z).square().mean(dim=(-2, -1))
    return 0.5 * (error_x + error_z) / batch.stokes_velocity.square()


def divergence(flow: Flow, batch: Batch, spacing: Spacing) -> Tensor:
    """Divergence on cells over the strain rate of the isoviscous flow (sample)."""
    found = operators.divergence(flow.velocity_x, flow.velocity_z, *spacing)
    return _root(_square(found) / _driving(batch, spacing))


def momentum(flow: Flow, batch: Batch, spacing: Spacing) -> Tensor:
    """Momentum that is not balanced, as the flow that it would drive (sample).

    With ``D = viscosity - 1`` it is ``K0**-1 (f - S' (1 + D) S psi)`` in the norm of the velocity,
    over the isoviscous flow: ``psi0 - psi - K0**-1 S' D S psi``. Needs no solution. `D` multiplies
    what is left of the strain inside crystals, which makes this loss stiff at high contrasts; it is
    taken as 100 at most.
    """
    normal, shear = strain_of_velocity(flow.velocity_x, flow.velocity_z, *spacing)
    corner = batch.rigidity_corner[:, 1:-1, 1:-1].clamp(max=0.99)
    cell = batch.rigidity_cell.clamp(max=0.99)
    stress = cell / (1.0 - cell) * normal, corner / (1.0 - corner) * shear
    back = operators.velocity(transport.response(*stress, *spacing), *spacing)
    driven = operators.velocity(batch.isoviscous, *spacing)
    gap_x = flow.velocity_x - driven[0] + back[0]
    gap_z = flow.velocity_z - driven[1] + back[1]
    size = _safe(_square(driven[0]) + _square(driven[1]))
    return _root((_square(gap_x) + _square(gap_z)) / size)


def constitutive(flow: Flow, batch: Batch, spacing: Spacing) -> Tensor:
    """What the extra stress is off the strain rate on crystals, ``S psi - t / D`` (sample).

    Weighted with the area of the crystals and over ``S psi0`` there. Needs no solution: with the
    exact stress it vanishes, and the flow is exact. Only for models that predict an extra stress.

    Raises
    ------
    OptionError
        If the model predicts none.
    """
    if flow.normal is None or flow.shear is None:
        raise OptionError(
            "option model.constitutive_weight: expected a model that predicts the extra stress "
            "(model.predicts = 'extra_stress')"
        )
    cell, corner = batch.rigidity_cell, batch.rigidity_corner[:, 1:-1, 1:-1]
    normal, shear = strain_of_velocity(flow.velocity_x, flow.velocity_z, *spacing)
    # 1 / D = (1 - rigidity) / rigidity; times the weight, the rigidity, before it is squared.
    gap_normal = _weighted(normal, cell) - _weighted_compliance(flow.normal, cell)
    gap_shear = _weighted(shear, corner) - _weighted_compliance(flow.shear, corner)
    return _root((_square(gap_normal) + _square(gap_shear)) / _on_crystals(batch, spacing))


def rigidity(flow: Flow, batch: Batch, spacing: Spacing) -> Tensor:
    """Strain rate inside crystals over the isoviscous one there (sample).

    Where crystals fill cells and corners; it vanishes for rigid ones and means little for
    contrasts below 100. Needs no solution.
    """
    inside = _filled(batch)
    found = strain_of_velocity(flow.velocity_x, flow.velocity_z, *spacing)
    driven = operators.strain_rate(batch.isoviscous, *spacing)
    left, whole = (
        sum(_square(part * filled) for part, filled in zip(rates, inside, strict=True))
        for rates in (found, driven)
    )
    return _root(torch.as_tensor(left) / _safe(torch.as_tensor(whole)))


def misfit(flow: Flow, batch: Batch, spacing: Spacing) -> Tensor:
    """An error flag that needs no solution: `constitutive` if it can be had, else `rigidity`."""
    known = flow.normal is not None
    return (constitutive if known else rigidity)(flow, batch, spacing)


def crystals(flow: Flow, batch: Batch, spacing: Spacing) -> Tensor:
    """Error of the crystals' mean velocities over the largest, root mean square (sample)."""
    found, true = (
        crystal_velocities(*pair, batch, spacing)
        for pair in (
            (flow.velocity_x, flow.velocity_z),
            (batch.velocity_x, batch.velocity_z),
        )
    )
    present = (batch.crystals[..., 2] > 0).to(found.dtype)
    largest = true.square().sum(dim=-1).amax(dim=-1)
    error = ((found - true).square().sum(dim=-1) * present).sum(dim=-1)
    return _root(error / (_safe(largest) * present.sum(dim=-1).clamp(min=1.0)))


LOSSES: Mapping[str, Term] = {
    "velocity": velocity,
    "strain": strain,
    "mean_square": mean_square,
    "divergence": divergence,
    "momentum": momentum,
    "constitutive": constitutive,
    "rigidity": rigidity,
    "crystals": crystals,
}
"""Terms of the loss of `TorchSurrogate`; the option ``NAME_weight`` is the weight of each."""


def total(
    flow: Flow,
    batch: Batch,
    spacing: Spacing,
    options: Any,
    terms: Mapping[str, Term] = LOSSES,
) -> Tensor:
    """Sum of the terms with the weights of the options (sample).

    Raises
    ------
    OptionError
        If a term has no option for its weight, or all weights are zero.
    """
    known = {field.name for field in dataclasses.fields(options)}
    if missing := [name for name in terms if f"{name}_weight" not in known]:
        raise OptionError(
            f"the loss has a term '{missing[0]}', but {type(options).__name__} no option "
            f"'{missing[0]}_weight'"
        )
    weights = {name: getattr(options, f"{name}_weight") for name in terms}
    parts = [
        weight * terms[name](flow, batch, spacing) for name, weight in weights.items() if weight
    ]
    if not parts:
        raise OptionError("options model.*_weight: all are zero; expected one at least")
    return torch.stack(parts).sum(dim=0)


def relative_l2(velocity_x: Tensor, velocity_z: Tensor, true_x: Tensor, true_z: Tensor) -> Tensor:
    """``||v - v_true|| / ||v_true||`` over all faces (sample)."""
    error = _square(velocity_x - true_x) + _square(velocity_z - true_z)
    return _root(error / _safe(_square(true_x) + _square(true_z)))


def relative_strain(
    velocity_x: Tensor, velocity_z: Tensor, true_x: Tensor, true_z: Tensor, hx: float, hz: float
) -> Tensor:
    """The same for the strain rate (sample)."""
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


def crystal_velocities(
    velocity_x: Tensor, velocity_z: Tensor, batch: Batch, spacing: Spacing
) -> Tensor:
    """Mean velocity over the cells of each crystal (sample, crystal, 2).

    The velocity of a cell is the mean of its faces, the weight the eighth power of its rigidity, so
    that cells which move partly with the magma hardly count; a cell counts for the crystal that is
    nearest to its centre.
    """
    hx, hz = spacing
    nz, nx = batch.rigidity_cell.shape[-2:]
    x = (torch.arange(nx, device=velocity_x.device) - 0.5 * (nx - 1)) * hx
    z = ((torch.arange(nz, device=velocity_x.device) - 0.5 * (nz - 1)) * hz)[:, None]
    at_x, at_z, radius = (batch.crystals[..., j, None, None] for j in range(3))
    distance = torch.hypot(x - at_x, z - at_z) - radius
    distance = torch.where(radius > 0, distance, torch.full_like(distance, torch.inf))
    weight = (distance == distance.amin(dim=1, keepdim=True)) * batch.rigidity_cell[:, None] ** 8
    weight = weight / weight.sum(dim=(-2, -1), keepdim=True).clamp(min=1e-12)
    cells = torch.stack(operators.at_centres(velocity_x, velocity_z), dim=-1)
    return torch.einsum("skzx,szxc->skc", weight, cells)


def _weighted(strain_rate: Tensor, rigidity: Tensor) -> Tensor:
    return rigidity.clamp(min=0.0).sqrt() * strain_rate


def _weighted_compliance(stress: Tensor, rigidity: Tensor) -> Tensor:
    """``sqrt(rigidity) (1 - rigidity) / rigidity * stress``, zero where there is no crystal."""
    safe = rigidity.clamp(min=1e-4)
    return torch.where(rigidity > 0, (1.0 - safe) / safe.sqrt() * stress, 0.0)


def _filled(batch: Batch) -> tuple[Tensor, Tensor]:
    """One on cells and interior corners inside crystals, zero where magma has a share."""
    cell, corner = batch.rigidity_cell, batch.rigidity_corner[:, 1:-1, 1:-1]
    return (cell > 0.99).to(cell.dtype), (corner > 0.99).to(corner.dtype)


def _on_crystals(batch: Batch, spacing: Spacing) -> Tensor:
    """Squared isoviscous strain rate on crystals (sample)."""
    normal, shear = operators.strain_rate(batch.isoviscous, *spacing)
    corner = batch.rigidity_corner[:, 1:-1, 1:-1]
    inside = _square(_weighted(normal, batch.rigidity_cell)) + _square(_weighted(shear, corner))
    return _safe(inside)


def _driving(batch: Batch, spacing: Spacing) -> Tensor:
    """Squared isoviscous strain rate everywhere (sample)."""
    normal, shear = operators.strain_rate(batch.isoviscous, *spacing)
    return _safe(_square(normal) + _square(shear))


def _square(values: Tensor) -> Tensor:
    return (values * values).sum(dim=(-2, -1))


def _root(ratio: Tensor) -> Tensor:
    # The slope of the root at zero is infinite: one exact sample would make all weights NaN.
    return torch.sqrt(ratio.clamp(min=1e-24))


def _safe(norm: Tensor) -> Tensor:
    return norm.clamp(min=1e-12)
