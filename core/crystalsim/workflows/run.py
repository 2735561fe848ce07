"""The stages of a run, and all of them at once.

Each stage reads and writes files, so that it can be run alone; `run` calls the same functions. A
run folder belongs to one configuration, so that a file that is there is right: a second call makes
only what is missing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from ..config.choice import Choice
from ..config.run import RunConfig
from ..datasets.resolution import warn_unresolved
from ..datasets.returned import calling, check_returned
from ..errors import ContractError, StoreError
from ..evaluation.scores import Scoring
from ..evaluation.tables import (
    COSTS,
    Row,
    columns,
    quoted_rows,
    reference_row,
    row,
    save_table,
    table_text,
)
from ..execution.schedule import Schedule
from ..execution.shards import predict_cases, solve_cases
from ..options import to_toml
from ..registry import registry
from ..reports.figures import history_drawings, sample_drawings, score_drawings, write_drawings
from ..runtime import memory
from ..runtime.log import log_file, logger
from ..storage import netcdf
from ..storage.claims import ANOTHER, differences
from ..storage.files import make_folder, write_text
from ..storage.models import read_model
from ..storage.provenance import provenance
from ..storage.run_folder import SPLITS, RunFolder
from .chain import check_chain
from .training import train_model, usable


def draw_cases(sampler: Choice, count: int | None, seed: int) -> xr.Dataset:
    """Draw cases and say in their attributes how.

    Raises
    ------
    ContractError, PluginError
        If the sampler returns something else, or fails.
    MemoryShortageError
        If the solution of one sample does not fit into memory.
    """
    _require_memory(sampler, 1)
    with calling(sampler.origin):
        drawn = sampler.build().sample(count, seed=seed)
    cases = check_returned(drawn, "cases", sampler.origin)
    if count is not None and cases.sizes["sample"] != count:
        raise ContractError(
            f"{sampler.origin} returned {cases.sizes['sample']} samples; expected {count}"
        )
    attributes = provenance({"sampler": sampler.table}, seed)
    return cases.assign_attrs({**cases.attrs, **attributes})


def _require_memory(sampler: Choice, samples: int) -> None:
    """Refuse grids whose solutions do not fit into memory, before anything is drawn."""
    cells = sampler.options.get("cells")  # an option that samplers share: `SceneOptions`
    if isinstance(cells, (int, list, tuple)):
        number = math.prod(cells) if not isinstance(cells, int) else cells**2
        memory.require_for_solutions(
            number, samples, f"solutions for sampler.cells = {cells}", "take fewer cells or samples"
        )


def split_seeds(seed: int) -> dict[str, int]:
    """Independent seeds of the splits: words of the run's seed sequence.

    Training, validation and test samples come from streams that share nothing.
    """
    words = np.random.SeedSequence(seed).generate_state(len(SPLITS), np.uint32)
    return {split: int(word) for split, word in zip(SPLITS, words, strict=True)}


def run(config: RunConfig, folder: Path, *, workers: int = 1, warn: bool = True) -> str:
    """Do everything: sample, solve, train, predict, evaluate, draw.

    Parameters
    ----------
    config
        What to do.
    folder
        Where everything goes; one that holds the same configuration is continued.
    workers
        Processes of the solver.
    warn
        Whether to say what the cells do not resolve.

    Returns
    -------
    str
        The table of results.

    Raises
    ------
    StoreError
        If the folder holds another configuration; the message names what differs.
    """
    place = RunFolder(folder)
    _claim(config, place)
    if place.is_complete:
        logger.info("%s is complete; remove %s to do again what is missing", folder, place.summary)
        return place.summary.read_text(encoding="utf-8").rstrip()
    _require_memory(config.sampler, max(dataclasses.astuple(config.samples)))
    with log_file(place.log):
        logger.info("run folder: %s", folder)
        registry().broadcast("crystalsim_run_started", run=folder, config=config.as_dict())
        drawn = draw_splits(config, folder)
        if warn:
            warn_unresolved(drawn, registry().load("solver", config.solver.name))
        _solve_splits(config, place, drawn, workers)
        if not place.is_trained:
            train_model(
                config.model,
                netcdf.open_parts(place.solutions("training"), "solutions"),
                netcdf.open_parts(place.solutions("validation"), "solutions"),
                place.model,
                seed=config.seed,
                run=folder,
            )
        history = netcdf.read_file(place.history)
        test = usable(netcdf.open(place.solutions("test")))
        scoring = Scoring(test, config.evaluator)
        predictions, scores = {}, {}
        for name, source in _contestants(config, place).items():
            predictions[name] = _prediction(place.prediction(name), source, test)
            scores[name] = _scores(place, name, predictions[name], scoring)
        return _report(config, place, test, history, predictions, scores)


def refuse_other_run(config: RunConfig, place: RunFolder) -> None:
    """Refuse a folder that holds a run of another configuration, or something else.

    Raises
    ------
    StoreError
        If it does; the message names what differs.
    """
    folder = place.path
    if place.is_run:
        if changed := differences(place.read_config(), config.as_dict()):
            raise StoreError(
                f"{folder} holds a run of another configuration ({changed}); {ANOTHER}"
            )
    elif folder.is_dir() and any(folder.iterdir()):
        raise StoreError(f"{folder}: a folder that is not empty and holds no run")


def _claim(config: RunConfig, place: RunFolder) -> None:
    """Check that the stages fit together, and note in a new folder what is done there."""
    folder = place.path
    refuse_other_run(config, place)
    if not place.is_trained:
        check_chain(config)
    if place.is_run:
        return
    make_folder(folder)
    write_text(place.config, to_toml(config.as_dict()))


def draw_splits(config: RunConfig, folder: Path) -> list[xr.Dataset]:
    """Draw the cases of all splits into the folder of a run, where they are not there yet."""
    place = RunFolder(folder)
    _claim(config, place)
    drawn = []
    for split, seed in split_seeds(config.seed).items():
        path = place.cases(split)
        if not path.is_file():
            netcdf.write(draw_cases(config.sampler, getattr(config.samples, split), seed), path)
        drawn.append(netcdf.open(path, "cases"))
    return drawn


def _solve_splits(
    config: RunConfig, place: RunFolder, drawn: list[xr.Dataset], workers: int
) -> None:
    """Solve the cases of all splits."""
    for cases, (split, seed) in zip(drawn, split_seeds(config.seed).items(), strict=True):
        solutions, schedule = place.solutions(split), Schedule(workers)
        logger.info("%s samples", split)
        solve_cases(cases, config.solver, solutions, schedule=schedule, seed=seed, compress=True)
        _announce(place, split, netcdf.open(solutions))


def _announce(place: RunFolder, stage: str, dataset: xr.Dataset) -> None:
    """Tell plugins that the dataset of a stage is there."""
    registry().broadcast("crystalsim_dataset_ready", run=place.path, stage=stage, dataset=dataset)


def _contestants(config: RunConfig, place: RunFolder) -> dict[str, str]:
    """What to load for each row of the table: the model, then the baselines."""
    named = {config.model.name: str(place.model)}
    return named | {name: name for name in config.baselines if name not in named}


def _prediction(path: Path, source: str, test: xr.Dataset) -> xr.Dataset:
    """Prediction of the test split by one model."""
    if not path.is_file():
        model, choice = read_model(source)
        predict_cases(test, model, path, choice=choice, compress=True)
    return netcdf.open(path)


def _scores(
    place: RunFolder, name: str, prediction: xr.Dataset, scoring: Scoring
) -> dict[str, xr.Dataset]:
    """Scores of one model by each evaluator that can judge the data."""
    datasets = {}
    for evaluator in scoring.options:
        path = place.scores(evaluator, name)
        if not path.is_file():
            scores = scoring.score(evaluator, prediction)
            if scores is None:
                continue
            netcdf.write(scores, path)
        datasets[evaluator] = netcdf.read_file(path)
        _announce(place, f"scores/{path.stem}", datasets[evaluator])
    return datasets


def _report(
    config: RunConfig,
    place: RunFolder,
    test: xr.Dataset,
    history: xr.Dataset,
    predictions: Mapping[str, xr.Dataset],
    scores: Mapping[str, Mapping[str, xr.Dataset]],
) -> str:
    """Table and figures."""
    trained = next(iter(predictions))
    rows: list[Row] = [
        row(name, prediction, scores[name], history if name == trained else None)
        for name, prediction in predictions.items()
    ]
    every = [dataset for each in scores.values() for dataset in each.values()]
    table = [*rows, reference_row(config.solver.name, test), *quoted_rows(every)]
    save_table(table, place.table)
    heading = (
        f"{test.sizes['sample']} test samples, none seen in training; means, and 95th percentile "
        "(p95) and worst over samples or crystals"
    )
    text = f"{heading}\n\n{table_text(table, [*columns(every), *COSTS])}"
    drawings = {
        **sample_drawings(test, predictions[trained], scores[trained], trained),
        **score_drawings(scores),
        **history_drawings(history),
    }
    write_drawings(drawings, place.figures)
    means = {r.name: r.values for r in rows}
    registry().broadcast("crystalsim_run_finished", run=place.path, results=means)
    write_text(place.summary, text + "\n")
    return text
