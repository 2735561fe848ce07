"""Training from solutions: what is fit to train on, and the model's folder."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..config.choice import Choice
from ..contracts import Model, OnEpoch, Streaming
from ..datasets.cases import cases_only
from ..datasets.returned import calling, check_dataset
from ..datasets.scenes import one_average
from ..errors import StoreError, UnsupportedError
from ..registry import registry
from ..runtime.log import logger
from ..runtime.processes import is_chief
from ..runtime.words import plural
from ..scene.grid import Grid
from ..storage import netcdf
from ..storage.claims import VERSIONS, compare, versions
from ..storage.files import create_text, make_folder, remove_stale
from ..storage.models import HISTORY, MODEL, TRAINING, save_model
from ..storage.provenance import config_of, fingerprint, provenance


def usable(solutions: xr.Dataset) -> xr.Dataset:
    """Leave out samples that did not converge.

    Raises
    ------
    StoreError
        If none is left.
    """
    good = solutions["converged"].values.astype(bool)
    if not good.any():
        raise StoreError("no sample converged: there is nothing to train on")
    if good.all():
        return solutions
    lost = plural(int((~good).sum()), "sample")
    logger.info("leaving out %s that did not converge", lost)
    return solutions.isel(sample=np.flatnonzero(good))


def train_model(
    choice: Choice,
    training: Sequence[xr.Dataset],
    validation: Sequence[xr.Dataset],
    folder: Path,
    *,
    seed: int,
    run: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> xr.Dataset:
    """Train a model into a folder, or finish the training that was cut off there.

    Parameters
    ----------
    choice
        Model and its options.
    training, validation
        Solutions, a dataset for each grid.
    folder
        Of the model.
    seed
        Fixes initial weights and the order of the data.
    run
        Folder of the run that plugins are told of; the model's if None.
    on_epoch
        Called after each epoch, after the plugins; what it raises ends the training.

    Raises
    ------
    UnsupportedError
        If solutions were made with several means of the viscosity.

    Returns
    -------
    xarray.Dataset
        History on (epoch), with ``training_time`` [s] in its attributes; also written to
        `history.nc` in the folder.
    """
    one_average([*training, *validation])
    model = choice.build()
    finished = _claim(choice, training, validation, folder, seed)
    if finished is not None:
        return finished
    ours: list[BaseException] = []
    hook = functools.partial(registry().broadcast, "crystalsim_epoch_finished", run=run or folder)

    def after(epoch: int, metrics: Mapping[str, float]) -> None:
        hook(epoch=epoch, metrics=metrics)
        try:
            if on_epoch:
                on_epoch(epoch, metrics)
        except Exception as error:
            ours.append(error)
            raise

    start, parts = time.perf_counter(), (_all_usable(training), _all_usable(validation))
    with calling(choice.origin, passing=ours):
        returned = _fit(model, *parts, seed=seed, on_epoch=after, folder=folder)
    history = check_dataset(returned, choice.origin, "losses on (epoch)")
    spent = time.perf_counter() - start + float(history.attrs.get("earlier_training_time", 0.0))
    attributes = {
        **provenance({"model": choice.table, "training": config_of(training[0].attrs)}, seed),
        "training_time": spent,
        "training_samples": sum(dataset.sizes["sample"] for dataset in training),
        "parameters": int(history.attrs.get("parameters", 0)),
    }
    history = history.assign_attrs(attributes)
    if not is_chief():
        return history
    netcdf.write(history, folder / HISTORY)
    save_model(model, choice, folder, seed)
    return history


def _claim(
    choice: Choice,
    training: Sequence[xr.Dataset],
    validation: Sequence[xr.Dataset],
    folder: Path,
    seed: int,
) -> xr.Dataset | None:
    """Check that the folder is of this training; gives the history of one that is finished."""
    config = {"model": choice.table}
    described = {
        **config,
        "seed": seed,
        "training": _described(training),
        "validation": _described(validation),
    }
    make_folder(folder)
    path = folder / TRAINING
    if is_chief():
        remove_stale(folder)
        create_text(path, json.dumps({**described, VERSIONS: versions(config)}, indent=1))
        try:
            begun = json.loads(path.read_text(encoding="utf-8"))
            compare(folder, begun, {**described, VERSIONS: versions(config)})
        except (OSError, ValueError, AttributeError) as error:
            raise StoreError(f"{path}: damaged: {error}") from None
    if (folder / MODEL).is_file() and (folder / HISTORY).is_file():
        logger.info("%s is trained already", folder)
        return netcdf.read_file(folder / HISTORY)
    return None


def _described(parts: Sequence[xr.Dataset]) -> str:
    """Short hash of what decides data: the cases, and what made the solutions of them."""
    marks = [
        [fingerprint(cases_only(part)), part.attrs.get("crystalsim_config", "")] for part in parts
    ]
    return fingerprint(marks)


def _all_usable(parts: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Leave out samples that did not converge, and parts that have no others."""
    kept = [part for part in parts if part["converged"].values.any()]
    if not kept:
        raise StoreError("no sample converged: there is nothing to train on")
    return [usable(part) for part in kept]


def _fit(
    model: Model, training: list[xr.Dataset], validation: list[xr.Dataset], **arguments: Any
) -> Any:
    """Train on parts where the model can, else on all of them as one dataset."""
    if isinstance(model, Streaming):
        return model.fit_parts(training, validation, **arguments)
    for parts in (training, validation):
        sizes = sorted({(part.sizes["x"], part.sizes["z"]) for part in parts})
        if len({Grid.from_dataset(part) for part in parts}) > 1:
            raise UnsupportedError(
                f"{model!r} trains on one grid; the samples are on several, with cells {sizes}"
            )
    whole, held_out = (
        netcdf.concatenate([netcdf.load(part) for part in parts])
        for parts in (training, validation)
    )
    return model.fit(whole, held_out, **arguments)
