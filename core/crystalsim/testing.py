"""Contract suites: what every plugin keeps, as tests to inherit.

In a test file of your own::

    from crystalsim.testing import SolverContract

    class TestMine(SolverContract):
        name = "mine"

pytest then collects every test below. Attributes of the class say what may differ.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import xarray as xr

from .cases import make_cases, make_solutions
from .contracts import SceneOptions
from .errors import OptionError
from .grid import Grid
from .options import make_options
from .registry import get, registry
from .schema import VARIABLES, validate
from .stokes import operators
from .stokes.isoviscous import solve_isoviscous
from .store import open as open_dataset
from .store import save


def example_cases(cells: tuple[int, int] = (24, 20)) -> xr.Dataset:
    """Four samples: one crystal, two of different properties, none, and a rising one."""
    grid = Grid(*cells, -1000.0, 1000.0, -800.0, 800.0)

    def crystal(*values: float) -> dict[str, float]:
        return dict(zip(("x", "z", "radius", "density", "viscosity"), values, strict=True))

    first = crystal(-300.0, 100.0, 150.0, 2900.0, 1e24)
    crystals = [
        [first],
        [first, crystal(400.0, -200.0, 120.0, 3100.0, 1e22)],
        [],
        [crystal(50.0, -400.0, 200.0, 2500.0, 1e23)],
    ]
    cases = make_cases(crystals, grid, SceneOptions())
    return cases.assign_coords(sample=cases["sample"] + 10)


def example_solutions(cases: xr.Dataset | None = None) -> xr.Dataset:
    """Isoviscous flow of the example cases: solutions that need no plugin."""
    cases = example_cases() if cases is None else cases
    grid = Grid.from_dataset(cases)
    psi, pressure = solve_isoviscous(cases, pressure=True)
    velocity_x, velocity_z = operators.velocity(psi, grid.hx, grid.hz)
    assert pressure is not None
    fields = {
        "velocity_x": velocity_x,
        "velocity_z": velocity_z,
        "pressure": pressure,
        "stream_function": psi,
    }
    return make_solutions(cases, fields)


class PluginContract:
    """What all plugins keep.

    Attributes
    ----------
    kind, name
        As in ``crystalsim.get(kind, name)``.
    options
        Options to test with, where the defaults will not do.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}

    def make(self) -> Any:
        """Make the plugin object."""
        return get(self.kind, self.name, **self.options)

    def test_is_installed_with_a_summary(self) -> None:
        """The registry finds it and it says what it is."""
        entry = registry().lookup(self.kind, self.name)
        assert entry.plugin.summary
        assert not registry().problems

    def test_options_are_frozen_described_and_round_trip(self) -> None:
        """Options -> dict -> options is the identity, and each has a description."""
        options_class = registry().options_class(self.kind, self.name)
        if options_class is None:
            return
        made: Any = make_options(options_class, self.options, where=self.kind)
        again: Any = make_options(options_class, dataclasses.asdict(made), where=self.kind)
        assert made == again
        field = dataclasses.fields(made)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, field, None)

    def test_unknown_options_are_refused_by_name(self) -> None:
        """A misspelt option is an error that names it."""
        with pytest.raises(OptionError, match="no_such_option"):
            get(self.kind, self.name, no_such_option=1)


class SamplerContract(PluginContract):
    """What samplers keep; `count` is how many samples to draw."""

    kind = "sampler"
    count: ClassVar[int] = 3

    def test_cases_follow_the_schema(self) -> None:
        """Valid cases, so no overlap and nothing outside, as many as asked for."""
        cases = self.make().sample(self.count, seed=5)
        validate(cases, "cases")
        assert cases.sizes["sample"] == self.count

    def test_same_seed_same_cases(self) -> None:
        """Twice the same."""
        first, second = (self.make().sample(self.count, seed=5) for _ in range(2))
        xr.testing.assert_equal(first, second)

    def test_first_samples_do_not_depend_on_the_count(self) -> None:
        """Drawing fewer gives the same first ones."""
        some = self.make().sample(self.count - 1, seed=5)
        more = self.make().sample(self.count, seed=5).isel(sample=slice(self.count - 1))
        for name in some.data_vars:
            width = some.sizes["crystal"]
            values = more[name].values
            if "crystal" in more[name].dims:
                assert np.isnan(values[:, width:]).all()
                values = values[:, :width]
            np.testing.assert_array_equal(some[name].values, values)

    def test_cases_survive_a_file(self, tmp_path: Path) -> None:
        """Written and read they are identical."""
        cases = self.make().sample(self.count, seed=5)
        save(cases, tmp_path / "cases.nc")
        xr.testing.assert_identical(xr.load_dataset(tmp_path / "cases.nc"), cases)


