"""Look for damage: in a file, a folder of shards, a model or a whole run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import integrity, store
from .checkpoints import MODEL, load_model
from .errors import CrystalsimError, StoreError
from .progress import progress


class Finding(NamedTuple):
    """What became of one file: `damage` is empty where it is whole."""

    path: Path
    damage: str


def verify(path: Path) -> Iterator[Finding]:
    """Check everything of ours under a path.

    Datasets are read whole and checked against the schema, and velocities of converged samples for
    values that are not finite; shards against the checksums beside them; models are loaded.

    Raises
    ------
    StoreError
        If there is nothing to check.
    """
    if path.is_file():
        yield _dataset(path)
        return
    if not path.is_dir():
        raise StoreError(f"{path}: no such file or folder")
    folders = [path, *sorted(p for p in path.rglob("*") if p.is_dir() and not _hidden(p, path))]
    work: list[tuple[Path, bool]] = []
    for folder in folders:
        manifest = store.read_manifest(folder)
        if manifest is not None:
            shards = range(manifest["shards"])
            work += [(store.shard_path(folder, number), True) for number in shards]
        elif (folder / MODEL).is_file():
            work.append((folder / MODEL, False))
        else:
            files = sorted(folder.glob("*.nc"))
            work += [(file, False) for file in files if not file.name.startswith(".")]
    if not work:
        raise StoreError(f"{path}: nothing of crystalsim in this folder")
    for file, is_shard in progress(work, description="verifying", unit="file"):
        yield _shard(file) if is_shard else _model(file) if file.name == MODEL else _dataset(file)


def _hidden(path: Path, top: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(top).parts)


def _shard(path: Path) -> Finding:
    if not path.is_file():
        return Finding(path, "missing; run the same command again to make it")
    if integrity.is_sealed(path) and not integrity.is_intact(path):
        return Finding(path, "its checksum differs; run the same command again to make it anew")
    return _dataset(path)


def _model(path: Path) -> Finding:
    try:
        load_model(str(path.parent))
    except CrystalsimError as error:
        return Finding(path, str(error))
    return Finding(path, "")


def _dataset(path: Path) -> Finding:
    try:
        # A history has no schema.
        dataset = store.read_file(path) if path.name == "history.nc" else store.open(path)
    except CrystalsimError as error:
        return Finding(path, str(error).removeprefix(f"{path}: "))
    if "velocity_x" in dataset and "converged" in dataset:
        good = dataset["converged"].values.astype(bool)
        for name in ("velocity_x", "velocity_z"):
            bad = good & ~np.isfinite(dataset[name].values).all(axis=(1, 2))
            if bad.any():
                first = int(dataset["sample"].values[bad.argmax()]) if "sample" in dataset else 0
                return Finding(path, f"{name} of sample {first} is not finite, yet it converged")
    return Finding(path, "")
