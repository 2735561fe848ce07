"""What evaluators declare is all that tables, reports, figures, studies and explorations know."""

import csv
import html
import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim.config.exploration import read_exploration
from crystalsim.config.run import resolve
from crystalsim.errors import OptionError, PluginError, SchemaError
from crystalsim.evaluation.declarations import declared, declared_figures, drawing, find_metric
from crystalsim.evaluation.scores import Scoring, make_scores
from crystalsim.evaluation.tables import columns, quoted_rows, row, table_text
from crystalsim.metrics import PERCENT, Column, Metric, ScoreFigure
from crystalsim.registry import registry
from crystalsim.testing import example_solutions
from crystalsim.workflows import run as pipeline
from crystalsim.workflows.exploration.search import explore

CORE = Path(crystalsim.__file__).parent

THIRD_PARTY = {
    "evaluators": ["fields", "energy"],
    "baselines": ["isoviscous"],
    "model": {"plugin": "dilute"},
    "samples": {"training": 2, "validation": 1, "test": 4},
    "sampler": {"cells": 16, "radius": [100.0, 200.0]},
}


def evaluators():
    return [entry.plugin.name for entry in registry().entries("evaluator")]


def test_the_core_names_no_score():
    names = {n for e in evaluators() for n in registry().load("evaluator", e).metrics}
    # Words of the core's own: an operator, a contrast of a check, and what a run itself measures.
    names -= {"divergence", "rigidity", "prediction_time", "solver_time"}
    assert len(names) > 40
    pattern = re.compile(rf"\b({'|'.join(names)}|\w+_by_count\.png)\b")
    # `learning` has losses of its own, and one is the relative L2 norm.
    for path in sorted(CORE.rglob("*")):
        if path.suffix in (".py", ".html", ".js") and "learning" not in path.parts:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                assert not pattern.search(line), f"{path}:{number}: {line}"


def test_declarations_travel_in_a_file(tmp_path):
    reference = example_solutions()
    for name in evaluators():
        evaluator = crystalsim.get("evaluator", name)
        scores = evaluator.evaluate(reference, reference)
        crystalsim.save(scores, tmp_path / f"{name}.nc")
        again = crystalsim.open(tmp_path / f"{name}.nc", "scores")
        assert declared(again) == {n: evaluator.metrics[n] for n in scores.data_vars}
        for figure in declared_figures(again):
            assert callable(drawing(figure))


def test_a_table_needs_no_plugin(monkeypatch):
    reference = example_solutions()
    scores = crystalsim.get("evaluator", "fields").evaluate(reference, reference)
    monkeypatch.setattr("crystalsim.evaluation.declarations.registry", None)
    rows = [row("same", reference, {"fields": scores}, None), *quoted_rows([scores])]
    head, _, same, quoted = table_text(rows, columns([scores])).splitlines()
    assert head.split()[:4] == ["model", "rel.", "L2", "%"]
    assert same.split()[:5] == ["same", "0", "0", "0", "1.0000000"]
    assert "0.9440000" in quoted


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"better": "larger"}, "better = 'larger'; expected one of 'low', 'high', 'none'"),
        ({"role": "main"}, "role = 'main'"),
        ({"better": "high", "role": "primary"}, "expected 'low' of a primary"),
        ({"column": Column("x", "999999999d")}, "form = '999999999d'"),
        ({"column": Column("x", statistics=("sum",))}, "statistics = 'sum'"),
    ],
)
def test_wrong_declarations_are_named(change, message):
    with pytest.raises(SchemaError, match=f"metric 'some error': .*{message}"):
        Metric(
            **{"long_name": "some error", "units": "1", "description": "x", "better": "low"}
            | change
        )


def test_damaged_attributes_are_named():
    reference = example_solutions()
    scores = crystalsim.get("evaluator", "energy").evaluate(reference, reference)
    del scores["energy_error"].attrs["better"]
    with pytest.raises(SchemaError, match=r"score 'energy_error'.*better.*evaluate again"):
        declared(scores)
    scores.attrs["figures"] = "[{]"
    with pytest.raises(SchemaError, match="attribute 'figures' is damaged"):
        declared_figures(scores)


def test_a_file_cannot_have_anything_imported():
    """Only what an installed evaluator declares is imported, whatever a file of scores says."""
    for target in ("os:system", "crystalsim_direct.figures:np", "crystalsim.plotting:plot_study"):
        with pytest.raises(PluginError, match="no installed evaluator offers"):
            drawing(ScoreFigure("energy", target, "energy_ratio", ""))


def test_the_reference_is_prepared_once():
    class Counting:
        metrics = {"error": Metric("error", "1", "none", "low", PERCENT)}

        def __init__(self):
            self.prepared, self.given = 0, []

        def prepare(self, reference):
            self.prepared += 1
            return "prepared"

        def evaluate(self, reference, prediction, prepared=None):
            self.given.append(prepared)
            zeros = np.zeros(reference.sizes["sample"])
            return make_scores(reference, {"error": zeros}, self.metrics)

    counting, reference = Counting(), example_solutions()
    scoring = Scoring(reference, {"energy": {}})
    scoring._evaluators["energy"] = counting
    for _ in range(3):
        assert scoring.score("energy", reference) is not None
    assert counting.prepared == 1
    assert counting.given == ["prepared"] * 3


