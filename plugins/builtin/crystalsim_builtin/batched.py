"""Many samples at once in torch: the same equations and iteration, for a GPU.

Fields cover the whole grid, with zeros where there is no extra stress: on a GPU that is simpler and
cheaper than a support of its own for each sample. Every sample has its own step lengths and stops
by itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from crystalsim import Grid
from crystalsim.scene.painting import Scene
from crystalsim.stokes.extra_stress import Scales, scales, unit_grid
from crystalsim.stokes.operators import (
    buoyancy_curl,
    force,
    pad_walls,
    strain_rate,
    strain_rate_adjoint,
)
from crystalsim.stokes.torch_isoviscous import TorchIsoviscousOperator

from .conjugate_gradients import PATIENCE
from .error_estimate import ErrorEstimate
from .preconditioners import SHIFT, Diagonal


class BatchResult(NamedTuple):
    """What the iteration reached, in SI units.

    Attributes
    ----------
    stream_function, pressure
        (sample, z_face, x_face) and (sample, z, x).
    iterations, error, residual
        (sample); see `conjugate_gradients.Result`.
    scales
        Units of each sample.
    """

    stream_function: np.ndarray
    pressure: np.ndarray
    iterations: np.ndarray
    error: np.ndarray
    residual: np.ndarray
    scales: list[Scales]


class BatchedSystem:
    """Equations of the extra stress for several scenes on one grid.

    Vectors hold cells first, then interior corners (sample, nz * nx + (nz - 1) * (nx - 1)).

    Parameters
    ----------
    scenes
        Viscosity and density, in SI units.
    gravity
        Of each scene [m s-2].
    grid
        Their grid.
    device, dtype
        Where and how to compute.
    """

    def __init__(
        self,
        scenes: list[Scene],
        gravity: list[float],
        grid: Grid,
        device: torch.device | str,
        dtype: torch.dtype,
    ) -> None:
        unit = unit_grid(grid)
        self._hx, self._hz, self._cells = unit.hx, unit.hz, grid.nz * grid.nx
        self._shape = (len(scenes), grid.nz, grid.nx)
        self._operator = TorchIsoviscousOperator(unit, device=device, dtype=dtype)
        weakest = [min(s.viscosity_cell.min(), s.viscosity_corner.min()) for s in scenes]
        self.scales = [
            scales(s, grid, eta, g) for s, eta, g in zip(scenes, weakest, gravity, strict=True)
        ]

        def move(arrays: list[np.ndarray]) -> Tensor:
            return torch.from_numpy(np.stack(arrays)).to(device, dtype)

        driven = [
            float(g > 0) * s.density_face / u.density
            for s, g, u in zip(scenes, gravity, self.scales, strict=True)
        ]
        self._density = move(driven)
        excess = [_excess(s, eta) for s, eta in zip(scenes, weakest, strict=True)]
        # Formed in double precision: single has no place for a crystal's graze of a cell.
        support = [values > 0 for values in excess]
        self.support = move([np.where(s, 1.0, 0.0) for s in support])
        safe = [np.where(s, values, 1.0) for s, values in zip(support, excess, strict=True)]
        self.compliance = move([1.0 / values for values in safe]) * self.support
        self.driving = -buoyancy_curl(self._density, self._hx)
        self.isoviscous = self._operator.solve(self.driving)
        self.right_hand_side = self.gather(self.isoviscous)

    def gather(self, psi: Tensor) -> Tensor:
        """Strain rate where there is extra stress (sample, vector)."""
        normal, shear = strain_rate(pad_walls(psi), self._hx, self._hz)
        return torch.cat([normal.flatten(1), shear.flatten(1)], dim=1) * self.support

    def scatter(self, stress: Tensor) -> tuple[Tensor, Tensor]:
        """Fields on cells and interior corners of a vector."""
        samples, nz, nx = self._shape
        return (
            stress[:, : self._cells].reshape(samples, nz, nx),
            stress[:, self._cells :].reshape(samples, nz - 1, nx - 1),
        )

    def response(self, stress: Tensor) -> Tensor:
        """Stream function that an extra stress takes away (sample, nz - 1, nx - 1)."""
        curl = strain_rate_adjoint(*self.scatter(stress), self._hx, self._hz)
        return self._operator.solve(curl)

    def apply(self, stress: Tensor) -> Tensor:
        """Apply the operator."""
        return self.compliance * stress + self.gather(self.response(stress))

    def pressure(self, stress: Tensor) -> Tensor:
        """Pressure (sample, nz, nx) in units of each sample's stress; see `ExtraStressSystem`."""
        extra = self.scatter(stress)
        return self._operator.pressure(*force(*extra, self._density, 1.0, self._hx, self._hz))


