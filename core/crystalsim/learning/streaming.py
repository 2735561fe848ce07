"""Data sets as tensors: in memory where they fit, else in files that are read as needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr

from ..log import logger
from ..progress import progress
from .batches import Batch, prepare

Spacing = tuple[float, float]

_CHUNK = 256
"""Samples that are prepared at once."""


class Group(NamedTuple):
    """Samples on one grid.

    Attributes
    ----------
    batch
        The samples.
    spacing
        Cell sizes ``(hx, hz)`` in units of half the height.
    """

    batch: Batch
    spacing: Spacing

    @property
    def size(self) -> int:
        """Number of samples."""
        return int(self.batch.isoviscous.shape[0])


def make_groups(
    datasets: Sequence[xr.Dataset], folder: Path | None, memory: float, name: str
) -> list[Group]:
    """Prepare solutions for training, one group for each dataset.

    Parameters
    ----------
    datasets
        Of kind ``"solutions"``, each on one grid; may be lazy.
    folder
        Where tensors go that take more than `memory`; None keeps all in memory.
    memory
        Most that all tensors together may take in memory [GB].
    name
        Of the files.
    """
    needed = 1e-9 * sum(_bytes(dataset) for dataset in datasets)
    if folder is None or needed <= memory:
        prepared = (prepare(dataset, with_solution=True) for dataset in datasets)
        return [Group(each.batch, each.spacing) for each in prepared]
    logger.info("%s data: %.1f GB of tensors in files of %s", name, needed, folder)
    return [
        _in_files(dataset, folder / f"{name}-{number}") for number, dataset in enumerate(datasets)
    ]


def _bytes(dataset: xr.Dataset) -> int:
    """About what `prepare` gives: five fields on the grid in single precision."""
    return 4 * 5 * dataset.sizes["sample"] * (dataset.sizes["x"] + 1) * (dataset.sizes["z"] + 1)


def _in_files(dataset: xr.Dataset, stem: Path) -> Group:
    samples = dataset.sizes["sample"]
    stem.parent.mkdir(parents=True, exist_ok=True)
    files: dict[str, np.memmap] = {}
    starts = range(0, samples, _CHUNK)
    spacing = (0.0, 0.0)
    for start in progress(starts, description="preparing", unit="chunk"):
        part = dataset.isel(sample=slice(start, start + _CHUNK)).load()
        prepared = prepare(part, with_solution=True)
        spacing = prepared.spacing
        for field, tensor in prepared.batch._asdict().items():
            if start == 0:
                shape = (samples, *tensor.shape[1:])
                path = stem.with_name(f"{stem.name}-{field}.bin")
                files[field] = np.memmap(path, np.float32, "w+", shape=shape)
            files[field][start : start + len(tensor)] = tensor.numpy()
    for file in files.values():
        file.flush()
    return Group(Batch(**{name: torch.from_numpy(file) for name, file in files.items()}), spacing)


def hold_on_device(groups: list[Group], device: torch.device) -> list[Group]:
    """Move groups to a GPU that has room for them, so that no step has to."""
    if device.type != "cuda":
        return groups
    size = sum(tensor.nbytes for group in groups for tensor in group.batch)
    if size > 0.5 * torch.cuda.mem_get_info(device)[0]:
        return groups
    return [group._replace(batch=group.batch.to(device)) for group in groups]
