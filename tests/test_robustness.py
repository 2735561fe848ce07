"""A user's mistake gives one clear line that names the culprit, never a traceback."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

FINE = """
    from crystalsim.hookspecs import Plugin, hookimpl

    @hookimpl
    def crystalsim_solvers():
        return [Plugin("builtin", "somewhere:Solver", "takes the name of another")]
"""


def one_line(result, status, *words):
    """Assert that a command failed with one line that holds all `words`."""
    assert result.status == status, result.err
    assert "Traceback" not in result.err
    lines = [line for line in result.err.splitlines() if line.startswith("Error:")]
    assert len(lines) == 1, result.err
    for word in words:
        assert word in lines[0]
    assert result.err.strip() == lines[0], "more than the one line"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "-o", "solver.tolerence=1"], ["solver.tolerence", "did you mean", "tolerance"]),
        (["run", "-o", "solver.tolerance=2"], ["solver.tolerance", "2"]),
        (["run", "-o", "solver.tolerance=close"], ["solver.tolerance", "close", "float"]),
        (["run", "-o", "solvr.tolerance=2"], ["solvr", "did you mean 'solver'"]),
        (["run", "-o", "samples.trainig=2"], ["samples.trainig", "samples.training"]),
        (["run", "-o", "solver"], ["'solver'", "key=value"]),
        (["run", "-o", "solver=builtin"], ["solver", "builtin", "table"]),
        (["run", "-o", "seed=-1"], ["seed"]),
        (["run", "--model", "unett"], ["unett", "did you mean 'unet'", "isoviscous"]),
        (["run", "-o", 'baselines=["none"]'], ["model 'none'"]),
        (["run", "-o", 'evaluators=["fieldz"]'], ["evaluator 'fieldz'", "fields"]),
        (["run", "-o", "evaluator.field.points=3"], ["evaluator 'field'"]),
        (["sample", "--output", "x.nc", "-o", "sampler.count=[3,1]"], ["count", "lower bound"]),
        (["sample", "--output", "x.nc", "-o", "sampler.matrix_viscosity=-1"], ["viscosity", "-1"]),
        (["describe", "solver", "fast"], ["solver 'fast'", "builtin"]),
        (["check", "crystalsim-none"], ["crystalsim-none"]),
        (["predict", "x.nc", "--model", "nowhere", "--output", "y.nc"], ["nowhere", "unet"]),
        (["solve", "nowhere.nc", "--output", "y.nc"], ["nowhere.nc", "no such file"]),
        (["train", "nowhere.nc", "--output", "folder"], ["nowhere.nc", "no such file"]),
        (["evaluate", "nowhere.nc", "nowhere.nc"], ["nowhere.nc", "no such file"]),
        (["run", "--config", "nowhere.toml"], ["nowhere.toml", "No such file"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_wrong_options(command, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    result = command(*arguments)
    one_line(result, 1 if "no such file" in words else 2, *words)
    assert not list(tmp_path.iterdir()), "something was written"


def test_a_configuration_that_is_not_toml(command, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("[solver]\ntolerance = \n")
    one_line(command("run", "--config", path), 2, "run.toml", "line 2")


def _drop_variable(cases):
    return cases.drop_vars("crystal_density")


def _wrong_unit(cases):
    cases["crystal_radius"].attrs["units"] = "km"
    return cases


def _overlap(cases):
    cases["crystal_x"][0], cases["crystal_z"][0] = 0.0, 0.0
    return cases


def _outside(cases):
    cases["crystal_x"][1, 0] = 990.0
    return cases


def _negative_viscosity(cases):
    cases["matrix_viscosity"][0] = -1e20
    return cases


def _nan_radius(cases):
    cases["crystal_radius"][0, 0] = np.nan
    return cases


def _uneven_grid(cases):
    faces = cases["x_face"].values.copy()
    faces[3] += 20.0
    return cases.assign_coords(x_face=("x_face", faces))


def _nothing_of_ours(cases):
    return xr.Dataset({"temperature": ("time", [1.0])})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_drop_variable, ["crystal_density", "missing"]),
        (_wrong_unit, ["crystal_radius", "'km'", "'m'"]),
        (_overlap, ["sample 0", "crystals 0 and 1 overlap"]),
        (_outside, ["sample 1", "crystal 0", "990", "outside"]),
        (_negative_viscosity, ["sample 0", "matrix_viscosity = -1e+20 Pa s", "positive"]),
        (_nan_radius, ["sample 0 crystal 0", "crystal_radius = nan"]),
        (_uneven_grid, ["x_face", "evenly"]),
        (_nothing_of_ours, ["x_face", "crystal_x", "missing"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_cases(command, tmp_path, spoil, words):
    import crystalsim

    cases = crystalsim.get("sampler", "random", cells=16, count=2).sample(2)
    spoil(cases).to_netcdf(tmp_path / "cases.nc")
    result = command("solve", tmp_path / "cases.nc", "--output", tmp_path / "solutions.nc")
    one_line(result, 1, "cases.nc", *words)


def test_files_that_are_no_good(command, tmp_path, cases_file):
    text = tmp_path / "text.nc"
    text.write_text("x, z, radius")
    one_line(command("solve", text, "--output", tmp_path / "a.nc"), 1, "text.nc", "netCDF")
    folder = tmp_path / "folder"
    folder.mkdir()
    one_line(command("solve", folder, "--output", tmp_path / "a.nc"), 1, "folder", "manifest")
    blocked = text / "solutions.nc"
    one_line(command("sample", "--output", blocked), 1, "text.nc", "cannot be written")
    one_line(command("run", "--output", text), 2, "text.nc", "expected a folder")
    one_line(command("run", "--output", text / "run"), 1, "run", "cannot be made")
    solutions = tmp_path / "solutions.nc"
    assert command("--quiet", "solve", cases_file, "--output", solutions).status == 0
    train = ("train", solutions, "--validation", 0.4, "--output", text / "model")
    one_line(command(*train), 1, "model", "cannot be made")
    one_line(command("evaluate", solutions, cases_file), 1, "cases.nc", "velocity_x", "missing")


def test_another_configuration_in_the_same_folder(command, tmp_path, cases_file):
    output = tmp_path / "solutions"
    assert command("solve", cases_file, "--output", output, "--workers", 1).status == 0
    result = command("solve", cases_file, "--output", output, "-o", "solver.tolerance=1e-2")
    one_line(result, 1, "solutions", "solver.tolerance", "0.01")


def test_predictions_of_other_samples(command, tmp_path, cases_file):
    import crystalsim

    solutions = crystalsim.get("solver", "builtin").solve(crystalsim.open(cases_file))
    crystalsim.save(solutions, tmp_path / "reference.nc")
    crystalsim.save(solutions.isel(sample=slice(3)), tmp_path / "prediction.nc")
    result = command("evaluate", tmp_path / "reference.nc", tmp_path / "prediction.nc")
    one_line(result, 1, "5 samples", "3")


def test_damaged_checkpoints(command, tmp_path, cases_file):
    folder = tmp_path / "model"
    folder.mkdir()
    arguments = ("predict", cases_file, "--model", folder, "--output", tmp_path / "a.nc")
    one_line(command(*arguments), 1, "model.json", "No such file")
    (folder / "model.json").write_text("{}")
    one_line(command(*arguments), 1, "model.json", "plugin")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nowhere", ["ModuleNotFoundError", "nowhere"]),
        ("def broken(:", ["SyntaxError"]),
        (
            """
            from crystalsim.hookspecs import hookimpl

            @hookimpl
            def crystalsim_solver():
                return []
            """,
            ["crystalsim_solver", "unknown hook"],
        ),
        (
            """
            from crystalsim.hookspecs import hookimpl

            @hookimpl
            def crystalsim_solvers():
                raise RuntimeError("no licence")
            """,
            ["RuntimeError", "no licence"],
        ),
    ],
    ids=["missing import", "syntax error", "misspelt hook", "hook that raises"],
)
def test_a_broken_plugin_is_reported_once_and_left_out(process, distribution, source, words):
    distribution("bad-plugin", source)
    result = process("plugins")
    assert result.status == 1
    assert "builtin" in result.out
    (line,) = result.err.splitlines()
    for word in ("bad-plugin 1.0", "broken", *words):
        assert word in line
    # Whatever does not need it goes on.
    assert process("describe", "solver", "builtin").status == 0
    assert process("check", "bad-plugin").status == 1


def test_a_broken_target_matters_when_it_is_used(process, distribution):
    distribution(
        "hollow-plugin",
        """
        from crystalsim.hookspecs import Plugin, hookimpl

        @hookimpl
        def crystalsim_solvers():
            return [Plugin("hollow", "hollow_nowhere:Solver", "has no class")]
        """,
    )
    assert process("plugins").status == 0
    one_line(process("describe", "solver", "hollow"), 2, "hollow-plugin 1.0", "hollow_nowhere")
    checked = process("check", "hollow-plugin")
    assert checked.status == 1
    assert "hollow_nowhere" in checked.out


def test_two_plugins_of_one_name(process, distribution):
    distribution("other-plugin", FINE)
    assert process("plugins").status == 0
    result = process("describe", "solver", "builtin")
    one_line(result, 2, "ambiguous", "crystalsim-builtin/builtin", "other-plugin/builtin")
    assert process("describe", "solver", "crystalsim-builtin/builtin").status == 0


def test_plugins_can_be_left_out(process, distribution, environment):
    distribution("bad-plugin", "import nowhere")
    result = process("--no-plugins", "plugins")
    assert (result.status, result.out, result.err) == (0, "no plugins are installed\n", "")
    environment["CRYSTALSIM_DISABLE_PLUGINS"] = "bad-plugin"
    assert process("plugins").status == 0