class FlowContract(PluginContract):
    """What everything keeps that turns cases into a flow.

    Attributes
    ----------
    divergence_bound
        Largest divergence over the largest velocity a cell size; loosen it with a reason.
    subset_tolerance
        How far a subset of samples may differ, over the largest velocity.
    """

    divergence_bound: ClassVar[float] = 1e-12
    subset_tolerance: ClassVar[float] = 0.0

    def flow(self, cases: xr.Dataset) -> xr.Dataset:
        """Solutions of the cases."""
        raise NotImplementedError

    def test_solutions_follow_the_schema(self) -> None:
        """Valid, with the same samples in the same order and units on every variable."""
        cases = example_cases()
        solutions = self.flow(cases)
        validate(solutions, "solutions")
        np.testing.assert_array_equal(solutions["sample"].values, cases["sample"].values)
        for name in solutions.data_vars:
            assert solutions[name].attrs.get("units") == VARIABLES[str(name)].units
            assert solutions[name].attrs.get("long_name")

    def test_cases_are_left_as_they_were(self) -> None:
        """The input is not touched, and comes back within the solutions."""
        cases = example_cases()
        before = copy.deepcopy(cases)
        solutions = self.flow(cases)
        xr.testing.assert_identical(cases, before)
        for name in cases.data_vars:
            xr.testing.assert_equal(solutions[name], cases[name])

    def test_a_subset_gives_the_same_numbers(self) -> None:
        """Samples do not see each other."""
        cases = example_cases()
        whole = self.flow(cases).isel(sample=[3, 1])
        part = self.flow(cases.isel(sample=[3, 1]))
        for name in ("velocity_x", "velocity_z"):
            largest = float(np.abs(whole[name]).max())
            gap = float(np.abs(whole[name] - part[name]).max())
            assert gap <= self.subset_tolerance * largest, name

    def test_velocity_is_divergence_free(self) -> None:
        """On faces, to `divergence_bound`."""
        solutions = self.flow(example_cases())
        grid = Grid.from_dataset(solutions)
        vx, vz = solutions["velocity_x"].values, solutions["velocity_z"].values
        divergence = np.abs(operators.divergence(vx, vz, grid.hx, grid.hz)).max()
        assert divergence * min(grid.hx, grid.hz) <= self.divergence_bound * np.abs(vz).max()

    def test_nothing_flows_through_walls(self) -> None:
        """Normal velocity is zero on all four walls."""
        solutions = self.flow(example_cases())
        vx, vz = solutions["velocity_x"].values, solutions["velocity_z"].values
        largest = np.abs(vz).max()
        assert np.abs(vx[..., [0, -1]]).max() <= 1e-12 * largest
        assert np.abs(vz[..., [0, -1], :]).max() <= 1e-12 * largest

    def test_heavy_crystals_sink_and_nothing_moves_without_them(self) -> None:
        """z is up: sinking is negative `velocity_z`; a sample without crystals is still."""
        solutions = self.flow(example_cases())
        grid = Grid.from_dataset(solutions)
        column, row = np.searchsorted(grid.x_face, -300) - 1, np.searchsorted(grid.z_face, 100)
        assert solutions["velocity_z"].values[0, row, column] < 0
        assert np.abs(solutions["velocity_z"].values[2]).max() == 0

    def test_solutions_survive_a_file(self, tmp_path: Path) -> None:
        """Written and read they are identical, in plain xarray and in ours."""
        solutions = self.flow(example_cases())
        save(solutions, tmp_path / "solutions.nc")
        xr.testing.assert_identical(xr.load_dataset(tmp_path / "solutions.nc"), solutions)
        xr.testing.assert_identical(open_dataset(tmp_path / "solutions.nc"), solutions)


