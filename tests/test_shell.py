"""What a new user of the shell stumbled over, each by its number in the list of complaints.

2 options vanish, 3 commands fail as written, 13 the chain is not checked; the rest are rough edges
and what was expected and absent.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim.config.run import DEFAULTS, resolve
from crystalsim.options import parse_assignments
from crystalsim.registry import KINDS, registry
from crystalsim.runtime.words import listed, plural, span

PLUGINS = [
    (kind, entry.qualified_name)
    for kind in KINDS[:4]
    for entry in registry().entries(kind)
    if entry.distribution.startswith("crystalsim")
]

NEEDED = {"crystalsim-list/list": {"file": "crystals.csv"}}
"""Options without which a plugin does nothing."""


@pytest.fixture
def solved(command, tmp_path, cases_file):
    """Make solutions and two predictions of the small cases."""
    solutions, prediction = tmp_path / "solutions.nc", tmp_path / "dilute.nc"
    assert command("solve", cases_file, "--output", solutions, "--workers", 1).status == 0
    assert command("predict", cases_file, "--model", "dilute", "--output", prediction).status == 0
    return solutions, prediction


def refused(result, *words, status=2):
    """Assert that a command was refused in one line with all these words."""
    assert result.status == status, result.err
    assert "Traceback" not in result.err
    message = " ".join(result.err.split("Error: ")[-1].split())
    for word in words:
        assert word in message
    return message


# 2: options vanish


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            "sample --output c.nc -o solver.tolerance=1",
            ("solver.tolerance", "takes: sampler, seed"),
        ),
        ("solve c.nc --output s.nc -o model.foo=1", ("model.foo", "it takes: solver")),
        ("solve c.nc --output s.nc -o seed=3", ("'seed'", "it takes: solver")),
        ("solve c.nc --output s.nc -o slover.tolerance=1", ("slover.tolerance", "mean 'solver'")),
        ("solve c.nc --output s.nc -o tolerance=1", ("did you mean 'solver.tolerance'",)),
        ("train s.nc --output m -o solver.tolerance=1", ("solver.tolerance", "it takes: model")),
        ("validate builtin -o evaluator.crystals.separation=1", ("evaluator", "it takes: solver")),
        ("compare a.nc b.nc -o solver.builtin.tolerance=1", ("solver.builtin", "it takes: eval")),
        ("compare a.nc b.nc --cells 32", ("--cells", "--solvers")),
        ("compare a.nc --solvers builtin -o solver.lamem.cores=1", ("solver.lamem", "builtin")),
        ("compare a.nc --solvers builtin -o solver.builtin.tolerence=1", ("builtin.tolerance'",)),
        ("predict c.nc --output p.nc --solver builtin", ("--solver", "--refine")),
        ("run -o sample.training=3", ("sample.training", "did you mean 'samples'")),
        ("run --seed 3 -o seed=4", ("seed", "twice")),
        ("run --model unet -o model.plugin=fno", ("model.plugin", "twice")),
    ],
)
def test_2_options_of_no_use_are_refused(command, arguments, words):
    refused(command(*shlex.split(arguments)), *words)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("evaluator.detection_distance=0.2", ("did you mean 'evaluator.crystals.detection_",)),
        ("evaluator.bogus=1", ("evaluator.bogus", "expected evaluator.NAME.OPTION")),
        ("evaluator.crystal.separation=1", ("did you mean 'crystals'",)),
        ("evaluator.crystals.seperation=1", ("did you mean 'evaluator.crystals.separation'",)),
        ("evaluator.cost.samples=1", ("'cost', which is not used", "crystals")),
        ("evaluator=3", ("expected tables",)),
    ],
)
def test_2_options_of_evaluators_are_used_or_refused(command, tmp_path, option, words):
    judge = ("evaluate", "a.nc", "b.nc", "--evaluator", "crystals", "-o", option)
    refused(command(*judge), *words)
    table = tmp_path / "run.toml"
    tables = parse_assignments([option])
    if option != "evaluator.cost.samples=1":
        table.write_text(_toml(tables))
        refused(command("evaluate", "a.nc", "b.nc", "--config", table))


def _toml(tables):
    from crystalsim.options import to_toml

    return to_toml(tables)


def test_2_the_described_option_of_an_evaluator_works(command, solved):
    shown = command("describe", "evaluator", "crystals").out
    assert "-o evaluator.crystals.detection_distance=1.0" in shown
    judge = ("evaluate", *solved, "--evaluator", "crystals", "--json")
    rates = [
        json.loads(command(*judge, "-o", f"evaluator.crystals.detection_distance={d}").out)
        for d in (1e-6, 1e6)
    ]
    assert [r["crystals"]["detection_rate"]["mean"] for r in rates] == [0.0, 1.0]


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_2_everything_described_can_be_typed(command, kind, name):
    described = command("describe", kind, name)
    shown = re.findall(r"^  -o (.*)$", described.out, re.MULTILINE)
    tables = parse_assignments(shlex.split(" ".join(s for s in shown if not s.endswith("=..."))))
    if kind == "evaluator":
        resolve({"evaluators": [name], "evaluator": tables.get("evaluator", {name: {}})})
    else:
        resolve(tables, {kind: {"plugin": name, **NEEDED.get(name, {})}})


def test_2_a_file_may_be_shared_but_is_checked_whole(command, tmp_path, cases_file):
    shared = tmp_path / "shared.toml"
    shared.write_text(
        'seed = 2\nevaluators = ["fields"]\n[samples]\ntraining = 10\n[model]\nplugin = "unet"\n'
        "epochs = 2\n[solver]\ntolerance = 1e-2\n[evaluator.crystals]\nseparation = 2.0\n"
    )
    solve = ("solve", cases_file, "--workers", 1, "--config", shared, "--output")
    assert command(*solve, tmp_path / "a.nc").status == 0
    config = json.loads(xr.load_dataset(tmp_path / "a.nc").attrs["crystalsim_config"])
    assert config["solver"]["tolerance"] == 1e-2
    for old, new, word in (
        ("epochs = 2", "epoch = 2", "did you mean 'model.epochs'"),
        ("[samples]", "[sample]", "did you mean 'samples'"),
        ("training = 10", "training = 0", "samples.training"),
        ("separation = 2.0", "seperation = 2.0", "did you mean 'evaluator.crystals.separation'"),
        ('["fields"]', '["field"]', "did you mean 'fields'"),
    ):
        wrong = tmp_path / "wrong.toml"
        wrong.write_text(shared.read_text().replace(old, new))
        refused(command(*solve[:-2], wrong, "--output", tmp_path / "b.nc"), word)


def test_2_evaluators_of_a_file_are_used(command, tmp_path, solved):
    table = tmp_path / "run.toml"
    table.write_text('evaluators = ["fields"]')
    shown = json.loads(command("evaluate", *solved, "--config", table, "--json").out)
    assert list(shown) == ["fields"]


def test_2_flags_that_would_be_ignored_are_refused(command, tmp_path, solved):
    solutions, prediction = solved
    figure = tmp_path / "a.png"
    refused(command("plot", solutions, "--metric", "relative_l2", "--output", figure), "--metric")
    measured = tmp_path / "measured.csv"
    measured.write_text("x,z,vx,vz\n0,0,0,1e-9\n10,10,0,1e-9\n")
    judge = ("evaluate", measured, prediction)
    refused(command(*judge, "--evaluator", "fields"), "--evaluator", "measurement")
    assert command(*judge).status == 0


# 3: commands fail as written (the texts themselves: test_documentation.py)


def test_3_a_refusal_names_the_two_differences_that_matter(command, tmp_path, cases_file):
    output = tmp_path / "solutions"
    solve = ("solve", cases_file, "--workers", 1, "--output", output)
    assert command(*solve).status == 0
    message = refused(command(*solve, "--solver", "direct"), status=1)
    assert "(solver.plugin: 'builtin' -> 'direct')" in message
    assert "--overwrite" in message
    options = ("tolerance=1e-2", "average=point", "maximum_iterations=9", "precision=single")
    changed = [part for option in options for part in ("-o", f"solver.{option}")]
    message = refused(command(*solve, *changed), status=1)
    assert message.count("->") == 2
    assert "and 2 more" in message


def test_3_overwrite_puts_the_new_in_the_place_of_the_old(command, tmp_path, solved, cases_file):
    solutions, prediction = solved
    scores, model = tmp_path / "scores", tmp_path / "model"
    judge = ("evaluate", solutions, prediction, "--evaluator", "crystals", "--output", scores)
    train = ("train", solutions, "--model", "isoviscous", "--validation", 0.4, "--output", model)
    solve = ("solve", cases_file, "--workers", 1, "--output")
    folder = (*solve, tmp_path / "shards")
    for first, other in (
        (("sample", "-n", 2, "--output", tmp_path / "drawn.nc"), ("-o", "sampler.cells=8")),
        (
            ("solve", cases_file, "--workers", 1, "--output", solutions),
            ("-o", "solver.tolerance=0.1"),
        ),
        (folder, ("-o", "solver.tolerance=0.1", "--shard-size", 2)),
        (("predict", cases_file, "--output", prediction), ("--model", "isoviscous")),
        (judge, ("-o", "evaluator.crystals.separation=2.0")),
        (train, ("--seed", 5)),
    ):
        command(*first)
        refused(command(*first, *other), status=1)
        done = command(*first, *other, "--overwrite")
        assert done.status == 0, done.err
        assert command(*first, *other).status == 0
    assert sorted(p.name for p in (tmp_path / "shards").glob("*.nc")) == [
        f"shard-{i:05d}.nc" for i in range(3)
    ]


def test_3_overwrite_spares_what_the_command_did_not_make(command, tmp_path, cases_file):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.jpeg").write_text("cat")
    for output in (photos, tmp_path):
        for arguments in (("solve", cases_file), ("train", cases_file), ("run",)):
            result = command(*arguments, "--output", output, "--overwrite")
            assert result.status in (1, 2)
            assert (photos / "cat.jpeg").read_text() == "cat"
            assert cases_file.is_file()
    refused(command("solve", cases_file, "--output", cases_file, "--overwrite"), "made from")
    array = ("solve", cases_file, "--output", tmp_path / "s", "--shard", "1/2", "--overwrite")
    refused(command(*array), "--shard")


# 13: the chain is checked before anything is solved


@pytest.mark.parametrize("walls", ["no_slip", "periodic_sides"])
@pytest.mark.parametrize("model", ["polarization", "unet", "isoviscous"])
def test_13_a_model_that_needs_free_slip_is_refused_before_solving(command, tmp_path, walls, model):
    output = tmp_path / "run"
    chosen = ("--model", model, "-o", f"solver.walls={walls}", "-o", "baselines=[]")
    result = command("run", *chosen, "--output", output)
    refused(result, f"model '{model}'", "solver 'builtin'", walls, status=1)
    assert not output.exists()
    refused(command("run", *chosen, "--output", output, "--dry-run"), walls, status=1)


def test_13_baselines_are_checked_too(monkeypatch):
    from crystalsim.errors import UnsupportedError
    from crystalsim.workflows import chain

    class Anything:
        def check_solutions(self, solutions):
            assert solutions.sizes["sample"] == 1
            assert max(solutions.sizes["x"], solutions.sizes["z"]) <= chain.CELLS

    config = resolve({"solver": {"walls": "no_slip"}, "baselines": ["dilute"]})
    monkeypatch.setattr(chain, "_predictors", _with_model(chain._predictors, Anything()))
    with pytest.raises(UnsupportedError, match="baseline 'dilute' does not go with solver"):
        chain.check_chain(config)
    chain.check_chain(resolve({"solver": {"walls": "no_slip"}, "baselines": []}))
    chain.check_chain(resolve({}))


def _with_model(predictors, model):
    return lambda config: [("model 'anything'", model), *predictors(config)[1:]]


# Rough


def test_near_commands_are_named(command):
    refused(command("slove"), "no such command 'slove'; did you mean 'solve'?")
    refused(command("sample", "--outptu", "x"), "--output")


def test_numbers_have_the_right_noun(command, tmp_path):
    assert [plural(n, "sample") for n in (0, 1, 2)] == ["0 samples", "1 sample", "2 samples"]
    assert plural(2, "process", "processes") == "2 processes"
    assert [span(*s, "crystal") for s in ((0, 0), (1, 1), (2, 2), (1, 3))] == [
        "no crystals",
        "1 crystal",
        "2 crystals",
        "1-3 crystals",
    ]
    assert (listed([1, 2]), listed(range(12), 2)) == ("1, 2", "0, 1 ...")
    output = tmp_path / "one.nc"
    drawn = command("sample", "-o", "sampler.count=0", "--output", output)
    assert "1 sample of no crystals on 64 x 64 cells" in drawn.out
    assert "1 sample\n" in command("solve", output, "--output", tmp_path / "s.nc").out


def test_nothing_converged_is_no_success(command, tmp_path, cases_file):
    output = tmp_path / "solutions.nc"
    early = ("-o", "solver.maximum_iterations=1", "-o", "solver.tolerance=1e-9")
    solve = ("solve", cases_file, "--workers", 1, *early, "--output", output)
    for _ in range(2):  # made, and found there
        result = command(*solve)
        refused(result, "none of 5 samples converged", status=1)
        assert "left out of training" not in result.err
    assert xr.load_dataset(output).sizes["sample"] == 5


@pytest.mark.parametrize("name", ["a.zarr", "a.h5", "a"])
def test_cases_go_into_netcdf_alone(command, tmp_path, name):
    refused(command("sample", "--output", tmp_path / name), "expected a file (.nc)")
    assert not (tmp_path / name).exists()


def test_solutions_go_into_netcdf_or_a_folder(command, tmp_path, cases_file):
    output = tmp_path / "a.zarr"
    refused(command("solve", cases_file, "--output", output), "a file (.nc) or a folder")


def test_crystals_are_counted_from_zero_everywhere(command, tmp_path, solved, figures):
    solutions, prediction = solved
    table = tmp_path / "crystals.csv"
    assert command("export", solutions, table).status == 0
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert {row["sample"] for row in rows} == {"0", "1", "2", "3", "4"}
    assert {row["crystal"] for row in rows} == {"0", "1"}
    command("plot", solutions, prediction, "--sample", 1, "--output", tmp_path / "both.png")
    axes = [a for a in figures["both.png"].axes if a.get_xlabel() == "crystal"]
    assert axes and all(line.get_xdata()[0] == 0 for line in axes[0].lines[:2])


def test_progress_in_a_pipe_is_one_line_with_a_name(process, tmp_path, cases_file):
    done = process("predict", cases_file, "--model", "dilute", "--output", tmp_path / "p.nc")
    assert re.fullmatch(r"predicting \(dilute\): 5 samples in \d\d:\d\d\n", done.err)
    done = process("-q", "predict", cases_file, "--model", "dilute", "--output", tmp_path / "q.nc")
    assert done.err == ""


def test_progress_is_a_widget_in_notebooks():
    code = """
