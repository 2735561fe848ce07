"""What comes back from plugins is checked where it enters, and named in words."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import crystalsim

PLUGINS = """
    import os

    import numpy as np
    import xarray as xr

    from crystalsim import get
    from crystalsim.hookspecs import Plugin, hookimpl

    MOOD = os.environ.get("MOOD", "")


    def spoil(dataset):
        '''Do to a dataset what MOOD says.'''
        if MOOD == "none":
            return None
        if MOOD == "array":
            return np.zeros(3)
        if MOOD == "order":
            return dataset.isel(sample=slice(None, None, -1))
        if MOOD == "fewer":
            return dataset.isel(sample=slice(2))
        if MOOD == "shape":
            return dataset.assign_coords(x=2 * dataset.x, x_face=2 * dataset.x_face)
        if MOOD == "other crystals":
            return dataset.assign(crystal_x=dataset.crystal_x + 1.0)
        if MOOD == "missing":
            return dataset.drop_vars("velocity_z" if "velocity_z" in dataset else "gravity")
        if MOOD == "nan" and 2 in dataset.sample:
            dataset["velocity_x"] = dataset.velocity_x.where(dataset.sample != 2)
        if MOOD == "raise":
            raise ZeroDivisionError("no such luck")
        if MOOD == "memory":
            raise MemoryError("Unable to allocate 149. GiB")
        if MOOD == "torch":
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 GB")
        return dataset


    class Solver:
        def solve(self, cases):
            return spoil(get("solver", "builtin").solve(cases))


    class Sampler:
        def sample(self, count=None, *, seed=0):
            return spoil(get("sampler", "random", cells=16).sample(count, seed=seed))


    class Model:
        def fit(self, training, validation, **_):
            return None if MOOD == "none" else spoil(xr.Dataset())

        def predict(self, cases):
            return spoil(get("model", "isoviscous").predict(cases))

        def save(self, folder):
            pass

        @classmethod
        def load(cls, folder):
            return cls()


    class Evaluator:
        metrics = {}

        def evaluate(self, reference, prediction):
            return spoil(get("evaluator", "fields").evaluate(reference, prediction))


    @hookimpl
    def crystalsim_solvers():
        return [Plugin("moody", "moody:Solver", "for tests")]

    @hookimpl
    def crystalsim_samplers():
        return [Plugin("moody", "moody:Sampler", "for tests")]

    @hookimpl
    def crystalsim_models():
        return [Plugin("moody", "moody:Model", "for tests")]

    @hookimpl
    def crystalsim_evaluators():
        return [Plugin("moody", "moody:Evaluator", "for tests")]
