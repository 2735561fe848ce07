"""The stages of a run, and all of them at once.

Each stage reads and writes files, so that it can be run alone; `run` calls the same functions. A
run folder belongs to one configuration, so that a file that is there is right: a second call makes
only what is missing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ..config.choice import Choice
from ..config.run import RunConfig
from ..errors import SchemaError, StoreError
from ..evaluation.scores import score
from ..evaluation.tables import Row, prototype_row, reference_row, row, save_table, table_text
from ..execution.schedule import Schedule
from ..execution.shards import predict_cases, solve_cases
from ..options import to_toml
from ..registry import registry
from ..runtime.log import log_file, logger
from ..storage import netcdf
from ..storage.claims import differences
from ..storage.files import make_folder, write_text
from ..storage.models import read_model
from ..storage.provenance import provenance
from ..storage.run_folder import SPLITS, RunFolder
from .training import train_model, usable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_cases(sampler: Choice, count: int | None, seed: int) -> xr.Dataset:
    """Draw cases and say in their attributes how."""
    cases: xr.Dataset = sampler.build().sample(count, seed=seed)
    attributes = provenance({"sampler": sampler.table}, seed)
    return cases.assign_attrs({**cases.attrs, **attributes})


def split_seeds(seed: int) -> dict[str, int]:
    """Independent seeds of the splits: words of the run's seed sequence.

    Training, validation and test samples come from streams that share nothing.
    """
    words = np.random.SeedSequence(seed).generate_state(len(SPLITS), np.uint32)
    return {split: int(word) for split, word in zip(SPLITS, words, strict=True)}


def run(config: RunConfig, folder: Path, *, workers: int = 1) -> str:
    """Do everything: sample, solve, train, predict, evaluate, draw.

    Parameters
    ----------
    config
        What to do.
    folder
        Where everything goes; one that holds the same configuration is continued.
    workers
        Processes of the solver.

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
    with log_file(place.log):
        logger.info("run folder: %s", folder)
        registry().broadcast("crystalsim_run_started", run=folder, config=config.as_dict())
        _solve_splits(config, place, workers)
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
        results = {
            name: _results(config, place, name, source, test)
            for name, source in _contestants(config, place).items()
        }
        return _report(config, place, test, history, results)


def _claim(config: RunConfig, place: RunFolder) -> None:
    folder = place.path
    if place.is_run:
        changed = differences(place.read_config(), config.as_dict())
        if changed:
            raise StoreError(
                f"{folder} holds a run of another configuration ({'; '.join(changed)}); choose "
                "another --output"
            )
        return
    make_folder(folder)
    if any(folder.iterdir()):
        raise StoreError(f"{folder}: a folder that is not empty and holds no run")
    write_text(place.config, to_toml(config.as_dict()))


def _solve_splits(config: RunConfig, place: RunFolder, workers: int) -> None:
    """Draw and solve the cases of all splits."""
    for split, seed in split_seeds(config.seed).items():
        path, solutions = place.cases(split), place.solutions(split)
        if not path.is_file():
            netcdf.save(draw_cases(config.sampler, getattr(config.samples, split), seed), path)
        logger.info("%s samples", split)
        cases, schedule = netcdf.open(path, "cases"), Schedule(workers)
        solve_cases(cases, config.solver, solutions, schedule=schedule, seed=seed, compress=True)
        _announce(place, split, netcdf.open(solutions))


def _announce(place: RunFolder, stage: str, dataset: xr.Dataset) -> None:
    """Tell plugins that the dataset of a stage is there."""
    registry().broadcast("crystalsim_dataset_ready", run=place.path, stage=stage, dataset=dataset)


def _contestants(config: RunConfig, place: RunFolder) -> dict[str, str]:
    """What to load for each row of the table: the model, then the baselines."""
    named = {config.model.name: str(place.model)}
    return named | {name: name for name in config.baselines if name not in named}