@pytest.mark.parametrize("name", ["interaction", "cost"])
def test_what_was_prepared_changes_no_score(name):
    reference = crystalsim.get("solver", "builtin").solve(example_solutions())
    prediction = crystalsim.get("model", "isoviscous").predict(reference)
    evaluator = crystalsim.get("evaluator", name)
    prepared = evaluator.prepare(reference)
    once = evaluator.evaluate(reference, prediction, prepared)
    twice = evaluator.evaluate(reference, prediction, prepared)
    xr.testing.assert_identical(once, twice)
    alone = evaluator.evaluate(reference, prediction)
    for key in once.data_vars:
        if once[key].attrs["units"] != "s" and "speedup" not in key and "excess" not in key:
            np.testing.assert_array_equal(once[key], alone[key])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("third") / "run"
    pipeline.run(resolve(THIRD_PARTY), folder)
    return folder


def test_a_third_party_score_is_in_table_and_report(command, run):
    table = (run / "summary.txt").read_text(encoding="utf-8")
    head, _, dilute, isoviscous = table.splitlines()[2:6]
    assert "energy %" in head
    scores = xr.load_dataset(run / "scores" / "energy-dilute.nc")
    place = head.index("energy %")
    assert float(dilute[place : place + 8]) == pytest.approx(
        100 * float(scores["energy_error"].mean()), rel=6e-3
    )
    assert float(isoviscous[place : place + 8]) > 0
    assert (run / "figures" / "energy.png").is_file()
    assert command("report", run).status == 0
    page = html.unescape((run / "report.html").read_text(encoding="utf-8"))
    assert "Kinetic energy over that of the reference: 1 is exact." in page
    assert "energy %" in page and "All scores: energy" in page


def test_a_third_party_score_is_compared(command, run, tmp_path):
    arguments = ("--evaluator", "energy", "--evaluator", "fields", "--output", tmp_path)
    done = command("compare", run, *arguments)
    assert done.status == 0, done.err
    assert "energy %" in done.out
    assert (tmp_path / "energy.png").is_file()
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = {r["solution"]: r for r in csv.DictReader(file)}
    assert float(rows["dilute"]["energy_error.mean"]) > 0


def test_a_third_party_figure_is_plotted_from_files(command, run, tmp_path):
    files = sorted((run / "scores").glob("energy-*.nc"))
    done = command("plot", *files, "--output", tmp_path / "energy.png")
    assert done.status == 0, done.err
    again = command("plot", *files, "--figure", "energy", "--output", tmp_path / "again.png")
    assert again.status == 0
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "energy.png").read_bytes()
    counted = command("plot", *files, "--metric", "energy_error", "--output", tmp_path / "c.png")
    assert counted.status == 0
    assert (tmp_path / "c.png").read_bytes() != (tmp_path / "energy.png").read_bytes()
    wrong = command("plot", *files, "--figure", "enegry", "--output", tmp_path / "w.png")
    assert wrong.status == 2 and "known: energy" in wrong.err


def test_a_third_party_score_is_studied(command, tmp_path):
    text = f"""
        title = "third party"
        test_samples = 2
        [run]
        evaluators = {json.dumps(THIRD_PARTY["evaluators"])}
        baselines = ["isoviscous"]
        model.plugin = "dilute"
        samples = {{ training = 2, validation = 1, test = 1 }}
        sampler = {{ cells = 16, radius = [100.0, 200.0], count = 1 }}
        [tests.two]
        count = 2
    """
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    done = command("study", tmp_path / "study.toml", "--output", tmp_path / "out")
    assert done.status == 0, done.err
    assert "relative error of the kinetic energy [%]" in done.out
    rows = list(csv.DictReader((tmp_path / "out" / "study.csv").open(newline="")))
    assert [r["metric"] for r in rows if r["model"] == "dilute"] == ["relative_l2", "energy_error"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Relative error of the kinetic energy [%]" in page


def test_a_third_party_score_is_searched_for(tmp_path):
    pytest.importorskip("optuna")
    text = """
        trials = 2
        metric = "energy_error"
        [run]
        evaluators = ["fields", "energy"]
        baselines = []
        samples = { training = 4, validation = 2, test = 1 }
        sampler = { cells = 16, radius = [100.0, 200.0], count = 1 }
        model = { plugin = "early_stopped" }
        [search]
        "model.iterations" = [1, 3]
    """
    (tmp_path / "search.toml").write_text(text, encoding="utf-8")
    exploration = read_exploration(tmp_path / "search.toml")
    outcomes = explore(exploration, tmp_path / "out")
    values = {o.parameters["model.iterations"]: o.value for o in outcomes}
    assert all(value > 0 for value in values.values())
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "relative error of the kinetic energy [%]" in page


def test_metrics_are_found_by_name_or_role():
    names = ["strata", "energy", "fields"]
    assert find_metric("", names)[:2] == ("energy", "energy_error")
    assert find_metric("r2", names)[2].better == "high"
    with pytest.raises(OptionError, match=r"'energy_ratio': .* is no score"):
        find_metric("energy_ratio", names)
    with pytest.raises(OptionError, match="no primary metric"):
        find_metric("", ["strata"])
