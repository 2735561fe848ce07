"""Samples as tensors, and the dimensionless features that networks see.

Networks live on cell corners ``(nz + 1, nx + 1)``: nested grids, so that a stride of two keeps the
mirror symmetries, and the home of the stream function. Lengths are in units of half the height of
the domain, velocities in units of the sample's rms isoviscous velocity: the prediction is then
exactly invariant to units and to the size of the density contrasts.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..cases import Case, iterate_cases
from ..grid import Grid
from ..scene import rasterise
from ..stokes.extra_stress import ExtraStressSystem, unit_grid
from ..stokes.operators import pad_walls, strain_rate, velocity

FEATURES = 16
"""Number of channels that `features` makes."""


class Batch(NamedTuple):
    """Samples as tensors in single precision, in the units of this module.

    Attributes
    ----------
    rigidity_cell, rigidity_corner
        ``1 - matrix_viscosity / viscosity`` (sample, nz, nx) and (sample, nz + 1, nx + 1): the area
        fraction of crystals, less for crystals that are hardly more viscous.
    distance
        To the surface of the nearest crystal, negative inside (sample, nz + 1, nx + 1).
    isoviscous
        Stream function without viscosity contrast (sample, nz + 1, nx + 1).
    response
        Stream function that each crystal adds as if it were alone, summed up: the response to the
        extra stress of a disc in a uniform strain (sample, nz + 1, nx + 1).
    velocity_x, velocity_z
        The true velocity (sample, nz, nx + 1) and (sample, nz + 1, nx); empty for prediction.
    """

    rigidity_cell: Tensor
    rigidity_corner: Tensor
    distance: Tensor
    isoviscous: Tensor
    response: Tensor
    velocity_x: Tensor
    velocity_z: Tensor

    @property
    def moving(self) -> Tensor:
        """One for samples that flow, zero for those where nothing drives it (sample, 1, 1, 1)."""
        flows = (self.isoviscous != 0).flatten(1).any(dim=1)
        return flows.to(self.isoviscous.dtype)[:, None, None, None]

    def select(self, index: Tensor | slice) -> Batch:
        """Take some of the samples."""
        return Batch(*(tensor[index] for tensor in self))

    def to(self, device: torch.device) -> Batch:
        """Move to a device."""
        return Batch(*(tensor.to(device) for tensor in self))

    def mirrored(self, in_x: bool, in_z: bool) -> Batch:
        """Mirror all samples: the exact symmetries of the problem.

        In x the stream function changes sign. In z it is kept: the mirror turns gravity over, and
        the reversed flow turns it back.
        """
        axes = [axis for axis, wanted in ((-1, in_x), (-2, in_z)) if wanted]
        if not axes:
            return self
        flipped = Batch(*(torch.flip(tensor, axes) for tensor in self))
        return flipped._replace(
            isoviscous=-flipped.isoviscous if in_x else flipped.isoviscous,
            response=-flipped.response if in_x else flipped.response,
            velocity_x=flipped.velocity_x if in_x and in_z else -flipped.velocity_x,
        )


class Prepared(NamedTuple):
    """A batch with what turns its units back into SI.

    Attributes
    ----------
    batch
        The samples.
    isoviscous, response
        As in `Batch`, in double precision (sample, z_face, x_face) [m2 s-1].
    velocity_scale
        Rms isoviscous velocity (sample) [m s-1], 1 where nothing moves.
    grid
        The grid in SI units.
    """

    batch: Batch
    isoviscous: np.ndarray
    response: np.ndarray
    velocity_scale: np.ndarray
    grid: Grid

    @property
    def spacing(self) -> tuple[float, float]:
        """Cell sizes ``(hx, hz)`` in units of half the height."""
        unit = unit_grid(self.grid)
        return unit.hx, unit.hz

    @property
    def length(self) -> float:
        """Half the height of the domain [m]."""
        return 0.5 * self.grid.height


def prepare(dataset: xr.Dataset, *, with_solution: bool) -> Prepared:
    """Make tensors from cases, or from solutions with the true velocity.

    Parameters
    ----------
    dataset
        Of kind ``"cases"``, or ``"solutions"`` if `with_solution`.
    with_solution
        Whether to include the true velocity.
    """
    grid = Grid.from_dataset(dataset)
    samples, nz, nx = dataset.sizes["sample"], grid.nz, grid.nx
    cell = np.zeros((samples, nz, nx), dtype=np.float32)
    corner = np.zeros((samples, nz + 1, nx + 1), dtype=np.float32)
    distance = np.zeros_like(corner)
    psi, response = (np.zeros((samples, nz + 1, nx + 1)) for _ in range(2))
    for i, case in enumerate(iterate_cases(dataset)):
        scene = rasterise(case, grid)
        cell[i] = 1.0 - case.matrix_viscosity / scene.viscosity_cell
        corner[i] = 1.0 - case.matrix_viscosity / scene.viscosity_corner
        distance[i] = _distance(case, grid)
        system = ExtraStressSystem(
            scene, grid, reference_viscosity=case.matrix_viscosity, gravity=case.gravity
        )
        unit = system.scales.velocity * system.scales.length
        psi[i] = unit * pad_walls(system.isoviscous)
        response[i] = -unit * pad_walls(system.response(system.dilute()))
    velocity_x, velocity_z = velocity(psi, grid.hx, grid.hz)
    squares = (velocity_x**2).mean(axis=(1, 2)) + (velocity_z**2).mean(axis=(1, 2))
    scale = np.sqrt(squares)
    scale[scale == 0] = 1.0
    over = scale[:, None, None]
    empty = np.zeros((samples, 0, 0), dtype=np.float32)
    batch = Batch(
        torch.from_numpy(cell),
        torch.from_numpy(corner),
        torch.from_numpy(distance),
        _single(psi / (over * 0.5 * grid.height)),
        _single(response / (over * 0.5 * grid.height)),
        _single(dataset["velocity_x"].values / over if with_solution else empty),
        _single(dataset["velocity_z"].values / over if with_solution else empty),
    )
    return Prepared(batch, psi, response, scale, grid)


def features(batch: Batch, hx: float, hz: float) -> Tensor:
    """Input channels on corners (sample, FEATURES, nz + 1, nx + 1), each of order one."""
    psi = batch.isoviscous
    rows, columns = psi.shape[-2:]
    # Cosines vanish on the walls and are even, so that a mirrored sample has mirrored features.
    along_x = torch.linspace(-0.5 * math.pi, 0.5 * math.pi, columns, device=psi.device).cos()
    along_z = torch.linspace(-0.5 * math.pi, 0.5 * math.pi, rows, device=psi.device).cos()
    channels = [
        batch.rigidity_corner,
        _to_corners(batch.rigidity_cell),
        torch.exp(-batch.distance.clamp(min=-0.2) / 0.1),
        torch.tanh(batch.distance / 0.3),
        along_x.expand_as(psi),
        along_z[:, None].expand_as(psi),
    ]
    for flow, size in ((psi, 1.0), (batch.response, 5.0)):
        velocity_x, velocity_z = velocity(flow, hx, hz)
        normal, shear = strain_rate(flow, hx, hz)
        channels += [
            4.0 * size * flow,
            0.5 * size * _average(velocity_x, -2),
            0.5 * size * _average(velocity_z, -1),
            0.1 * _to_corners(normal),
            0.1 * pad_walls(shear),
        ]
    return torch.stack(channels, dim=1)


def background(batch: Batch | Prepared, kind: str) -> Any:
    """Stream function of the flow that a network corrects; see `SurrogateOptions.background`."""
    if kind == "none":
        return 0.0 * batch.isoviscous
    return batch.isoviscous + batch.response if kind == "dilute" else batch.isoviscous


def _average(values: Tensor, axis: int) -> Tensor:
    """Mean of neighbours along an axis, which grows by one; the nearest value at its ends."""
    low = torch.cat([values.narrow(axis, 0, 1), values], axis)
    high = torch.cat([values, values.narrow(axis, values.shape[axis] - 1, 1)], axis)
    return 0.5 * (low + high)


def _to_corners(cells: Tensor) -> Tensor:
    return _average(_average(cells, -1), -2)


def _single(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _distance(case: Case, grid: Grid) -> np.ndarray:
    """Signed distance of each corner to the nearest crystal, over half the height."""
    nearest = np.full((grid.nz + 1, grid.nx + 1), grid.height)
    for x, z, radius in zip(case.x, case.z, case.radius, strict=True):
        there = np.hypot(grid.x_face - x, (grid.z_face - z)[:, None]) - radius
        np.minimum(nearest, there, out=nearest)
    return nearest / (0.5 * grid.height)
