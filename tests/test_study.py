"""Studies: variants, tests, resuming, the examples."""

import csv
from pathlib import Path

import pytest

from crystalsim.config.study import read_study
from crystalsim.errors import OptionError, PluginError
from crystalsim.evaluation.studies import table_text
from crystalsim.workflows.study import run_study

EXAMPLES = sorted((Path(__file__).parents[1] / "examples" / "studies").glob("*.toml"))

SMALL = """
title = "small"
test_samples = 3

[run]
model.plugin = "dilute"
baselines = ["isoviscous"]
evaluators = ["fields", "crystals"]
samples = { training = 2, validation = 1, test = 1 }
sampler = { cells = 16, radius = [100.0, 200.0], count = 1 }

[variants.a]
[variants.b]
model.plugin = "superposition"

[tests.one]
[tests."two crystals"]
count = 2
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_are_valid(path):
    study = read_study(path)
    assert study.tests
    assert study.title != path.stem


def test_each_model_on_each_test(file, tmp_path):
    study = read_study(file)
    entries = run_study(study, tmp_path / "out")
    labels = ["dilute, a", "isoviscous", "superposition, b"]
    assert [e.label for e in entries if e.test == "one"] == labels
    errors = {(e.label, e.test): e.errors["relative_l2"][0] for e in entries}
    # A lone crystal is what superposition is exact for, and dilute nearly.
    assert errors["superposition, b", "one"] < 1e-3
    assert errors["superposition, b", "two crystals"] > 1e-3
    assert errors["isoviscous", "one"] > errors["dilute, a", "one"]
    rows = list(csv.DictReader((tmp_path / "out" / "study.csv").open()))
    assert len(rows) == 2 * len(entries)
    text = table_text(entries, "relative_l2")
    title, _, head, *_ = text.splitlines()
    assert title == "relative L2 error of the velocity [%]"
    assert head.split() == ["model", "one", "two", "crystals"]


def test_the_command_goes_on_where_it_was_stopped(command, figures, file, tmp_path):
    out = tmp_path / "out"
    first = command("study", file, "--output", out)
    assert first.status == 0, first.err
    panels = figures["study.png"].axes
    for axes in panels:
        names = axes.get_legend_handles_labels()[1]
        assert names == ["dilute, a", "isoviscous", "superposition, b"]
    assert [label.get_text() for label in panels[-1].get_xticklabels()] == ["one", "two crystals"]
    kept = {p: p.stat().st_mtime_ns for p in out.rglob("*.nc")}
    lost = next(p for p in kept if p.name == "isoviscous.nc" and "tests" in p.parts)
    lost.unlink()
    again = command("study", file, "--output", out)
    assert again.out == first.out
    changed = [p for p in kept if p.stat().st_mtime_ns != kept[p]]
    assert changed == [lost]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[tests.one]", "[test.one]"), "unknown setting 'test'"),
        (("count = 2", "cuont = 2"), "cuont"),
        (("test_samples = 3", "test_samples = 0"), "test_samples = 0; expected"),
        (("superposition", "superpositoin"), "superpositoin"),
    ],
)
def test_mistakes_are_named(file, change, message):
    file.write_text(SMALL.replace(*change), encoding="utf-8")
    with pytest.raises((OptionError, PluginError), match=message):
        read_study(file)


def test_a_study_without_tests_is_refused(file):
    file.write_text("title = 'x'\n", encoding="utf-8")
    with pytest.raises(OptionError, match=r"at least one table \[tests.NAME\]"):
        read_study(file)
