"""Studies: train once or several times, then test on many kinds of samples.

A study is a TOML file::

    title = "One to fifteen crystals"
    test_samples = 50

    [run]                        # as for `crystalsim run`
    sampler.count = [1, 10]

    [variants.small]             # optional: runs that differ from [run]
    samples.training = 200

    [tests."15 crystals"]        # options of the sampler that differ from the run's
    count = 15

Each variant is a run in a folder of its own; each test is drawn and solved once, and predicted by
the models and baselines of all variants. What is there is not made again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from . import pipeline, store
from .checkpoints import load_model
from .config import QUICK_EVALUATORS, RunConfig, resolve, split_plugin
from .errors import OptionError
from .log import logger
from .options import merge, read_toml
from .shards import predict_cases, solve_cases
from .summary import aligned
from .train import usable

METRICS = ("relative_l2", "crystal_velocity_error_scaled")


class Study(NamedTuple):
    """A study, checked.

    Attributes
    ----------
    title
        For people.
    variants
        Configuration of each run by name; ``""`` where there is one only.
    tests
        Sampler tables by name.
    test_samples
        Samples of each test.
    """

    title: str
    variants: dict[str, RunConfig]
    tests: dict[str, dict[str, Any]]
    test_samples: int


class Entry(NamedTuple):
    """Errors of one model on one test: mean, 95th percentile and worst of each of `METRICS`."""

    label: str
    test: str
    errors: dict[str, tuple[float, float, float]]


def read_study(path: Path) -> Study:
    """Read a study and check all its options.

    Raises
    ------
    OptionError, PluginError
        If something is unknown, missing or wrong.
    """
    table = read_toml(path)
    known = {"title", "test_samples", "run", "variants", "tests"}
    if unknown := sorted(set(table) - known):
        raise OptionError(f"{path}: unknown setting '{unknown[0]}' (known: {', '.join(known)})")
    if not isinstance(table.get("tests"), Mapping) or not table["tests"]:
        raise OptionError(f"{path}: expected at least one table [tests.NAME]")
    samples = table.get("test_samples", 50)
    if not isinstance(samples, int) or samples < 1:
        raise OptionError(f"{path}: test_samples = {samples!r}; expected a number from 1")
    base = table.get("run", {})
    variants = {
        name: resolve(base, changed) for name, changed in table.get("variants", {"": {}}).items()
    }
    sampler = next(iter(variants.values())).sampler
    tests = {}
    for name, changed in table["tests"].items():
        tests[name] = merge(sampler, changed)
        split_plugin("sampler", tests[name])
    return Study(str(table.get("title", path.stem)), variants, tests, samples)


def run_study(study: Study, folder: Path, *, workers: int = 1) -> list[Entry]:
    """Make what is missing and score everything.

    Parameters
    ----------
    study
        What to do.
    folder
        Where everything goes.
    workers
        Processes of the solver.
    """
    models: dict[str, str] = {}
    for name, config in study.variants.items():
        run_folder = folder / "runs" / (_file_name(name) or "run")
        pipeline.run(config, run_folder, workers=workers)
        plugin = split_plugin("model", config.model)[0]
        models[f"{plugin}, {name}" if name else plugin] = str(run_folder / "model")
        models.update({baseline: baseline for baseline in config.baselines})
    first = next(iter(study.variants.values()))
    entries = []
    for number, (name, sampler) in enumerate(study.tests.items()):
        logger.info("test: %s", name)
        truth = _truth(study, folder / "tests" / _file_name(name), sampler, first, number, workers)
        for label, source in models.items():
            path = folder / "tests" / _file_name(name) / f"{_file_name(label)}.nc"
            if not path.is_file():
                model, table = load_model(source)
                predict_cases(truth, model, path, config=table, compress=True)
            quick = {n: first.evaluator.get(n, {}) for n in QUICK_EVALUATORS}
            found = pipeline.score(truth, store.open(path), quick)
            entries.append(Entry(label, name, _errors(found)))
    store.write_text(folder / "study.csv", _as_csv(entries))
    return entries


def table_text(entries: list[Entry], metric: str) -> str:
    """Mean errors in percent, a row for each model and a column for each test."""
    tests = list(dict.fromkeys(entry.test for entry in entries))
    labels = list(dict.fromkeys(entry.label for entry in entries))
    values = {(e.label, e.test): e.errors[metric][0] for e in entries if metric in e.errors}
    rows = [["", *tests]]
    for label in labels:
        cells = (values.get((label, test), np.nan) for test in tests)
        rows.append([label, *(f"{100 * value:.3g}" for value in cells)])
    return "\n".join(aligned(rows))


def _truth(
    study: Study,
    folder: Path,
    sampler: Mapping[str, Any],
    config: RunConfig,
    number: int,
    workers: int,
) -> xr.Dataset:
    """Solutions of a test; drawn from a stream that no run shares."""
    seed = int(np.random.SeedSequence(config.seed, spawn_key=(1000 + number,)).generate_state(1)[0])
    path = folder / "cases.nc"
    if not path.is_file():
        store.make_folder(folder)
        store.save(pipeline.draw_cases(sampler, study.test_samples, seed), path)
    cases = store.open(path, "cases")
    solve_cases(cases, config.solver, folder / "solutions", workers=workers, seed=seed)
    return usable(store.open(folder / "solutions"))


def _errors(scores: Mapping[str, xr.Dataset]) -> dict[str, tuple[float, float, float]]:
    found = {}
    for dataset in scores.values():
        for metric in METRICS:
            if metric in dataset:
                values = dataset[metric].values
                values = values[np.isfinite(values)]
                tail = float(np.percentile(values, 95)), float(values.max())
                found[metric] = (float(values.mean()), *tail)
    return found


def _as_csv(entries: list[Entry]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["model", "test", "metric", "mean", "p95", "worst"])
    for entry in entries:
        for metric, values in entry.errors.items():
            writer.writerow([entry.label, entry.test, metric, *values])
    return buffer.getvalue()


def _file_name(name: str) -> str:
    """Turn a name for people into one for files."""
    return "".join(c if c.isalnum() or c in ".-" else "_" for c in name).strip("._")
