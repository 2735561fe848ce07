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

from . import store
from .cases import cases_only
from .checkpoints import MODEL, TRAINING, save_model
from .config import differences, split_plugin
from .contracts import OnEpoch
from .errors import StoreError
from .grid import Grid
from .log import logger
from .ranks import is_chief
from .registry import build, registry


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
    logger.info("leaving out %d samples that did not converge", int((~good).sum()))
    return solutions.isel(sample=np.flatnonzero(good))


def train_model(
    table: Mapping[str, Any],
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
    table
        ``plugin`` and options of the model.
    training, validation
        Solutions, a dataset for each grid.
    folder
        Of the model.
    seed
        Fixes initial weights and the order of the data.
    run
        Folder of the run that plugins are told of; the model's if None.
    on_epoch
        Called after each epoch, when plugins have been told; what it raises ends the training.

    Returns
    -------
    xarray.Dataset
        History on (epoch), with ``training_time`` [s] in its attributes; also written to
        `history.nc` in the folder.

    Raises
    ------
    StoreError
        If the folder holds a training of other options or data; the message names what differs.
    """
    name, options = split_plugin("model", table)
    if _claim(folder, {"plugin": name, **options}, training, validation, seed):
        logger.info("%s: trained already", folder)
        return store.read_file(folder / "history.nc")
    model = build("model", name, options)
    hook = functools.partial(registry().broadcast, "crystalsim_epoch_finished", run=run or folder)

    def after(epoch: int, metrics: Mapping[str, float]) -> None:
        hook(epoch=epoch, metrics=metrics)
        if on_epoch:
            on_epoch(epoch, metrics)

    start = time.perf_counter()
    history = model.fit(
        *(_for_model(model, _all_usable(data)) for data in (training, validation)),
        seed=seed,
        on_epoch=after,
        folder=folder,
    )
    spent = time.perf_counter() - start
    attributes = {
        **store.provenance({"model": dict(table)}, seed),
        "training_time": spent,
        "training_samples": sum(dataset.sizes["sample"] for dataset in training),
        "parameters": int(getattr(model, "parameter_count", 0)),
    }
    history = history.assign_attrs(attributes)
    if not is_chief():
        return history
    store.save(history, folder / "history.nc")
    save_model(model, dict(table), folder, seed)
    return history


def _claim(
    folder: Path,
    table: Mapping[str, Any],
    training: Sequence[xr.Dataset],
    validation: Sequence[xr.Dataset],
    seed: int,
) -> bool:
    """Take the folder for this training; whether it is done already."""
    manifest = {
        "model": dict(table),
        "training": [store.fingerprint(cases_only(part)) for part in training],
        "validation": [store.fingerprint(cases_only(part)) for part in validation],
        "seed": seed,
    }
    store.make_folder(folder)
    path = folder / TRAINING
    if path.is_file():
        try:
            old = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StoreError(f"{path}: damaged: {error}") from None
        if old != json.loads(json.dumps(manifest)):
            raise StoreError(
                f"{folder} holds a training of something else "
                f"({'; '.join(differences(old, manifest))}); choose another --output"
            )
    elif is_chief():
        store.write_text(path, json.dumps(manifest, indent=1))
    return (folder / MODEL).is_file() and (folder / "history.nc").is_file()


def _all_usable(parts: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Leave out samples that did not converge, and parts that have no others."""
    kept = [part for part in parts if part["converged"].values.any()]
    if not kept:
        raise StoreError("no sample converged: there is nothing to train on")
    return [usable(part) for part in kept]


def _for_model(model: Any, parts: list[xr.Dataset]) -> xr.Dataset | list[xr.Dataset]:
    """Parts for models that stream or have to see several grids, one dataset for others."""
    grids = {Grid.from_dataset(part) for part in parts}
    if getattr(model, "streams", False) or len(grids) > 1:
        return parts
    return store.concatenate([store.load(part) for part in parts])
