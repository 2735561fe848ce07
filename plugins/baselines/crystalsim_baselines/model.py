"""Models that ask a solver for less than the whole answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr
from scipy.interpolate import RectBivariateSpline

import crystalsim
from crystalsim import Grid, SceneOptions, iterate_cases, make_cases, make_solutions
from crystalsim.cases import CRYSTAL_FIELDS, Case
from crystalsim.contracts import OnEpoch
from crystalsim.errors import UnsupportedError
from crystalsim.schema import GIVEN_FIELDS
from crystalsim.stokes.operators import velocity

from .plugin import BaselineOptions, EarlyStoppedOptions


class Baseline:
    """A model without training.

    Parameters
    ----------
    options
        The defaults if None.
    """

    options_class: ClassVar[type[BaselineOptions]] = BaselineOptions

    def __init__(self, options: Any = None) -> None:
        self.options: Any = options or self.options_class()

    def stream_function(self, cases: xr.Dataset) -> np.ndarray:
        """Stream function of all samples (sample, z_face, x_face) [m2 s-1]."""
        raise NotImplementedError

    def fit(
        self,
        training: Any,
        validation: Any,
        *,
        seed: int = 0,
        on_epoch: OnEpoch | None = None,
        folder: Path | None = None,
    ) -> xr.Dataset:
        """Do nothing: there is nothing to train."""
        return xr.Dataset(coords={"epoch": np.arange(0)})

    def predict(self, cases: xr.Dataset) -> xr.Dataset:
        """Compute all samples; see `crystalsim.contracts.Model`.

        Raises
        ------
        UnsupportedError
            If media are given on the grid.
        """
        if given := [name for name in GIVEN_FIELDS if name in cases.variables]:
            raise UnsupportedError(f"baselines take crystals, not variable '{given[0]}'")
        start = time.perf_counter()
        psi = self.stream_function(cases)
        spent = (time.perf_counter() - start) / max(1, cases.sizes["sample"])
        grid = Grid.from_dataset(cases)
        velocity_x, velocity_z = velocity(psi, grid.hx, grid.hz)
        fields = {
            "velocity_x": velocity_x,
            "velocity_z": velocity_z,
            "stream_function": psi,
            "wall_time": np.full(cases.sizes["sample"], spent),
        }
        return make_solutions(cases, fields, attributes={"source": type(self).__name__})

    def save(self, folder: Path) -> None:
        """Write nothing: there are no weights."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return a new model: there are no weights."""
        return cls()


class EarlyStopped(Baseline):
    """A solver that stops after a few iterations, converged or not.

    What a surrogate has to beat at equal time: with extra-stress conjugate gradients three
    iterations leave an error of 0.3 %.
    """

    options_class = EarlyStoppedOptions

    def stream_function(self, cases: xr.Dataset) -> np.ndarray:
        """See `Baseline.stream_function`."""
        limit = self.options.iterations
        solver = crystalsim.get("solver", self.options.solver, maximum_iterations=limit)
        return np.asarray(solver.solve(cases)["stream_function"].values)


class HalfGrid(Baseline):
    """A solver on cells twice as large; its stream function by bicubic splines.

    An odd number of cells is rounded up. The walls stay streamlines.
    """

    def stream_function(self, cases: xr.Dataset) -> np.ndarray:
        """See `Baseline.stream_function`."""
        grid = Grid.from_dataset(cases)
        walls = grid.x_min, grid.x_max, grid.z_min, grid.z_max
        coarse = Grid((grid.nx + 1) // 2, (grid.nz + 1) // 2, *walls)
        dropped = cases.drop_dims([d for d in ("x", "z", "x_face", "z_face") if d in cases.dims])
        solver = crystalsim.get("solver", self.options.solver)
        found = solver.solve(dropped.assign_coords(coarse.coordinates()))
        return np.stack(
            [
                RectBivariateSpline(coarse.z_face, coarse.x_face, psi)(grid.z_face, grid.x_face)
                for psi in found["stream_function"].values
            ]
        ) * _inside(grid)


class Superposition(Baseline):
    """The sum of the flows that each crystal drives as if it were alone.

    Exact but for what crystals do to each other's flow; takes as many solves as there are crystals.
    """

    def stream_function(self, cases: xr.Dataset) -> np.ndarray:
        """See `Baseline.stream_function`."""
        grid = Grid.from_dataset(cases)
        solver = crystalsim.get("solver", self.options.solver)
        psi = np.zeros((cases.sizes["sample"], grid.nz + 1, grid.nx + 1))
        for i, case in enumerate(iterate_cases(cases)):
            if case.x.size:
                alone = solver.solve(make_cases(_one_by_one(case), grid, _matrix(case)))
                psi[i] = alone["stream_function"].values.sum(axis=0)
        return psi


def _one_by_one(case: Case) -> list[list[dict[str, float]]]:
    return [
        [{name: float(getattr(case, name)[k]) for name in CRYSTAL_FIELDS}]
        for k in range(case.x.size)
    ]


def _matrix(case: Case) -> SceneOptions:
    return SceneOptions(
        matrix_density=case.matrix_density,
        matrix_viscosity=case.matrix_viscosity,
        gravity=case.gravity,
    )


def _inside(grid: Grid) -> np.ndarray:
    """Zero on the walls, where splines leave rounding, one inside."""
    inside = np.zeros((grid.nz + 1, grid.nx + 1))
    inside[1:-1, 1:-1] = 1.0
    return inside
