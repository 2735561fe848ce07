"""What everything keeps that turns cases into a flow, and the suite for solvers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from ..contracts import IterationBudget, Motion, Solver, WarmStart
from ..datasets.cases import cases_only
from ..datasets.schema import VARIABLES, validate
from ..errors import CrystalsimError, OptionError
from ..scene.grid import Grid
from ..stokes import operators
from ..stokes.crystal_motion import crystal_motion
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
    """What solvers keep; the capabilities that a solver has are tested too.

    Attributes
    ----------
    start_options
        Options with which the solutions hold what `solve_from` starts from.
    motion_tolerance
        How far `motion` may be from that measured in the solutions, over the largest value.
    """

    kind = "solver"
    motion_tolerance: ClassVar[float] = 1e-6
    start_options: ClassVar[Mapping[str, Any]] = {}

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

    def test_is_a_solver(self) -> None:
        """The class has the methods of the protocol."""
        assert isinstance(self.make(), Solver)

    def test_warm_start_starts_from_the_flow(self) -> None:
        """`WarmStart`: from its own solution a solver reaches the same flow in less iterations."""
        solver = self.make(**self.start_options)
        if not isinstance(solver, WarmStart):
            return
        assert isinstance(solver, Solver)
        cold = solver.solve(example_cases())
        warm = solver.solve_from(example_cases(), cold)
        validate(warm, "solutions")
        assert warm["converged"].values.all()
        xr.testing.assert_equal(cases_only(warm), cases_only(cold))
        assert cold["iterations"].values.max() > 0, "a flow to start from that took iterations"
        assert warm["iterations"].values.sum() < cold["iterations"].values.sum()
        for name in ("velocity_x", "velocity_z"):
            gap = _largest(warm[name] - cold[name])
            assert (gap <= _misfit(cold, warm) * _largest(cold[name])).all(), name

    def test_warm_start_of_other_samples_is_refused(self) -> None:
        """`WarmStart`: a flow of other samples is an error for users, never a start."""
        solver = self.make(**self.start_options)
        if not isinstance(solver, WarmStart):
            return
        assert isinstance(solver, Solver)
        cold = solver.solve(example_cases())
        with pytest.raises(CrystalsimError):
            solver.solve_from(example_cases(), cold.isel(sample=[3, 2, 1, 0]))
        with pytest.raises(CrystalsimError):
            solver.solve_from(example_cases(), cold.isel(sample=[0, 1]))

    def test_iteration_budget_is_kept(self) -> None:
        """`IterationBudget`: no more iterations than allowed, and who is not there says so."""
        solver = self.make()
        if not isinstance(solver, IterationBudget):
            return
        assert isinstance(solver, Solver)
        before = repr(solver)
        whole = solver.solve(example_cases())
        hurried = solver.limited(iterations=1).solve(example_cases())
        validate(hurried, "solutions")
        assert (hurried["iterations"].values <= 1).all()
        longer = whole["iterations"].values > 1
        assert not hurried["converged"].values[longer].any()
        for bad in ({"iterations": 0}, {"tolerance": 0.0}):
            with pytest.raises(OptionError):
                solver.limited(**bad)
        assert repr(solver) == before, "the solver itself is left as it was"

    def test_motion_is_that_of_the_flow(self) -> None:
        """`Motion`: the same as the means of the velocity over the crystals."""
        assert_motion_is_that_of_the_flow(self.make(), self.flow, self.motion_tolerance)


def assert_motion_is_that_of_the_flow(
    plugin: Any, flow: Callable[[xr.Dataset], xr.Dataset], tolerance: float = 1e-6
) -> None:
    """Check `motion` of a solver or model that has it, against its flow."""
    if not isinstance(plugin, Motion):
        return
    cases = example_cases()
    motion = plugin.motion(cases)
    xr.testing.assert_identical(cases, example_cases())
    solutions = flow(cases)
    expected = crystal_motion(solutions)
    assert motion["converged"].values.tolist() == solutions["converged"].values.tolist()
    assert motion["sample"].values.tolist() == cases["sample"].values.tolist()
    for name, array in expected.data_vars.items():
        assert motion[name].dims == ("sample", "crystal")
        assert motion[name].attrs["units"] == array.attrs["units"]
        values, scale = motion[name].values, np.nanmax(np.abs(array.values))
        np.testing.assert_allclose(
            values, array.values, rtol=0, atol=tolerance * scale, equal_nan=True, err_msg=str(name)
        )


def _misfit(*solutions: xr.Dataset) -> float:
    """How far solutions may be apart: the errors that they claim, or their relative residuals."""
    names = [
        "error_estimate" if "error_estimate" in solution else "residual" for solution in solutions
    ]
    pairs = zip(solutions, names, strict=True)
    return sum(float(solution[name].values.max()) for solution, name in pairs)


def _largest(field: xr.DataArray) -> NDArray[np.float64]:
    """Largest magnitude in each sample (sample)."""
    return np.asarray(abs(field.values).max(axis=(1, 2)), dtype=float)


def _speed(solutions: xr.Dataset) -> NDArray[np.float64]:
    """Largest velocity component of each sample (sample) [m s-1]."""
    return np.maximum(_largest(solutions["velocity_x"]), _largest(solutions["velocity_z"]))
