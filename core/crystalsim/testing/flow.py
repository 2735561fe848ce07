"""What everything keeps that turns cases into a flow, and the suite for solvers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from ..datasets.cases import cases_only
from ..datasets.schema import VARIABLES, validate
from ..scene.grid import Grid
from ..stokes import operators
from .base import PluginContract, assert_survives_a_file, drawn_cases, without_time
from .examples import example_cases

FIELDS = ("velocity_x", "velocity_z", "pressure", "stream_function")


class FlowContract(PluginContract):
    """What everything keeps that turns cases into a flow.

    Attributes
    ----------
    divergence_bound
        Largest divergence of a sample over its largest velocity a cell size; also bounds what flows
        through walls, the mean of the pressure and the misfit of velocity and stream function.
    subset_tolerance
        How far a subset of samples may differ, over the largest value of the field.
    examples
        Datasets of cases that hypothesis draws, where it is installed.
    drawn
        Options of `crystalsim.testing.strategies.cases` for a plugin that does not take all cases.
    """

    divergence_bound: ClassVar[float] = 1e-12
    subset_tolerance: ClassVar[float] = 0.0
    examples: ClassVar[int] = 6
    drawn: ClassVar[Mapping[str, Any]] = {}

    def flow(self, cases: xr.Dataset) -> xr.Dataset:
        """Solutions of the cases."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def solutions(cls) -> xr.Dataset:
        """Flow of the example cases, computed once."""
        return cls().flow(example_cases())

    def test_solutions_follow_the_schema(self, solutions: xr.Dataset) -> None:
        """Valid, with the same samples in the same order and units on every variable."""
        validate(solutions, "solutions")
        assert solutions["converged"].dtype == bool
        xr.testing.assert_equal(cases_only(solutions), cases_only(example_cases()))
        for name in solutions.data_vars:
            assert solutions[name].attrs.get("units") == VARIABLES[str(name)].units
            assert solutions[name].attrs.get("long_name")

    def test_cases_are_left_as_they_were(self) -> None:
        """The input is not touched."""
        cases = example_cases()
        self.flow(cases)
        xr.testing.assert_identical(cases, example_cases())

    def test_a_second_call_gives_the_same(self, solutions: xr.Dataset) -> None:
        """Nothing is random, and no call leaves traces for the next."""
        again = self.flow(example_cases())
        xr.testing.assert_identical(without_time(again), without_time(solutions))

    @pytest.mark.parametrize("chosen", [[1], [3, 1]])
    def test_a_subset_gives_the_same_numbers(
        self, solutions: xr.Dataset, chosen: list[int]
    ) -> None:
        """Samples do not see each other."""
        whole = solutions.isel(sample=chosen)
        part = self.flow(example_cases().isel(sample=chosen))
        assert part["sample"].values.tolist() == whole["sample"].values.tolist()
        for name in FIELDS:
            assert (name in part) == (name in whole)
            if name in whole:
                gap = _largest(part[name] - whole[name])
                assert (gap <= self.subset_tolerance * _largest(whole[name])).all(), name

    def test_velocity_is_divergence_free(self, solutions: xr.Dataset) -> None:
        """On faces, to `divergence_bound`, in every sample."""
        grid = Grid.from_dataset(solutions)
        velocity_x, velocity_z = (
            solutions[name].values.astype(float) for name in ("velocity_x", "velocity_z")
        )
        divergence = operators.divergence(velocity_x, velocity_z, grid.hx, grid.hz)
        largest = abs(divergence).max(axis=(1, 2))
        bound = self.divergence_bound * _speed(solutions)
        assert (largest * min(grid.hx, grid.hz) <= bound).all()

    def test_nothing_flows_through_walls(self, solutions: xr.Dataset) -> None:
        """Normal velocity is zero on all four walls."""
        bound = self.divergence_bound * _speed(solutions)
        assert (_largest(solutions["velocity_x"][..., [0, -1]]) <= bound).all()
        assert (_largest(solutions["velocity_z"][:, [0, -1]]) <= bound).all()

    def test_pressure_has_zero_mean(self, solutions: xr.Dataset) -> None:
        """Where there is a pressure."""
        if "pressure" in solutions:
            mean = abs(solutions["pressure"].values.astype(float).mean(axis=(1, 2)))
            assert (mean <= self.divergence_bound * _largest(solutions["pressure"])).all()

    def test_velocity_is_the_curl_of_the_stream_function(self, solutions: xr.Dataset) -> None:
        """Where there is a stream function."""
        if "stream_function" not in solutions:
            return
        grid = Grid.from_dataset(solutions)
        psi = solutions["stream_function"].values.astype(float)
        # Differences of neighbours lose the digits by which the stream function exceeds them.
        bound = max(grid.nx, grid.nz) * self.divergence_bound * _speed(solutions)
        for name, curl in zip(FIELDS, operators.velocity(psi, grid.hx, grid.hz), strict=False):
            assert (_largest(solutions[name] - curl) <= bound).all(), name

    def test_heavy_crystals_sink_and_nothing_moves_without_them(
        self, solutions: xr.Dataset
    ) -> None:
        """Upward is positive: sinking is negative `velocity_z`; without crystals all is still."""
        grid = Grid.from_dataset(solutions)
        column, row = np.searchsorted(grid.x_face, -300) - 1, np.searchsorted(grid.z_face, 100)
        assert solutions["velocity_z"].values[0, row, column] < 0
        assert (_speed(solutions) > 0).tolist() == [True, True, False, True]

    def test_solutions_survive_a_file(self, solutions: xr.Dataset, tmp_path: Path) -> None:
        """Written and read they are identical, in plain xarray and in ours."""
        assert_survives_a_file(solutions, tmp_path / "solutions.nc")

    def test_any_cases_have_a_valid_flow(self) -> None:
        """Grids, magma and crystals that nobody chose: see `crystalsim.testing.strategies`."""

        def check(cases: xr.Dataset) -> None:
            before = cases.copy(deep=True)
            solutions = self.flow(cases)
            xr.testing.assert_identical(cases, before)
            validate(solutions, "solutions")
            xr.testing.assert_equal(cases_only(solutions), cases_only(cases))
            assert np.isfinite(_speed(solutions)).all()
            self.test_velocity_is_divergence_free(solutions)
            self.test_nothing_flows_through_walls(solutions)
            self.test_pressure_has_zero_mean(solutions)
            self.test_velocity_is_the_curl_of_the_stream_function(solutions)

        strategies = drawn_cases()
        strategies.for_all(strategies.cases(**self.drawn), check, self.examples)


class SolverContract(FlowContract):
    """What solvers keep."""

    kind = "solver"

    def flow(self, cases: xr.Dataset) -> xr.Dataset:
        """Solve."""
        solutions: xr.Dataset = self.make().solve(cases)
        return solutions

    def test_samples_converge(self, solutions: xr.Dataset) -> None:
        """With the options given, on the example cases."""
        assert solutions["converged"].values.all()

    def test_crystals_as_dense_as_the_magma_are_still(self) -> None:
        """Only the density anomaly drives the flow."""
        cases = example_cases()
        moving = _speed(self.flow(cases)).max()
        cases["crystal_density"][:] = cases["crystal_density"] * 0 + cases["matrix_density"]
        assert (_speed(self.flow(cases)) <= self.divergence_bound * moving).all()


def _largest(field: xr.DataArray) -> NDArray[np.float64]:
    """Largest magnitude in each sample (sample)."""
    return np.asarray(abs(field.values).max(axis=(1, 2)), dtype=float)


def _speed(solutions: xr.Dataset) -> NDArray[np.float64]:
    """Largest velocity component of each sample (sample) [m s-1]."""
    return np.maximum(_largest(solutions["velocity_x"]), _largest(solutions["velocity_z"]))
