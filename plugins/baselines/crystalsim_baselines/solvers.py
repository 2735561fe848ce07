"""Models that ask a solver for less than the whole answer."""

from __future__ import annotations

import time

import numpy as np
import xarray as xr
from scipy.interpolate import RectBivariateSpline

import crystalsim
from crystalsim import Grid, iterate_cases
from crystalsim.contracts import IterationBudget
from crystalsim.datasets.cases import each_alone
from crystalsim.errors import OptionError
from crystalsim.stokes.operators import velocity

from .base import Baseline
from .plugin import BaselineOptions, EarlyStoppedOptions


class SolverBaseline(Baseline):
    """A baseline that knows a stream function, and by it the velocity."""

    options_class = BaselineOptions

    def stream_function(self, cases: xr.Dataset) -> np.ndarray:
        """Stream function of all samples (sample, z_face, x_face) [m2 s-1]."""
        raise NotImplementedError

    def fields(self, cases: xr.Dataset) -> dict[str, np.ndarray]:
        """See `Baseline.fields`."""
        start = time.perf_counter()
        psi = self.stream_function(cases)
        spent = (time.perf_counter() - start) / max(1, cases.sizes["sample"])
        grid = Grid.from_dataset(cases)
        velocity_x, velocity_z = velocity(psi, grid.hx, grid.hz)
        return {
            "velocity_x": velocity_x,
            "velocity_z": velocity_z,
            "stream_function": psi,
            "wall_time": np.full(cases.sizes["sample"], spent),
        }


class EarlyStopped(SolverBaseline):
    """A solver that stops after a few iterations, converged or not.

    What a surrogate has to beat at equal time: with extra-stress conjugate gradients three
    iterations leave an error of 0.3 %.
    """

    options_class = EarlyStoppedOptions

    def stream_function(self, cases: xr.Dataset) -> np.ndarray:
        """See `SolverBaseline.stream_function`."""
        solver = crystalsim.get("solver", self.options.solver)
        if not isinstance(solver, IterationBudget):
            raise OptionError(
                f"option model.solver = '{self.options.solver}': it cannot be told when to stop"
            )
        limited = solver.limited(iterations=self.options.iterations)
        return np.asarray(limited.solve(cases)["stream_function"].values)


class HalfGrid(SolverBaseline):
    """A solver on cells twice as large; its stream function by bicubic splines.

    An odd number of cells is rounded up. The walls stay streamlines.
    """

    def stream_function(self, cases: xr.Dataset) -> np.ndarray:
        """See `SolverBaseline.stream_function`."""
        grid = Grid.from_dataset(cases)
        walls = grid.x_min, grid.x_max, grid.z_min, grid.z_max
        coarse = Grid((grid.nx + 1) // 2, (grid.nz + 1) // 2, *walls)
        dropped = cases.drop_dims([d for d in ("x", "z", "x_face", "z_face") if d in cases.dims])
        solver = crystalsim.get("solver", self.options.solver)
        solutions = solver.solve(dropped.assign_coords(coarse.coordinates()))
        return np.stack(
            [
                RectBivariateSpline(coarse.z_face, coarse.x_face, psi)(grid.z_face, grid.x_face)
                for psi in solutions["stream_function"].values
            ]
        ) * _inside(grid)


class Superposition(SolverBaseline):
    """The sum of the flows that each crystal drives as if it were alone.

    Exact but for what crystals do to each other's flow; takes as many solves as there are crystals.
    """

    def stream_function(self, cases: xr.Dataset) -> np.ndarray:
        """See `SolverBaseline.stream_function`."""
        grid = Grid.from_dataset(cases)
        solver = crystalsim.get("solver", self.options.solver)
        psi = np.zeros((cases.sizes["sample"], grid.nz + 1, grid.nx + 1))
        for i, case in enumerate(iterate_cases(cases)):
            if case.x.size:
                alone = solver.solve(each_alone(case, grid))
                psi[i] = alone["stream_function"].values.sum(axis=0)
        return psi


def _inside(grid: Grid) -> np.ndarray:
    """Zero on the walls, where splines leave rounding, one inside."""
    inside = np.zeros((grid.nz + 1, grid.nx + 1))
    inside[1:-1, 1:-1] = 1.0
    return inside
