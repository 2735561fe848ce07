"""The built-in solver: one sample after another, one thread."""

from __future__ import annotations

import time

import numpy as np
import xarray as xr

from crystalsim import Grid, make_solutions
from crystalsim.cases import Case
from crystalsim.scene import Scene, scenes
from crystalsim.schema import VARIABLES
from crystalsim.stokes.extra_stress import ExtraStressSystem
from crystalsim.stokes.operators import pad_walls, velocity

from . import conjugate_gradients
from .plugin import BuiltinOptions

FIELDS = (
    "crystal_fraction",
    "phase",
    "velocity_x",
    "velocity_z",
    "pressure",
    "stream_function",
)


class BuiltinSolver:
    """Stokes flow on a staggered grid with free slip on all walls.

    The stream function on cell corners makes the velocity divergence-free to rounding. Crystals
    enter through exact area fractions and harmonic means of the viscosity, and act as an extra
    stress that conjugate gradients find with one isoviscous solve (two fast sine transforms) an
    iteration; see `crystalsim.stokes.extra_stress`. Crystals may be as much more
    viscous than the magma as one likes, rigid (infinite viscosity) or weaker; weak ones take more
    iterations, because the extra stress is then that of everything else.

    Parameters
    ----------
    options
        See ``crystalsim describe solver builtin``.
    """

    def __init__(self, options: BuiltinOptions | None = None) -> None:
        self.options = options or BuiltinOptions()

    def solve(self, cases: xr.Dataset) -> xr.Dataset:
        """Solve all samples; see `crystalsim.contracts.Solver`."""
        grid = Grid.from_dataset(cases)
        samples = cases.sizes["sample"]
        fields = {
            name: np.zeros(
                [cases.sizes[dim] for dim in VARIABLES[name].dims],
                dtype=np.int16 if name == "phase" else self._dtype,
            )
            for name in FIELDS
        }
        report = {
            "converged": np.zeros(samples, dtype=bool),
            "residual": np.zeros(samples),
            "iterations": np.zeros(samples, dtype=np.int32),
            "wall_time": np.zeros(samples),
        }
        start = time.perf_counter()
        for i, (case, scene) in enumerate(scenes(cases, grid, self.options.average)):
            solution, result = self._solve_one(case, scene, grid)
            for name, values in solution.items():
                fields[name][i] = values
            report["converged"][i] = result.residual <= self.options.tolerance
            report["residual"][i] = result.residual
            report["iterations"][i] = result.iterations
            start, before = time.perf_counter(), start
            report["wall_time"][i] = start - before
        source = f"crystalsim-builtin, {self.options.average} means of the viscosity"
        return make_solutions(cases, {**fields, **report}, attributes={"source": source})

    @property
    def _dtype(self) -> type[np.floating]:
        return np.float32 if self.options.precision == "single" else np.float64

    def _solve_one(
        self, case: Case, scene: Scene, grid: Grid
    ) -> tuple[dict[str, np.ndarray], conjugate_gradients.Result]:
        system = ExtraStressSystem(
            scene,
            grid,
            # The weakest medium as reference keeps the operator positive definite.
            reference_viscosity=min(scene.viscosity_cell.min(), scene.viscosity_corner.min()),
            gravity=case.gravity,
            dtype=self._dtype,
        )
        result = conjugate_gradients.solve(
            system, self.options.tolerance, self.options.maximum_iterations
        )
        units = system.scales
        psi = pad_walls(result.stream_function).astype(np.float64) * units.velocity * units.length
        velocity_x, velocity_z = velocity(psi, grid.hx, grid.hz)
        pressure = system.pressure(result.stream_function, result.extra_stress) * units.stress
        return {
            "crystal_fraction": scene.fraction,
            "phase": scene.phase,
            "stream_function": psi,
            "velocity_x": velocity_x,
            "velocity_z": velocity_z,
            "pressure": pressure,
        }, result
