"""The commands from the outside."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import xarray as xr

from crystalsim.cli.main import COMMANDS
from crystalsim.config.run import resolve
from crystalsim.options import make_options, parse_assignments, read_toml, to_toml
from crystalsim.registry import registry

EXAMPLES = Path(__file__).parent.parent / "examples"

PLUGINS = {
    "sampler": {"random", "list"},
    "solver": {"builtin"},
    "model": {"polarization", "unet", "fno", "isoviscous"},
    "evaluator": {"fields", "crystals", "physics", "spectrum", "strata", "interaction", "cost"},
}
SHARED = {"isoviscous": "baselines"} | dict.fromkeys(
    ("physics", "spectrum", "strata", "interaction", "cost"), "analysis"
)


def distribution(name):
    return f"crystalsim-{SHARED.get(name, name)}"


def test_stage_by_stage(command, tmp_path):
    cases, solutions = tmp_path / "cases.nc", tmp_path / "solutions.nc"
    drawn = command("sample", "-n", 4, "-o", "sampler.cells=16", "--seed", 5, "--output", cases)
    assert drawn.status == 0
    assert "4 samples of 1-3 crystals on 16 x 16 cells" in drawn.out
    solved = command("solve", cases, "--solver", "builtin", "--output", solutions, "--workers", 1)
    assert solved.status == 0
    assert bool(xr.load_dataset(solutions)["converged"].all())
    assert xr.load_dataset(solutions).attrs["seed"] == 5
    prediction = tmp_path / "prediction.nc"
    predicted = command("predict", solutions, "--model", "isoviscous", "--output", prediction)
    assert predicted.status == 0
    scores = tmp_path / "scores"
    judged = command("evaluate", solutions, prediction, "--output", scores)
    assert judged.status == 0
    mean = float(xr.load_dataset(scores / "fields.nc")["relative_l2"].mean())
    shown = re.search(r"^relative_l2 +% +(\S+)", judged.out, re.MULTILINE)
    assert shown and float(shown[1]) == pytest.approx(100 * mean, rel=1e-3)
    # Inputs are no scores: they stand apart, without a worst sample.
    inputs = judged.out.split("inputs and context")[1]
    assert "stratum_radius" in inputs and "stratum_radius" not in judged.out.split("strata:")[0]
    assert 0.001 < mean < 0.5


def test_train_and_predict_from_the_folder(command, tmp_path, cases_file):
    solutions, folder = tmp_path / "solutions.nc", tmp_path / "model"
    assert command("solve", cases_file, "--output", solutions, "--workers", 1).status == 0
    trained = command(
        "train", solutions, "--model", "isoviscous", "--validation", 0.4, "--output", folder
    )
    assert trained.status == 0
    assert json.loads((folder / "model.json").read_text())["plugin"] == "isoviscous"
    for source, output in ((folder, tmp_path / "a.nc"), ("isoviscous", tmp_path / "b.nc")):
        assert command("predict", cases_file, "--model", source, "--output", output).status == 0
    a, b = (xr.load_dataset(tmp_path / f"{n}.nc").drop_vars("wall_time") for n in "ab")
    assert a.equals(b)


@pytest.mark.parametrize("share", ["0", "1", "0.01", "-1"])
def test_validation_leaves_samples_on_both_sides(command, tmp_path, cases_file, share):
    solutions = tmp_path / "solutions.nc"
    assert command("solve", cases_file, "--output", solutions, "--workers", 1).status == 0
    result = command("train", solutions, "--validation", share, "--output", tmp_path / "model")
    assert result.status == 2
    assert "--validation" in result.err and "Traceback" not in result.err


def test_flags_win_over_the_file_and_that_over_defaults(command, tmp_path):
    configuration = tmp_path / "run.toml"
    configuration.write_text('seed = 7\n[sampler]\nplugin = "random"\ncells = [8, 24]\nradius = 50')
    output = tmp_path / "cases.nc"
    flags = ("-o", "sampler.radius=60", "-o", "sampler.count=2")
    result = command("sample", "-n", 2, "--config", configuration, *flags, "--output", output)
    assert result.status == 0
    cases = xr.load_dataset(output)
    assert (cases.sizes["x"], cases.sizes["z"]) == (8, 24)
    assert cases.attrs["seed"] == 7
    assert (cases["crystal_radius"] == 60).all()
    assert (cases["crystal_count"] == 2).all()
    assert (cases["matrix_density"] == 2700).all()
    assert json.loads(cases.attrs["crystalsim_config"])["sampler"]["radius"] == 60


def test_the_same_seed_draws_the_same_cases(command, tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        output = tmp_path / f"{name}.nc"
        assert command("sample", "-n", 3, "--seed", seed, "--output", output).status == 0
    a, b, c = (xr.load_dataset(tmp_path / f"{name}.nc") for name in "abc")
    assert a.equals(b)
    assert not a.equals(c)


def test_plugins_are_listed(command):
    shown = command("plugins")
    assert shown.status == 0
    listed = json.loads(command("plugins", "--json").out)
    assert listed["problems"] == []
    for kind, names in PLUGINS.items():
        found = {row["name"]: row for row in listed["plugins"] if row["kind"] == kind}
        assert names <= set(found)
        for name in names:
            row = found[name]
            assert row["distribution"] == distribution(name)
            assert f"{row['distribution']} {row['version']}" in shown.out
            assert row["summary"] in shown.out


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in PLUGINS.items() for name in sorted(names)]
)
def test_every_plugin_is_described_and_loads(command, kind, name):
    described = command("describe", kind, name)
    assert described.status == 0
    assert f"from {distribution(name)} " in described.out
    checked = command("check", distribution(name))
    assert checked.status == 0
    assert f"fine    {kind} {name}\n" in checked.out


@pytest.mark.parametrize(("kind", "name"), [("sampler", "random"), ("solver", "builtin")])
def test_described_options_can_be_given_back(command, kind, name):
    described = command("describe", kind, name).out
    shown = re.findall(r"^  -o (.*)$", described, re.MULTILINE)
    options_class = registry().options_class(kind, name)
    assert len(shown) == len(dataclasses.fields(options_class)) > 3
    values = parse_assignments(shlex.split(" ".join(shown)))[kind]
    assert make_options(options_class, values, where=kind) == options_class()


def test_options_are_described(command):
    described = command("describe", "solver", "builtin").out
    assert "harmonic | geometric | arithmetic | point" in described
    assert "relative error of the flow to stop at" in described


def test_tables_survive_toml():
    tables = {
        "seed": 3,
        "names": ["a", 'quo"ted', "NaN.csv", "Ä"],
        "limits": [float("inf"), 1e-300, -0.5],
        "sampler": {"crystals": [{"x": 1.0, "fixed": True}], "file": ""},
        "evaluator": {"other/fields": {"points": 3}},
    }
    assert tomllib.loads(to_toml(tables)) == tables


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_examples_are_valid(path):
    text = path.read_text()
    assert f"--config examples/{path.name}" in text
    resolved = resolve(read_toml(path))
    assert resolved.as_dict()["model"]["plugin"] in PLUGINS["model"]


def test_the_standard_example_spells_out_the_defaults():
    tables = read_toml(EXAMPLES / "standard.toml")
    given, default = resolve(tables), resolve({})
    names = ("sampler", "solver", "model", "samples", "seed", "baselines", "evaluators")
    for name in names:
        assert getattr(given, name) == getattr(default, name)


def test_crystals_placed_by_hand(command, tmp_path):
    output = tmp_path / "cases.nc"
    configuration = EXAMPLES / "two_crystals.toml"
    assert command("sample", "--config", configuration, "--output", output).status == 0
    cases = xr.load_dataset(output)
    assert cases["crystal_x"].values.tolist() == [[0.0, 60.0]]
    assert cases["crystal_density"].values.tolist() == [[3000.0, 3200.0]]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples(command, name):
    shown = command(name, "--help")
    assert shown.status == 0
    assert "Examples:" in shown.out
    assert f"crystalsim {name}" in shown.out.split("Examples:")[1]
    listed = command("--help").out
    assert re.search(rf"^ +{name} +\w", listed, re.MULTILINE)


def test_version(command):
    import crystalsim

    assert command("--version").out.split()[-1] == crystalsim.__version__


def test_quiet_leaves_stderr_empty(command, tmp_path, cases_file):
    output = tmp_path / "solutions.nc"
    result = command("--quiet", "solve", cases_file, "--output", output, "--workers", 1)
    assert (result.status, result.err) == (0, "")


def test_commands_of_plugins(process, distribution):
    distribution(
        "movie-plugin",
        """
        import click
        from crystalsim.errors import CrystalsimError
        from crystalsim.hookspecs import Plugin, hookimpl

        @click.command()
        @click.argument("film")
        def movie(film):
            if film == "bad":
                raise CrystalsimError("no such film: bad")
            click.echo(f"showing {film}")

        @hookimpl
        def crystalsim_commands():
            return [Plugin("movie", "movie_plugin:movie", "draw a film")]
        """,
    )
    assert "draw a film" in process("plugins").out
    assert process("movie", "crystals").out == "showing crystals\n"
    failed = process("movie", "bad")
    assert (failed.status, failed.err) == (1, "Error: no such film: bad\n")


def test_unknown_commands_and_flags(command):
    for arguments, culprit in ((("slove",), "slove"), (("run", "--slover", "x"), "--slover")):
        result = command(*arguments)
        assert result.status == 2
        assert culprit in result.err and "Traceback" not in result.err