import sys, types
for name in ("IPython", "ipykernel.zmqshell"):  # what tqdm takes for a notebook
    sys.modules[name] = types.ModuleType(name)
sys.modules["IPython"].get_ipython = lambda: None
import tqdm.notebook
tqdm.notebook.IProgress = object  # as if ipywidgets were installed
from crystalsim.runtime import progress
print(progress._in_notebook(), issubclass(progress._Bar, tqdm.notebook.tqdm))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"


def test_help_of_run_tells_its_tables(command):
    shown = command("run", "--help").out
    for table in ("sampler", "solver", "model", "samples", "baselines", "evaluators", "seed"):
        assert re.search(rf"^  .*\b{table}\b", shown.split("Tables of")[1], re.MULTILINE)


# Expected and absent


def test_json_everywhere(command, tmp_path, solved, cases_file):
    def shown(*arguments):
        return json.loads(command(*arguments, "--json").out, parse_constant=pytest.fail)

    scores = shown("evaluate", *solved, "--evaluator", "fields", "--output", tmp_path / "scores")
    mean = float(xr.load_dataset(tmp_path / "scores" / "fields.nc")["relative_l2"].mean())
    assert scores["fields"]["relative_l2"]["mean"] == pytest.approx(mean)
    assert scores["fields"]["relative_l2"]["units"] == "1"
    compared = shown("compare", *solved, "--output", tmp_path / "comparison")
    assert compared["solutions"]["dilute"]["relative_l2.mean"] == pytest.approx(mean, rel=0.2)
    checks = shown("validate", "builtin", "--cells", 16)["builtin"]
    assert all({"name", "errors", "bounds", "passed"} <= set(check) for check in checks)
    assert shown("verify", cases_file) == {"files": 1, "damaged": []}
    damaged = tmp_path / "damaged.nc"
    damaged.write_text("no")
    assert shown("verify", damaged)["damaged"][0]["path"] == str(damaged)
    assert shown("plugins")["problems"] == []


