"""Explorations: mistakes, sharing, pruning, resuming, and several processes at once."""

import contextlib
import csv
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import pytest

from crystalsim.config.exploration import Outcome, Span, best_outcome, read_exploration
from crystalsim.config.run import resolve
from crystalsim.errors import CrystalsimError, OptionError, PluginError, StoreError
from crystalsim.options import read_toml
from crystalsim.storage.locks import is_locked, locked
from crystalsim.workflows import run as pipeline
from crystalsim.workflows.exploration.search import explore
from crystalsim.workflows.exploration.trials import with_metric

EXAMPLES = sorted((Path(__file__).parents[1] / "examples" / "explorations").glob("*.toml"))

SMALL = """
title = "small"
trials = 3

[run]
model = { plugin = "unet", epochs = 1, width = 2, levels = 1 }
baselines = []
evaluators = ["fields"]
samples = { training = 4, validation = 2, test = 1 }
sampler = { cells = 16, radius = [100.0, 200.0], count = 1 }

[search]
"model.learning_rate" = { low = 1e-4, high = 1e-2, log = true }
model.batch_size = { low = 1, high = 4 }
"model.width" = [2, 4]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


def trials(folder):
    with (folder / "trials.csv").open(newline="") as table:
        return list(csv.DictReader(table))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_are_valid(path):
    exploration = read_exploration(path)
    assert exploration.search
    assert exploration.title != path.stem


def test_what_a_file_says(file):
    exploration = read_exploration(file)
    assert exploration.search == {
        "model.learning_rate": Span(1e-4, 1e-2, log=True),
        "model.batch_size": Span(1, 4),
        "model.width": (2, 4),
    }
    # The first primary score of the evaluators, wherever that is needed.
    assert exploration.metric == ""
    assert with_metric(exploration).metric == "relative_l2"
    assert exploration.config({"model.width": 4}).model.options["width"] == 4
    assert exploration.config().model.options["width"] == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[search]", "[seach]"), "unknown setting 'seach'"),
        (("model.learning_rate", "model.lerning_rate"), "did you mean 'model.learning_rate'"),
        (("low = 1e-4", "low = -1.0"), "log needs low > 0"),
        (("low = 1, ", "low = 0, "), r"search of model.batch_size: option model.batch_size = 0"),
        (("low = 1, ", "low = 5, "), "expected low < high"),
        (("low = 1, ", "low = true, "), r"batch_size.low = True: Expected int \| float"),
        (("low = 1, ", ""), "batch_size: .*missing required field `low`"),
        (("high = 4", "high = 4, stop = 2"), "unknown option 'search.model.batch_size.stop'"),
        (("high = 4", "high = 4, step = 0.5"), "step = 0.5: expected a whole number"),
        (("[2, 4]", "[]"), "expected at least one value"),
        (("[2, 4]", "[2, 1]"), "model.width = 1"),
        (("[2, 4]", "4"), "expected a list, or a table"),
        (("model.width", "samples.test"), "'samples.test': expected an option of sampler"),
        (("model.width", "seed"), "'seed': expected an option of sampler"),
        (("trials = 3", "trials = 0"), "trials = 0; expected"),
        (("trials = 3", "metric = 3"), "metric = 3; expected"),
        (('"unet"', '"unett"'), "unett"),
    ],
)
def test_mistakes_are_named(file, change, message):
    text = SMALL.replace(*change)
    assert text != SMALL
    file.write_text(text, encoding="utf-8")
    with pytest.raises((OptionError, PluginError), match=message) as caught:
        read_exploration(file)
    assert "\n" not in str(caught.value)


def test_without_optuna_the_extra_is_named(command, file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    done = command("explore", file, "--output", tmp_path / "out")
    assert done.status == 1
    assert done.err.strip().endswith("pip install 'crystalsim[explore]'")
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


def test_an_exploration_is_resumed_extended_and_guarded(command, figures, file, tmp_path):
    out = tmp_path / "out"
    first = command("explore", file, "--output", out, "--workers", 1)
    assert first.status == 0, first.err
    rows = trials(out)
    assert [row["state"] for row in rows] == ["complete"] * 3
    assert all(float(row["relative_l2"]) > 0 and row["epochs"] == "1" for row in rows)
    # All trials had the same samples: those of training and validation were solved once.
    assert len(list((out / "solutions").glob("*/complete"))) == 2
    best = min(rows, key=lambda row: float(row["relative_l2"]))
    assert f"best: trial {best['trial']}," in first.out
    made = resolve(read_toml(out / "best.toml"))
    assert made.model.options["learning_rate"] == float(best["model.learning_rate"])
    assert made.model.options["batch_size"] == int(best["model.batch_size"])
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "data:image/png" in page
    assert "http" not in page
    (drawn,) = [
        line for line in figures["history.png"].axes[0].lines if line.get_label() == "complete"
    ]
    assert "%" in figures["history.png"].axes[0].get_ylabel()
    assert drawn.get_ydata() == pytest.approx([100 * float(row["relative_l2"]) for row in rows])

    again = command("explore", file, "--output", out, "--workers", 1)
    assert again.out == first.out
    assert trials(out) == rows

    file.write_text(SMALL.replace("trials = 3", "trials = 5"), encoding="utf-8")
    assert command("explore", file, "--output", out, "--workers", 1).status == 0
    assert trials(out)[:3] == rows
    assert len(trials(out)) == 5
    shares = list(csv.DictReader((out / "importance.csv").open(newline="")))
    assert {s["option"] for s in shares} == set(read_exploration(file).search)
    assert sum(float(s["importance"]) for s in shares) == pytest.approx(1)

    file.write_text(SMALL.replace("high = 4", "high = 3"), encoding="utf-8")
    refused = command("explore", file, "--output", out)
    assert refused.status == 1
    assert "search.model.batch_size.high: 4 -> 3" in refused.err
    with pytest.raises(StoreError, match="is not empty"):
        explore(read_exploration(file), tmp_path)


def test_the_best_configuration_runs_and_the_seed_fixes_trials(file, tmp_path):
    text = SMALL.replace("trials = 3", "trials = 2")
    file.write_text(text.replace("[2, 4]", "[4, 2]"), encoding="utf-8")
    exploration = read_exploration(file)
    one, other = (explore(exploration, tmp_path / name) for name in ("a", "b"))
    assert [o.parameters for o in one] == [o.parameters for o in other]
    assert [o.value for o in one] == [o.value for o in other]
    assert one[0].parameters != one[1].parameters
    config = resolve(read_toml(tmp_path / "a" / "best.toml"))
    pipeline.run(config, tmp_path / "run")
    # The run trains on the same samples: its validation error is that of the best trial.
    history = pipeline.netcdf.read_file(tmp_path / "run" / "model" / "history.nc")
    best = min(o.value for o in one)
    assert float(history["validation_relative_l2"].min()) == pytest.approx(best, rel=1e-4)


@pytest.mark.slow
def test_poor_trials_end_early_and_bad_ones_are_named(file, tmp_path):
    # Values far too large to learn with diverge or are pruned against good ones.
    text = SMALL.replace("trials = 3", "trials = 8").replace("epochs = 1", "epochs = 5")
    text = text.replace("low = 1e-4, high = 1e-2, log = true", "low = 1e-4, high = 3.0, log = true")
    text += '"model.levels" = [1, 6]\n'  # 16 cells cannot be halved five times
    file.write_text(text, encoding="utf-8")
    found = explore(read_exploration(file), tmp_path / "out")
    states = [o.state for o in found]
    assert states.count("complete") + states.count("pruned") == 8
    pruned = [o for o in found if o.state == "pruned"]
    assert pruned
    assert all(2 <= o.epochs < 5 for o in pruned)
    assert all(o.error for o in found if o.state == "failed")
    rows = trials(tmp_path / "out")
    assert all(not row["relative_l2"] for row in rows if row["state"] == "pruned")


def test_a_search_where_all_fails_ends(file, tmp_path, monkeypatch):
    from crystalsim.workflows.exploration.trials import Judge

    def fail(*_):
        raise CrystalsimError("no good at all")

    monkeypatch.setattr(Judge, "train", fail)
    with pytest.raises(CrystalsimError, match="3 trials failed; the last one: no good at all"):
        explore(read_exploration(file), tmp_path / "out")
    rows = trials(tmp_path / "out")
    assert [(row["state"], row["error"]) for row in rows] == [("failed", "no good at all")] * 3


def test_an_unknown_metric_is_named_before_any_trial(file, tmp_path):
    file.write_text(SMALL.replace("trials = 3", 'metric = "relative_l3"'), encoding="utf-8")
    with pytest.raises(OptionError, match=r"'relative_l3': no evaluator .*relative_l2"):
        explore(read_exploration(file), tmp_path / "out")
    assert not list((tmp_path / "out").glob("trials*"))


def test_an_interrupted_trial_goes_on(file, tmp_path, monkeypatch):
    from crystalsim.workflows.exploration.trials import Judge

    train, calls = Judge.train, []

    def interrupted(self, parameters, folder, after):
        calls.append((parameters, folder))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train(self, parameters, folder, after)

    monkeypatch.setattr(Judge, "train", interrupted)
    exploration = read_exploration(file)
    with pytest.raises(KeyboardInterrupt):
        explore(exploration, tmp_path / "out")
    assert [r["state"] for r in trials(tmp_path / "out")] == ["complete", "interrupted"]
    found = explore(exploration, tmp_path / "out")
    assert [o.state for o in found] == ["complete", "interrupted", "complete", "complete"]
    assert calls[2] == calls[1]  # the same options, in the same folder


@pytest.mark.slow
def test_samplers_that_are_searched_share_validation_samples(file, tmp_path):
    text = SMALL.replace('"model.width" = [2, 4]', '"sampler.count" = [1, [1, 2]]')
    file.write_text(text.replace("trials = 3", "trials = 4"), encoding="utf-8")
    found = explore(read_exploration(file), tmp_path / "out")
    kinds = {str(o.parameters["sampler.count"]) for o in found}
    assert kinds == {"1", "[1, 2]"}
    assert len(list((tmp_path / "out" / "solutions").glob("*/complete"))) == 1 + len(kinds)


def test_the_best_is_the_largest_of_r2(file):
    file.write_text(SMALL.replace("trials = 3", 'metric = "r2"'), encoding="utf-8")
    found = [
        Outcome(0, "complete", 0.5, 1.0, 1, {}),
        Outcome(1, "complete", 0.9, 1.0, 1, {}),
        Outcome(2, "pruned", 0.95, 1.0, 1, {}),
    ]
    assert best_outcome(with_metric(read_exploration(file)), found).number == 1


def test_a_lock_lets_one_in_at_a_time(tmp_path):
    order = []

    def enter():
        with locked(tmp_path / "a.lock"):
            order.append("second")

    with locked(tmp_path / "a.lock"):
        thread = threading.Thread(target=enter)
        thread.start()
        time.sleep(0.7)
        assert is_locked(tmp_path / "a.lock")
        order.append("first")
    thread.join()
    assert not is_locked(tmp_path / "a.lock")
    assert not is_locked(tmp_path / "none")
    assert order == ["first", "second"]
    with pytest.raises(StoreError, match="cannot be locked"), locked(tmp_path / "none" / "a.lock"):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("begun", [False, True], ids=["no options yet", "in training"])
def test_a_killed_trial_is_started_again(file, tmp_path, begun):
    import optuna

    exploration, out = read_exploration(file), tmp_path / "out"
    explore(exploration._replace(trials=1), out)
    # What a kill leaves: a trial that runs for ever.
    left = optuna.load_study(study_name="exploration", storage=f"sqlite:///{out}/study.sqlite")
    trial = left.ask()
    if begun:
        trial.suggest_float("model.learning_rate", 1e-4, 1e-2, log=True)
        trial.set_user_attr("folder", "0001")
    found = explore(exploration, out)
    assert [o.state for o in found] == ["complete", "interrupted", "complete", "complete"]
    if begun:
        assert found[2].parameters["model.learning_rate"] == trial.params["model.learning_rate"]
        assert (out / "trials" / "0001" / "model.json").is_file()
    # While a process holds the trial's lock, it is alive: nobody takes it, and all wait for it.
    trial = left.ask()
    trial.set_user_attr("folder", f"{trial.number:04d}")
    with locked(out / "trials" / f"{trial.number:04d}.lock"):
        thread = threading.Thread(target=explore, args=(exploration._replace(trials=4), out))
        thread.start()
        time.sleep(2.5)
        assert thread.is_alive()
        assert len(left.trials) == 5
    thread.join(60)
    assert not thread.is_alive()
    last = [row["state"] for row in trials(out)][4:]
    assert last == ["interrupted", "complete"]


@pytest.mark.slow
def test_twenty_trials_killed_half_way_and_resumed_by_two_processes(file, tmp_path):
    text = SMALL.replace("trials = 3", "trials = 20").replace("epochs = 1", "epochs = 6")
    file.write_text(text.replace("training = 4", "training = 64"), encoding="utf-8")
    out = tmp_path / "out"
    start = [sys.executable, "-m", "crystalsim", "-q", "explore", file, "--output", out]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def process():
        # In a group of its own, so that the solver's workers can be killed with it.
        return subprocess.Popen(
            [*map(str, start), "--workers", "1"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def rows_of(query):
        if not (out / "study.sqlite").is_file():
            return []
        try:
            connection = sqlite3.connect(out / "study.sqlite", timeout=30)
            with contextlib.closing(connection):
                return connection.execute(query).fetchall()
        except sqlite3.OperationalError:  # not made yet
            return []

    finished = "SELECT state FROM trials WHERE state IN ('COMPLETE', 'PRUNED')"
    begun = (
        "SELECT state FROM trials JOIN trial_user_attributes USING (trial_id) "
        "WHERE state = 'RUNNING' AND key = 'epochs'"
    )
    first = process()
    deadline = time.monotonic() + 300
    while len(rows_of(finished)) < 10 or not rows_of(begun):
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert rows_of(begun)

    both = [process(), process()]
    said = [p.communicate(timeout=400) for p in both]
    assert [p.returncode for p in both] == [0, 0], said
    assert "locked" not in said[0][1] + said[1][1]

    rows = trials(out)
    finished = [row for row in rows if row["state"] in ("complete", "pruned")]
    assert len(finished) == 20
    # The trial that was killed is the only other one, and another with its options replaced it.
    (killed,) = [row for row in rows if row not in finished]
    assert killed["state"] == "interrupted"
    options = [key for key in rows[0] if key.startswith("model.")]
    again = [row for row in finished if all(row[k] == killed[k] for k in options)]
    assert len(again) == 1
    assert tomllib.loads((out / "best.toml").read_text(encoding="utf-8"))["model"]["epochs"] == 6


def test_a_model_that_breaks_is_named_and_the_search_goes_on(file, tmp_path, monkeypatch, caplog):
    """Whatever a plugin raises, such as running out of a GPU's memory, ends its trial alone."""
    from crystalsim.workflows.exploration.trials import Judge

    whole, calls = Judge.train, []

    def broken_once(self, *arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise RuntimeError("out of memory")
        return whole(self, *arguments)

    monkeypatch.setattr(Judge, "train", broken_once)
    outcomes = explore(read_exploration(file), tmp_path / "out")
    assert [o.state for o in outcomes].count("failed") == 1
    assert [o.state for o in outcomes].count("complete") == 3
    assert "trial 0 failed: out of memory" in caplog.text