def _results(
    config: RunConfig, place: RunFolder, name: str, source: str, test: xr.Dataset
) -> tuple[xr.Dataset, dict[str, xr.Dataset]]:
    """Prediction and scores of one model on the test split."""
    path = place.prediction(name)
    if not path.is_file():
        model, choice = read_model(source)
        predict_cases(test, model, path, choice=choice, compress=True)
    prediction = netcdf.open(path)
    scores = {}
    for evaluator in config.evaluators:
        file = place.scores(evaluator, name)
        if not file.is_file():
            options = {evaluator: config.evaluator.get(evaluator, {})}
            found = score(test, prediction, options)
            if evaluator not in found:
                continue
            netcdf.save(found[evaluator], file)
        scores[evaluator] = netcdf.read_file(file)
        _announce(place, f"scores/{evaluator}-{path.stem}", scores[evaluator])
    return prediction, scores


def _report(
    config: RunConfig,
    place: RunFolder,
    test: xr.Dataset,
    history: xr.Dataset,
    results: dict[str, tuple[xr.Dataset, dict[str, xr.Dataset]]],
) -> str:
    """Table and figures."""
    trained = next(iter(results))
    rows: list[Row] = [
        row(name, prediction, scores, history if name == trained else None)
        for name, (prediction, scores) in results.items()
    ]
    quoted = [reference_row(config.solver.name, test), prototype_row()]
    save_table([*rows, *quoted], place.table)
    text = table_text([*rows, *quoted])
    heading = (
        f"{test.sizes['sample']} test samples, none seen in training; means, and 95th percentile "
        "(p95) and worst over samples or crystals"
    )
    text = f"{heading}\n\n{text}"
    _draw(place.figures, test, history, results)
    means = {r.name: r.values for r in rows}
    registry().broadcast("crystalsim_run_finished", run=place.path, results=means)
    write_text(place.summary, text + "\n")
    return text


def _draw(
    folder: Path,
    test: xr.Dataset,
    history: xr.Dataset,
    results: dict[str, tuple[xr.Dataset, dict[str, xr.Dataset]]],
) -> None:
    """Draw the figures that are not there yet."""
    from .. import plotting

    name, (prediction, scores) = next(iter(results.items()))
    drawings: dict[str, Callable[[], Figure]] = {}
    order = plotting.by_error(scores)
    if order is not None:
        for label, sample in (("median", order[len(order) // 2]), ("worst", order[-1])):
            drawings[f"sample_{label}"] = functools.partial(
                plotting.plot_sample, test, prediction, sample, name=name
            )
        error = next(
            dataset["relative_l2"] for dataset in scores.values() if "relative_l2" in dataset
        )
        drawings["gallery"] = functools.partial(
            plotting.plot_gallery, test, prediction, error, name=name
        )
    for metric in ("relative_l2", "crystal_velocity_error"):
        if found := _having(metric, results):
            drawings[f"{metric}_by_count"] = functools.partial(
                plotting.plot_scores_by_count, found, metric
            )
    behind: dict[str, tuple[str, Callable[[dict[str, xr.Dataset]], Figure]]] = {
        "cost": ("early_stopped_error", plotting.plot_cost),
        "strata": ("local_error", plotting.plot_strata),
        "spectrum": ("spectral_error", plotting.plot_spectrum),
        "interaction": ("interaction_reference", plotting.plot_interaction),
    }
    for label, (metric, draw_scores) in behind.items():
        if found := _having(metric, results):
            drawings[label] = functools.partial(draw_scores, found)
    if history.sizes.get("epoch"):
        drawings["history"] = functools.partial(plotting.plot_history, history)
    for label, draw in drawings.items():
        path = folder / f"{label}.png"
        if path.is_file():
            continue
        try:
            plotting.save_figure(draw(), path)
        except SchemaError as error:
            logger.info("no figure %s: %s", label, error)


def _having(
    metric: str, results: dict[str, tuple[xr.Dataset, dict[str, xr.Dataset]]]
) -> dict[str, xr.Dataset]:
    """Scores dataset of each model that has a finite value of the metric."""
    return {
        label: dataset
        for label, (_, scores) in results.items()
        for dataset in scores.values()
        if metric in dataset and np.isfinite(dataset[metric].values).any()
    }