def test_dry_run_says_what_would_be_done(command, tmp_path):
    output = tmp_path / "run"
    result = command("run", "-o", "samples.test=7", "--output", output, "--dry-run")
    assert result.status == 0, result.err
    assert not output.exists()
    assert "1607 samples (1500 training, 100 validation, 7 test) on 64 x 64 cells" in result.out
    assert re.search(r"about [\d.e+]+ s with \d+ process", result.out)
    assert re.search(r"\d MB before compression", result.out)
    for name in (*DEFAULTS["baselines"], *DEFAULTS["evaluators"]):
        assert name in result.out


def test_init_writes_the_defaults(command, tmp_path):
    printed = command("init").out
    assert resolve(tomllib.loads(printed)) == resolve({})
    assert "# int: samples to train on\ntraining = 1500\n" in printed
    path = tmp_path / "unet.toml"
    assert command("init", "--model", "unet", path).status == 0
    assert resolve(tomllib.loads(path.read_text())) == resolve({"model": {"plugin": "unet"}})
    assert command("init", "--model", "unet", path).status == 0
    refused(command("init", path), "--overwrite", status=1)
    assert command("init", path, "--overwrite").status == 0
    assert path.read_text().splitlines()[4:] == printed.splitlines()[4:]


@pytest.mark.parametrize(("kind", "name"), [p for p in PLUGINS if p[0] != "evaluator"])
def test_init_knows_every_plugin(command, kind, name):
    tables = tomllib.loads(command("init", f"--{kind}", name).out)
    chosen = {kind: {"plugin": name, **NEEDED.get(name, {})}}
    assert resolve(tables, chosen) == resolve(chosen)