class SolverContract(FlowContract):
    """What solvers keep."""

    kind = "solver"

    def flow(self, cases: xr.Dataset) -> xr.Dataset:
        """Solve."""
        solutions: xr.Dataset = self.make().solve(cases)
        return solutions

    def test_samples_converge(self) -> None:
        """With the options given, on the example cases."""
        assert self.flow(example_cases())["converged"].values.all()


class ModelContract(FlowContract):
    """What models keep; give `options` that train in a second or two."""

    kind = "model"
    _fitted: ClassVar[dict[type, Any]] = {}

    def fitted(self) -> Any:
        """The model, trained once on the example solutions."""
        if type(self) not in self._fitted:
            model = self.make()
            model.fit(example_solutions(), example_solutions(), seed=3)
            self._fitted[type(self)] = model
        return self._fitted[type(self)]

    def flow(self, cases: xr.Dataset) -> xr.Dataset:
        """Predict."""
        solutions: xr.Dataset = self.fitted().predict(cases)
        return solutions

    def test_history_is_described(self) -> None:
        """One value an epoch; each loss has a name and a definition."""
        model = self.make()
        seen: list[int] = []
        history = model.fit(
            example_solutions(),
            example_solutions(),
            seed=3,
            on_epoch=lambda epoch, metrics: seen.append(epoch),
        )
        assert history.sizes.get("epoch", 0) == len(seen)
        for array in history.data_vars.values():
            assert array.attrs.get("long_name")
            assert array.attrs.get("units")

    def test_same_seed_same_model(self) -> None:
        """Trained twice, the predictions are equal."""
        cases = example_cases()
        second = self.make()
        second.fit(example_solutions(), example_solutions(), seed=3)
        first = self.flow(cases)
        np.testing.assert_array_equal(
            second.predict(cases)["velocity_z"].values, first["velocity_z"].values
        )

    def test_saved_and_loaded_is_the_same(self, tmp_path: Path) -> None:
        """Predictions of the loaded model are equal."""
        model = self.fitted()
        model.save(tmp_path)
        loaded = registry().load("model", self.name).load(tmp_path)
        cases = example_cases()
        np.testing.assert_array_equal(
            loaded.predict(cases)["velocity_x"].values, model.predict(cases)["velocity_x"].values
        )

    def test_other_grids_can_be_predicted(self) -> None:
        """Any number of cells."""
        cases = example_cases((37, 18))
        validate(self.flow(cases), "solutions")


class EvaluatorContract(PluginContract):
    """What evaluators keep.

    Attributes
    ----------
    perfect
        Values of scores for a prediction that equals the reference.
    """

    kind = "evaluator"
    perfect: ClassVar[Mapping[str, float]] = {}

    def test_scores_follow_the_schema(self, tmp_path: Path) -> None:
        """Described, with the samples of the reference, and identical after a file."""
        reference = example_solutions()
        scores = self.make().evaluate(reference, reference)
        validate(scores, "scores")
        np.testing.assert_array_equal(scores["sample"].values, reference["sample"].values)
        save(scores, tmp_path / "scores.nc")
        xr.testing.assert_identical(xr.load_dataset(tmp_path / "scores.nc"), scores)

    def test_a_perfect_prediction_has_perfect_scores(self) -> None:
        """Every finite value is as `perfect` says."""
        reference = example_solutions()
        scores = self.make().evaluate(reference, reference)
        assert self.perfect, "say what is perfect"
        for name, value in self.perfect.items():
            values = scores[name].values[np.isfinite(scores[name].values)]
            assert values.size, name
            np.testing.assert_allclose(values, value, atol=1e-12, err_msg=name)

    def test_inputs_are_left_as_they_were(self) -> None:
        """Neither dataset is touched."""
        reference, prediction = example_solutions(), example_solutions()
        self.make().evaluate(reference, prediction)
        xr.testing.assert_identical(reference, example_solutions())
        xr.testing.assert_identical(prediction, example_solutions())

    def test_a_worse_prediction_is_told_apart(self) -> None:
        """Some score differs for a flow that is 10 % too fast."""
        reference = example_solutions()
        fast = reference.assign(
            {n: 1.1 * reference[n] for n in ("velocity_x", "velocity_z", "stream_function")}
        )
        perfect = self.make().evaluate(reference, reference)
        assert not self.make().evaluate(reference, fast).equals(perfect)
