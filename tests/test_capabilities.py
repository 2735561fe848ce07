"""What plugins can do beyond their contract: asked for by protocols, and tested by the suites."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim import crystal_motion, motion_of
from crystalsim.contracts import IterationBudget, Motion, Pretrained, Streaming, WarmStart
from crystalsim.errors import CrystalsimError, OptionError, UnsupportedError
from crystalsim.testing import ModelContract, SolverContract, example_cases, example_solutions
from crystalsim.workflows.refine import Refined
from crystalsim.workflows.training import train_model

CLAIMS = {
    ("solver", "builtin"): {WarmStart, IterationBudget, Motion},
    ("solver", "direct"): set(),
    ("solver", "lamem"): set(),
    ("model", "unet"): {Streaming},
    ("model", "dilute"): {Streaming},
    ("model", "polarization"): {Streaming, Pretrained},
}


@pytest.mark.parametrize("plugin", CLAIMS, ids=lambda plugin: plugin[1])
def test_who_can_do_what(plugin):
    made = crystalsim.get(*plugin)
    capabilities = (WarmStart, IterationBudget, Streaming, Pretrained, Motion)
    assert {c for c in capabilities if isinstance(made, c)} == CLAIMS[plugin]


class Honest(crystalsim.Configured):
    """Solver that has what the built-in one has; spoilt below."""

    def __init__(self, inner=None):
        self.inner = inner or crystalsim.get("solver", "builtin", extra_stress=True)

    def solve(self, cases):
        return self.inner.solve(cases)

    def solve_from(self, cases, initial):
        return self.inner.solve_from(cases, initial)

    def limited(self, **budget):
        return type(self)(self.inner.limited(**budget))

    def motion(self, cases):
        return self.inner.motion(cases)

    def __repr__(self):
        return repr(self.inner)


class StartsFromNothing(Honest):
    def solve_from(self, cases, initial):
        self.inner.solve_from(cases, initial)
        return self.inner.solve(cases)


class TakesAnyStart(Honest):
    def solve_from(self, cases, initial):
        return self.inner.solve(cases)


class NeverHurries(Honest):
    def limited(self, **budget):
        self.inner.limited(**budget)
        return self


class SaysItIsThere(Honest):
    def limited(self, **budget):
        limited = super().limited(**budget)
        limited.solve = lambda cases: limited.inner.solve(cases).assign(
            converged=("sample", np.ones(4, dtype=bool))
        )
        return limited


class MovesTooFast(Honest):
    def motion(self, cases):
        motion = self.inner.motion(cases)
        return motion.assign(crystal_velocity_x=1.01 * motion["crystal_velocity_x"])


class SaysNothingOfConvergence(Honest):
    def motion(self, cases):
        return self.inner.motion(cases).drop_vars("converged")


def suite(solver):
    class Suite(SolverContract):
        name = "builtin"

        def make(self, **changes):
            return solver()

    return Suite()


TESTS = (
    "test_warm_start_starts_from_the_flow",
    "test_warm_start_of_other_samples_is_refused",
    "test_iteration_budget_is_kept",
    "test_motion_is_that_of_the_flow",
)


@pytest.mark.parametrize(
    ("solver", "failing"),
    [
        (Honest, []),
        (StartsFromNothing, TESTS[0:1]),
        (TakesAnyStart, TESTS[0:2]),
        (NeverHurries, TESTS[2:3]),
        (SaysItIsThere, TESTS[2:3]),
        (MovesTooFast, TESTS[3:4]),
        (SaysNothingOfConvergence, TESTS[3:4]),
    ],
)
def test_the_suite_tells_who_claims_too_much(solver, failing):
    found = []
    for name in TESTS:
        try:
            getattr(suite(solver), name)()
        except (AssertionError, KeyError, pytest.fail.Exception):
            found.append(name)
    assert found == list(failing)


class Untrained:
    """Model that is told the flow; spoilt below."""

    def fit(self, training, validation, *, seed=0, on_epoch=None, folder=None):
        self.seen = training
        return xr.Dataset(coords={"epoch": np.arange(0)})

    def predict(self, cases):
        return example_solutions(cases)

    def save(self, folder):
        pass

    @classmethod
    def load(cls, folder):
        return cls()


class ForgetsParts(Untrained):
    def fit_parts(self, training, validation, **arguments):
        self.fit(training[0], validation[0])

    def predict(self, cases):
        made = super().predict(cases)
        return made.assign(velocity_x=made["velocity_x"] * self.seen.sizes["sample"])


def test_the_suite_tells_a_model_that_forgets_parts(tmp_path):
    class Suite(ModelContract):
        name = "dilute"

        def make(self, **changes):
            return ForgetsParts()

    whole = ForgetsParts()
    whole.fit(example_solutions(), example_solutions())
    with pytest.raises(AssertionError):
        Suite().test_streaming_parts_are_one_dataset(whole.predict(example_cases()), tmp_path)


def test_motion_is_asked_for_or_made_of_the_flow():
    cases = example_cases()
    solver = crystalsim.get("solver", "builtin")
    solutions = solver.solve(cases)
    expected = crystal_motion(solutions)
    for by in (solver, crystalsim.get("model", "dilute"), Untrained()):
        motion = motion_of(by, cases)
        assert set(motion) == {*expected, "converged"}
        assert motion["converged"].values.all()
        assert motion["crystal_velocity_z"].values[0, 0] < 0
    xr.testing.assert_allclose(motion_of(solver, cases)[list(expected)], expected, rtol=1e-12)
    hurried = crystalsim.get("solver", "builtin", maximum_iterations=1, tolerance=1e-9)
    assert not motion_of(hurried, cases)["converged"].values.all()
    with pytest.raises(TypeError, match="neither a solver nor a model"):
        motion_of("builtin", cases)


def test_refining_asks_for_both_capabilities():
    model = crystalsim.get("model", "polarization")
    with pytest.raises(OptionError, match="'direct' cannot start from a prediction"):
        Refined(model, "direct", 1e-3)
    with pytest.raises(OptionError, match="whole iterations"):
        Refined(model, "builtin", 1.5)
    assert Refined(model, "builtin", 2).solver.options.maximum_iterations == 2
    assert Refined(model, "builtin", 1e-4).solver.options.tolerance == 1e-4


def test_who_needs_a_budget_refuses_solvers_without_one():
    model = crystalsim.get("model", "early_stopped", solver="direct")
    with pytest.raises(CrystalsimError, match=r"'direct'.*when to stop"):
        model.predict(example_cases())


def test_a_model_that_does_not_stream_gets_one_dataset_and_no_second_grid(tmp_path, monkeypatch):
    from crystalsim.config.choice import Choice

    model = Untrained()
    monkeypatch.setattr(Choice, "build", lambda self: model)
    choice = Choice.of("model", {"plugin": "dilute"})
    data = example_solutions()
    parts = [data.isel(sample=[0]), data.isel(sample=[1, 2, 3])]
    train_model(choice, parts, parts, tmp_path / "one", seed=0)
    assert model.seen["sample"].values.tolist() == data["sample"].values.tolist()
    two = [data, example_solutions(example_cases((20, 16)))]
    with pytest.raises(UnsupportedError, match=r"one grid; .* cells \[\(20, 16\), \(24, 20\)\]"):
        train_model(choice, two, two, tmp_path / "two", seed=0)


def test_weights_come_along_unless_options_ask_for_another_network():
    cases = example_cases()
    brought = crystalsim.get("model", "polarization", device="cpu").predict(cases)
    expected = crystalsim.load_model("polarization").predict(cases)
    xr.testing.assert_identical(brought.drop_vars("wall_time"), expected.drop_vars("wall_time"))
    with pytest.raises(OptionError, match=r"options of its own is not trained.*device, precision"):
        crystalsim.get("model", "polarization", steps=2).predict(cases)
    with pytest.raises(OptionError, match="UNet is not trained: fit it or load"):
        crystalsim.get("model", "unet").predict(cases)
