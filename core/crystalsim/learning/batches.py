"""Samples as tensors, and the dimensionless features that networks see.

Networks live on cell corners ``(nz + 1, nx + 1)``: nested grids, so that a stride of two keeps the
mirror symmetries, and the home of the stream function. Lengths are in units of half the height of
the domain, velocities in units of the sample's rms isoviscous velocity: the prediction is then
exactly invariant to units and to the size of the density contrasts.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..datasets.cases import iterate_cases
from ..datasets.scenes import average_of
from ..datasets.schema import GIVEN_FIELDS
from ..datasets.solutions import require_free_slip
from ..errors import UnsupportedError
from ..scene.grid import Grid
from ..scene.means import Average
from ..scene.painting import rasterise
from ..stokes.extra_stress import unit_grid
from ..stokes.isoviscous import isoviscous_operator
from ..stokes.operators import buoyancy_curl, pad_walls, strain_rate, velocity

__all__ = ["Batch", "FEATURES"]

FEATURES = 16
"""Number of channels that `features` makes."""


class Batch(NamedTuple):
    """Samples as tensors in single precision, in the units of this module.

    Attributes
    ----------
    rigidity_cell, rigidity_corner
        ``1 - matrix_viscosity / viscosity`` (sample, nz, nx) and (sample, nz + 1, nx + 1): the area
        fraction of crystals, less for crystals that are hardly more viscous.
    crystals
        Position from the centre of the domain and radius, ``x, z, radius`` (sample, crystal, 3); a
        radius of zero where there is none.
    stokes_velocity
        Of a sphere like the first crystal, ``2/9 drho g radius**2 / viscosity``, without its sign
        (sample); one where that is zero.
    isoviscous
        Stream function without viscosity contrast (sample, nz + 1, nx + 1).
    velocity_x, velocity_z
        The true velocity (sample, nz, nx + 1) and (sample, nz + 1, nx); empty for prediction.
    """

    rigidity_cell: Tensor
    rigidity_corner: Tensor
    crystals: Tensor
    stokes_velocity: Tensor
    isoviscous: Tensor
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
        fields = ("rigidity_cell", "rigidity_corner", "isoviscous", "velocity_x", "velocity_z")
        flipped = {name: torch.flip(getattr(self, name), axes) for name in fields}
        if in_x:
            flipped["isoviscous"] = -flipped["isoviscous"]
        if not (in_x and in_z):
            flipped["velocity_x"] = -flipped["velocity_x"]
        signs = [-1.0 if in_x else 1.0, -1.0 if in_z else 1.0, 1.0]
        return self._replace(**flipped, crystals=self.crystals * self.crystals.new_tensor(signs))


class Prepared(NamedTuple):
    """A batch with what turns its units back into SI.

    Attributes
    ----------
    batch
        The samples.
    isoviscous
        As in `Batch`, in double precision (sample, z_face, x_face) [m2 s-1].
    density_face
        Density anomaly on (sample, z_face, x) [kg m-3].
    velocity_scale
        Rms isoviscous velocity (sample) [m s-1], 1 where nothing moves.
    stress_scale
        Viscosity of the matrix times that over half the height (sample) [Pa].
    gravity
        Of each sample [m s-2].
    grid
        The grid in SI units.
    """

    batch: Batch
    isoviscous: np.ndarray
    density_face: np.ndarray
    velocity_scale: np.ndarray
    stress_scale: np.ndarray
    gravity: np.ndarray
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


def prepare(
    dataset: xr.Dataset, *, with_solution: bool, average: Average | None = None
) -> Prepared:
    """Make tensors from cases, or from solutions with the true velocity.

    Parameters
    ----------
    dataset
        Of kind ``"cases"``, or ``"solutions"`` if `with_solution`.
    with_solution
        Whether to include the true velocity.
    average
        Mean of the viscosity at the crystals' edges; that of the dataset if None, see
        `crystalsim.datasets.scenes.average_of`.

    Raises
    ------
    UnsupportedError
        If media are given on the grid, as surrogates see crystals alone, or if walls are not
        free-slip.
    """
    require_free_slip(dataset, "surrogates")
    if given := [name for name in GIVEN_FIELDS if name in dataset.variables]:
        raise UnsupportedError(f"surrogates take crystals, not variable '{given[0]}' on the grid")
    grid, average = Grid.from_dataset(dataset), average or average_of(dataset)
    samples, length = _paint(dataset, grid, average), 0.5 * grid.height
    velocity_x, velocity_z = velocity(samples.isoviscous, grid.hx, grid.hz)
    squares = (velocity_x**2).mean(axis=(1, 2)) + (velocity_z**2).mean(axis=(1, 2))
    scale = np.sqrt(squares)
    scale[scale == 0] = 1.0
    stokes = np.where(samples.stokes_velocity == 0, scale, samples.stokes_velocity)
    over = scale[:, None, None]
    empty = np.zeros((scale.size, 0, 0), dtype=np.float32)
    batch = Batch(
        torch.from_numpy(samples.rigidity_cell),
        torch.from_numpy(samples.rigidity_corner),
        torch.from_numpy(samples.crystals),
        _single(stokes / scale),
        _single(samples.isoviscous / (over * length)),
        _single(dataset["velocity_x"].values / over if with_solution else empty),
        _single(dataset["velocity_z"].values / over if with_solution else empty),
    )
    stress = samples.viscosity * scale / length
    return Prepared(
        batch, samples.isoviscous, samples.density_face, scale, stress, samples.gravity, grid
    )


class _Painted(NamedTuple):
    """Samples on the grid in SI units; rigidities and crystals as in `Batch`."""

    rigidity_cell: np.ndarray
    rigidity_corner: np.ndarray
    crystals: np.ndarray
    isoviscous: np.ndarray
    density_face: np.ndarray
    viscosity: np.ndarray
    gravity: np.ndarray
    stokes_velocity: np.ndarray


def _paint(dataset: xr.Dataset, grid: Grid, average: Average) -> _Painted:
    """Paint all samples and solve them without viscosity contrast."""
    operator, length = isoviscous_operator(grid), 0.5 * grid.height
    samples, nz, nx = dataset.sizes["sample"], grid.nz, grid.nx
    painted = _Painted(
        np.zeros((samples, nz, nx), dtype=np.float32),
        np.zeros((samples, nz + 1, nx + 1), dtype=np.float32),
        np.zeros((samples, dataset.sizes["crystal"], 3), dtype=np.float32),
        np.zeros((samples, nz + 1, nx + 1)),
        np.zeros((samples, nz + 1, nx)),
        *(np.zeros(samples) for _ in range(3)),
    )
    middle = 0.5 * (grid.x_min + grid.x_max), 0.5 * (grid.z_min + grid.z_max)
    for i, case in enumerate(iterate_cases(dataset)):
        scene = rasterise(case, grid, average)
        painted.rigidity_cell[i] = 1.0 - case.matrix_viscosity / scene.viscosity_cell
        painted.rigidity_corner[i] = 1.0 - case.matrix_viscosity / scene.viscosity_corner
        painted.density_face[i] = scene.density_face
        painted.viscosity[i], painted.gravity[i] = case.matrix_viscosity, case.gravity
        curl = buoyancy_curl(scene.density_face, grid.hx) * (-case.gravity / case.matrix_viscosity)
        painted.isoviscous[i] = pad_walls(operator.solve(curl))
        if case.x.size:
            place = np.stack([case.x - middle[0], case.z - middle[1], case.radius], axis=1)
            painted.crystals[i, : case.x.size] = place / length
            weight = abs(case.density_contrast[0]) * case.gravity * case.radius[0] ** 2
            painted.stokes_velocity[i] = 2.0 / 9.0 * weight / case.matrix_viscosity
    return painted


def features(batch: Batch, response: Tensor, hx: float, hz: float) -> Tensor:
    """Input channels on corners (sample, FEATURES, nz + 1, nx + 1), each of order one.

    Parameters
    ----------
    batch
        The samples.
    response
        Of the crystals as if each were alone (sample, nz + 1, nx + 1), see `transport.dilute`.
    hx, hz
        Cell sizes in units of half the height.
    """
    psi = batch.isoviscous
    rows, columns = psi.shape[-2:]
    # Cosines vanish on the walls and are even, so that a mirrored sample has mirrored features.
    along_x = torch.linspace(-0.5 * math.pi, 0.5 * math.pi, columns, device=psi.device).cos()
    along_z = torch.linspace(-0.5 * math.pi, 0.5 * math.pi, rows, device=psi.device).cos()
    distance = distance_to_crystals(batch, hx, hz)
    channels = [
        batch.rigidity_corner,
        _to_corners(batch.rigidity_cell),
        torch.exp(-distance.clamp(min=-0.2) / 0.1),
        torch.tanh(distance / 0.3),
        along_x.expand_as(psi),
        along_z[:, None].expand_as(psi),
    ]
    for flow, size in ((psi, 1.0), (response, 5.0)):
        velocity_x, velocity_z = velocity(flow, hx, hz)
        normal, shear = strain_rate(flow, hx, hz)
        channels += [
            4.0 * size * flow,
            0.5 * size * average(velocity_x, -2),
            0.5 * size * average(velocity_z, -1),
            0.1 * _to_corners(normal),
            0.1 * pad_walls(shear),
        ]
    return torch.stack(channels, dim=1)


def distance_to_crystals(batch: Batch, hx: float, hz: float) -> Tensor:
    """Distance of each corner to the nearest surface, negative inside (sample, nz + 1, nx + 1)."""
    rows, columns = batch.isoviscous.shape[-2:]
    device = batch.isoviscous.device
    x = (torch.arange(columns, device=device) - 0.5 * (columns - 1)) * hx
    z = ((torch.arange(rows, device=device) - 0.5 * (rows - 1)) * hz)[:, None]
    nearest = torch.full_like(batch.isoviscous, 2.0)
    for k in range(batch.crystals.shape[1]):
        at_x, at_z, radius = (batch.crystals[:, k, j, None, None] for j in range(3))
        there = torch.hypot(x - at_x, z - at_z) - radius
        nearest = torch.where(radius > 0, torch.minimum(nearest, there), nearest)
    return nearest


def average(values: Tensor, axis: int) -> Tensor:
    """Mean of neighbours along an axis, which grows by one; the nearest value at its ends."""
    low = torch.cat([values.narrow(axis, 0, 1), values], axis)
    high = torch.cat([values, values.narrow(axis, values.shape[axis] - 1, 1)], axis)
    return 0.5 * (low + high)


def _to_corners(cells: Tensor) -> Tensor:
    return average(average(cells, -1), -2)


def _single(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