def test_describe_run(command):
    shown = command("describe", "run").out
    given = [s for s in re.findall(r"^  -o (.*)$", shown, re.MULTILINE) if "=..." not in s]
    assert resolve(parse_assignments(shlex.split(" ".join(given)))) == resolve({})
    refused(command("describe", "run", "builtin"), "`run` alone")
    refused(command("describe", "solver"), "NAME")


@pytest.mark.parametrize(
    ("words", "expected"),
    [("crystalsim so", "solve"), ("crystalsim solve --solver bu", "builtin")],
)
def test_shells_complete(words, expected):
    environment = {
        **os.environ,
        "_CRYSTALSIM_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    code = "import sys; sys.argv = ['crystalsim']; from crystalsim.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert f"plain,{expected}" in done.stdout, done.stderr


def test_scores_as_csv(command, tmp_path, solved):
    table = tmp_path / "scores.csv"
    judge = ("evaluate", *solved, "--evaluator", "fields", "--evaluator", "crystals")
    assert command(*judge, "--output", table).status == 0
    rows = list(csv.DictReader(table.read_text().splitlines()))
    means = json.loads(command(*judge, "--json").out)
    for evaluator, score in (("fields", "relative_l2"), ("crystals", "detection_rate")):
        values = [float(r["value"]) for r in rows if r["score"] == score]
        assert np.mean(values) == pytest.approx(means[evaluator][score]["mean"])
    assert {r["crystal"] for r in rows if r["evaluator"] == "fields"} == {""}
    assert {r["crystal"] for r in rows if r["evaluator"] == "crystals"} >= {"0", "1"}
    table.write_text("mine")
    refused(command(*judge, "--output", table), "--overwrite", status=1)


# 10: Python


def test_10_jobs_from_python(tmp_path, monkeypatch):
    monkeypatch.setenv("CRYSTALSIM_QUIET", "1")
    cases = crystalsim.get("sampler", "random", cells=16).sample(4, seed=1)
    solutions = crystalsim.solve(cases, tmp_path / "solutions", tolerance=1e-2)
    made = {p: p.stat().st_mtime_ns for p in (tmp_path / "solutions").glob("shard*")}
    again = crystalsim.solve(cases, tmp_path / "solutions", tolerance=1e-2)
    assert made == {p: p.stat().st_mtime_ns for p in (tmp_path / "solutions").glob("shard*")}
    xr.testing.assert_identical(solutions, again)
    halves = solutions.isel(sample=slice(2)), solutions.isel(sample=slice(2, None))
    small = {"epochs": 1, "levels": 2, "width": 4}
    model = crystalsim.train(*halves, tmp_path / "model", "unet", **small)
    loaded = crystalsim.load_model(tmp_path / "model")
    a, b = (each.predict(cases)["velocity_x"] for each in (model, loaded))
    xr.testing.assert_equal(a, b)
