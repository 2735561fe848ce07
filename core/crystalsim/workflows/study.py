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

from pathlib import Path

import numpy as np
import xarray as xr

from ..config.run import RunConfig
from ..config.study import Study
from ..datasets.resolution import warn_unresolved
from ..evaluation.declarations import primary_evaluators
from ..evaluation.scores import Scoring
from ..evaluation.studies import STATISTICS, Entry, make_entry
from ..evaluation.tables import csv_text
from ..execution.schedule import Schedule
from ..execution.shards import predict_cases, solve_cases
from ..registry import registry
from ..runtime.log import logger
from ..storage import netcdf
from ..storage.files import make_folder, write_text
from ..storage.models import read_model
from ..storage.run_folder import RunFolder
from . import run as pipeline
from .training import usable


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
    first = next(iter(study.variants.values()))
    runs = {name: folder / "runs" / (_file_name(name) or "run") for name in study.variants}
    drawn = [
        cases
        for name, config in study.variants.items()
        for cases in pipeline.draw_splits(config, runs[name])
    ]
    tests = _draw_tests(study, folder, first)
    warn_unresolved([*drawn, *tests.values()], registry().load("solver", first.solver.name))
    models: dict[str, str] = {}
    for name, config in study.variants.items():
        run_folder = runs[name]
        pipeline.run(config, run_folder, workers=workers, warn=False)
        plugin = config.model.name
        models[f"{plugin}, {name}" if name else plugin] = str(RunFolder(run_folder).model)
        models.update({baseline: baseline for baseline in config.baselines})
    chosen = primary_evaluators(first.evaluators)
    evaluators = {name: first.evaluator[name] for name in chosen}
    entries = []
    for name, cases in tests.items():
        logger.info("test: %s", name)
        truth = _truth(cases, folder / "tests" / _file_name(name) / "solutions", first, workers)
        scoring = Scoring(truth, evaluators)
        for label, source in models.items():
            path = folder / "tests" / _file_name(name) / f"{_file_name(label)}.nc"
            if not path.is_file():
                model, choice = read_model(source)
                predict_cases(truth, model, path, choice=choice, compress=True)
            scores = scoring.score_all(netcdf.open(path))
            entries.append(make_entry(label, name, scores.values()))
    rows = [
        [entry.label, entry.test, metric, *values]
        for entry in entries
        for metric, values in entry.errors.items()
    ]
    write_text(folder / "study.csv", csv_text([["model", "test", "metric", *STATISTICS], *rows]))
    return entries


def _draw_tests(study: Study, folder: Path, config: RunConfig) -> dict[str, xr.Dataset]:
    """Cases of each test; drawn from streams that no run shares."""
    drawn = {}
    for number, (name, sampler) in enumerate(study.tests.items()):
        words = np.random.SeedSequence(config.seed, spawn_key=(1000 + number,)).generate_state(1)
        path = folder / "tests" / _file_name(name) / "cases.nc"
        if not path.is_file():
            make_folder(path.parent)
            netcdf.write(pipeline.draw_cases(sampler, study.test_samples, int(words[0])), path)
        drawn[name] = netcdf.open(path, "cases")
    return drawn


def _truth(cases: xr.Dataset, folder: Path, config: RunConfig, workers: int) -> xr.Dataset:
    """Solutions of a test."""
    seed = int(cases.attrs["seed"])
    solve_cases(cases, config.solver, folder, schedule=Schedule(workers), seed=seed)
    return usable(netcdf.open(folder))


def _file_name(name: str) -> str:
    """Turn a name for people into one for files."""
    return "".join(c if c.isalnum() or c in ".-" else "_" for c in name).strip("._")