def solve_batch(
    scenes: list[Scene],
    gravity: list[float],
    grid: Grid,
    *,
    tolerance: float,
    maximum_iterations: int,
    device: torch.device | str,
    dtype: torch.dtype,
) -> BatchResult:
    """Solve several scenes by conjugate gradients with the diagonal preconditioner.

    See `conjugate_gradients` for the iteration and its end, and `strategy.solve_systems` for the
    check of what rounding has done.
    """
    system = BatchedSystem(scenes, gravity, grid, device, dtype)
    residual = system.right_hand_side.clone()
    stress = torch.zeros_like(residual)
    inverse = system.support / (system.compliance + SHIFT)
    direction = inverse * residual
    size = _dot(residual, direction)
    work = _dot(system.driving.flatten(1), system.isoviscous.flatten(1))
    estimates = [
        ErrorEstimate(w, r, Diagonal.caution, Diagonal.bounded)
        for w, r in zip(work.tolist(), size.tolist(), strict=True)
    ]
    best, smallest = stress.clone(), size.clone()
    since, iterations = torch.zeros_like(size), torch.zeros_like(size)
    for _ in range(maximum_iterations):
        unsolved = torch.tensor([e.relative > tolerance for e in estimates], device=device)
        going = unsolved & (since < PATIENCE)
        if not bool(going.any()):
            break
        image = system.apply(direction)
        curvature = _dot(direction, image)
        step = torch.where(going & (curvature > 0), size / _safe(curvature), 0.0)
        stress += step[:, None] * direction
        residual -= step[:, None] * image
        scaled = inverse * residual
        last, size = size, torch.where(going, _dot(residual, scaled), size)
        direction = scaled + (size / _safe(last))[:, None] * direction
        iterations += going
        better = size < smallest
        since = torch.where(better, 0.0, since + 1)
        smallest = torch.where(better, size, smallest)
        best = torch.where(better[:, None], stress, best)
        numbers = zip(going.tolist(), (step * last).tolist(), size.tolist(), strict=True)
        for estimate, (changed, decrease, after) in zip(estimates, numbers, strict=True):
            if changed:
                estimate.step(decrease, after)
    best = torch.where((since < PATIENCE)[:, None], stress, best)
    psi = system.isoviscous - system.response(best)
    misfit = system.gather(psi) - system.compliance * best
    work = _dot(system.driving.flatten(1), psi.flatten(1))
    missed = (_dot(misfit, inverse * misfit) / _safe(work)).cpu().numpy().astype(np.float64)
    recursive = np.array([estimate.residual for estimate in estimates])
    error = np.array([estimate.relative for estimate in estimates])
    error = np.sqrt(error**2 + np.maximum(0.0, missed - recursive**2))
    units = system.scales
    psi_scale = np.array([u.velocity * u.length for u in units])[:, None, None]
    pressure_scale = np.array([u.stress for u in units])[:, None, None]
    pressure = system.pressure(best)
    return BatchResult(
        pad_walls(psi).cpu().numpy().astype(np.float64) * psi_scale,
        pressure.cpu().numpy().astype(np.float64) * pressure_scale,
        iterations.cpu().numpy().astype(np.int32),
        error,
        np.sqrt(missed),
        units,
    )


def _excess(scene: Scene, reference_viscosity: float) -> np.ndarray:
    """Viscosity over that of the reference, less one, as a vector."""
    corner = scene.viscosity_corner[1:-1, 1:-1]
    return (
        np.concatenate([scene.viscosity_cell.ravel(), corner.ravel()]) / reference_viscosity - 1.0
    )


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=1)


def _safe(values: Tensor) -> Tensor:
    """Keep samples in which nothing moves from dividing by zero."""
    return torch.where(values > 0, values, torch.ones_like(values))