"""


@pytest.fixture
def moody(command, distribution, site, monkeypatch):
    """Run commands in this process with plugins of a mood."""
    import sys

    from crystalsim.registry import registry

    distribution("moody", PLUGINS)
    monkeypatch.syspath_prepend(site)

    def run(mood, *arguments):
        monkeypatch.setenv("MOOD", mood)
        sys.modules.pop("moody", None)
        registry.cache_clear()
        from crystalsim.execution.shards import _built

        _built.cache_clear()
        return command(*arguments)

    yield run
    sys.modules.pop("moody", None)


@pytest.fixture
def solutions_file(cases_file, tmp_path):
    path = tmp_path / "reference.nc"
    crystalsim.save(crystalsim.get("solver", "builtin").solve(crystalsim.open(cases_file)), path)
    return path


def last(result):
    assert "Traceback" not in result.err
    return result.err.splitlines()[-1]


WRONG = {
    "none": "returned None; expected an xarray.Dataset of kind 'KIND'",
    "array": "returned an object of type ndarray; expected an xarray.Dataset of kind 'KIND'",
    "order": "in another order: 5 samples (4, 3, 2, 1, 0 ...); expected 5 (0, 1, 2, 3, 4 ...)",
    "fewer": "other samples: 2 samples (0, 1 ...); expected 5",
    "shape": "solutions on Grid(nx=16, nz=16, x_min=-2000",
    "other crystals": "reaches outside|'crystal_x' differs from that of the cases",
    "missing": "variable 'velocity_z' [m s-1] on (sample, z_face, x) is missing",
}


@pytest.mark.parametrize("mood", WRONG)
@pytest.mark.parametrize("command_name", ["solve", "predict"])
def test_solutions_of_the_wrong_kind_are_named_in_words(
    moody, cases_file, tmp_path, command_name, mood
):
    option = "--solver" if command_name == "solve" else "--model"
    output = tmp_path / "out.nc"
    result = moody(mood, command_name, cases_file, option, "moody", "--output", output)
    assert result.status == 1
    kind = option.removeprefix("--")
    assert last(result).startswith(f"Error: {kind} 'moody' of moody 1.0 returned ")
    words = WRONG[mood].replace("KIND", "solutions").split("|")
    assert any(word in last(result) for word in words), last(result)
    assert not output.exists()


def test_cases_of_the_wrong_kind_are_named_in_words(moody, tmp_path):
    arguments = ("sample", "-n", 5, "--sampler", "moody", "--output", tmp_path / "cases.nc")
    for mood, words in {
        "none": "returned None; expected an xarray.Dataset of kind 'cases'",
        "fewer": "returned 2 samples; expected 5",
        "missing": "returned what it should not: not a valid dataset of kind 'cases': variable",
    }.items():
        result = moody(mood, *arguments)
        assert result.status == 1
        assert last(result).startswith("Error: sampler 'moody' of moody 1.0 ")
        assert words in last(result)


@pytest.mark.parametrize("mood", ["none", "order", "fewer"])
def test_scores_of_the_wrong_kind_are_named_in_words(moody, solutions_file, mood):
    result = moody(mood, "evaluate", solutions_file, solutions_file, "--evaluator", "moody")
    assert result.status == 1
    assert last(result).startswith("Error: evaluator 'moody' of moody 1.0 returned ")
    assert WRONG[mood].replace("KIND", "scores") in last(result)


def test_a_history_that_is_none_is_named(moody, solutions_file, tmp_path):
    train = ("train", solutions_file, "--model", "moody", "--validation", "0.4", "--output")
    result = moody("none", *train, tmp_path / "model")
    assert result.status == 1
    assert "model 'moody' of moody 1.0 returned None; expected an xarray.Dataset" in last(result)
    result = moody("raise", *train, tmp_path / "other")
    assert result.status == 2
    assert "model 'moody' of moody 1.0 failed: ZeroDivisionError: no such luck" in last(result)


def test_nan_does_not_pass_as_converged(moody, cases_file, tmp_path):
    output = tmp_path / "out.nc"
    result = moody("nan", "solve", cases_file, "--solver", "moody", "--output", output)
    assert result.status == 0
    assert "sample 2 failed: sample 2: velocity_x is not finite" in result.err
    found = crystalsim.open(output)
    assert found.converged.values.tolist() == [True, True, False, True, True]
    assert np.isfinite(found.velocity_x.values[found.converged.values]).all()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_plugin_shows_its_traceback_if_asked_for(
    moody, environment, process, cases_file, tmp_path, workers
):
    shown = ("ZeroDivisionError: no such luck", 'moody.py", line', "in spoil")
    for verbose in (False, True):
        flags = ["--verbose"] if verbose else []
        arguments = ("solve", cases_file, "--solver", "moody", "--workers", workers)
        output = ("--shard-size", 1, "--output", tmp_path / "out.nc")
        environment["MOOD"] = "raise"
        result = process(*flags, *arguments, *output)
        assert result.status == 1
        assert "all samples failed; sample 0: ZeroDivisionError" in result.err.splitlines()[-1]
        assert all(word in result.err for word in shown[1:]) == verbose


def test_the_log_of_a_run_has_the_traceback(moody, tmp_path):
    run = tmp_path / "run"
    result = moody("raise", "run", "--sampler", "moody", "--output", run)
    assert result.status == 2
    assert last(result).startswith("Error: sampler 'moody' of moody 1.0 failed: ZeroDivisionError")
    written = next(run.glob("*.log")).read_text()
    assert "Traceback (most recent call last)" in written and "in spoil" in written


@pytest.mark.parametrize(
    ("mood", "words"), [("memory", "Unable to allocate 149. GiB"), ("torch", "can't allocate")]
)
def test_out_of_memory_is_one_line(moody, cases_file, solutions_file, tmp_path, mood, words):
    for arguments in (
        ("solve", cases_file, "--solver", "moody", "--output", tmp_path / "out.nc"),
        ("sample", "--sampler", "moody", "--output", tmp_path / "other.nc"),
        ("evaluate", solutions_file, solutions_file, "--evaluator", "moody"),
    ):
        result = moody(mood, *arguments)
        assert result.status == 1
        assert last(result).startswith("Error: out of memory: ")
        assert words in last(result) and "--shard-size" in last(result)


def test_plugin_objects_in_python_stay_as_they_are(moody, monkeypatch):
    moody("none", "plugins")
    assert crystalsim.get("sampler", "moody").sample(2) is None
    assert isinstance(crystalsim.get("sampler", "random", cells=16).sample(1), xr.Dataset)
