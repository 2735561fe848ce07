"""Data sets as tensors: in memory where they fit, else in files that are read as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr

from ..runtime.log import logger
from ..runtime.progress import progress
from ..scene.grid import Grid
from ..storage.netcdf import load
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
    """Prepare solutions for training, one group for each grid.

    Parameters
    ----------
    datasets
        Datasets of kind ``"solutions"``, each on one grid; may be lazy, such as the shards of a
        folder.
    folder
        Folder for tensors that take more than `memory`; None keeps all in memory.
    memory
        Most that all tensors together may take in memory [GB].
    name
        Name of the files, without their suffix.
    """
    needed = 1e-9 * sum(_bytes(dataset) for dataset in datasets)
    streamed = folder is not None and needed > memory
    if streamed:
        logger.info("%s data: %.1f GB of tensors in files of %s", name, needed, folder)
    on_grids: dict[Grid, list[xr.Dataset]] = {}
    for dataset in datasets:
        on_grids.setdefault(Grid.from_dataset(dataset), []).append(dataset)
    return [
        _group(parts, folder / f"{name}-{number}" if folder and streamed else None)
        for number, parts in enumerate(on_grids.values())
    ]


def _bytes(dataset: xr.Dataset) -> int:
    """About what `prepare` gives: five fields on the grid in single precision."""
    return 4 * 5 * dataset.sizes["sample"] * (dataset.sizes["x"] + 1) * (dataset.sizes["z"] + 1)


def _group(parts: Sequence[xr.Dataset], stem: Path | None) -> Group:
    """Prepare some samples at a time into tensors that take all of them."""
    samples = sum(part.sizes["sample"] for part in parts)
    crystals = max(part.sizes["crystal"] for part in parts)
    whole: dict[str, torch.Tensor] = {}
    spacing, first = (0.0, 0.0), 0
    for chunk in progress(list(_chunks(parts)), description="preparing", unit="chunk"):
        prepared = prepare(chunk(), with_solution=True)
        spacing, fields = prepared.spacing, prepared.batch._asdict()
        size = fields["isoviscous"].shape[0]
        for field, tensor in fields.items():
            width = tensor.shape[1:] if field != "crystals" else (crystals, 3)
            if field not in whole:
                whole[field] = _tensor((samples, *width), stem, field)
            target = whole[field][first : first + size]
            if field == "crystals":
                target = target[:, : tensor.shape[1]]
            target.copy_(tensor)
        first += size
    return Group(Batch(**whole), spacing)


def _chunks(parts: Sequence[xr.Dataset]) -> Iterator[Callable[[], xr.Dataset]]:
    """Functions that read a number of samples each."""
    for part in parts:
        for start in range(0, part.sizes["sample"], _CHUNK):
            chosen = slice(start, start + _CHUNK)
            yield lambda part=part, chosen=chosen: load(part.isel(sample=chosen))  # type: ignore[misc]


def _tensor(shape: tuple[int, ...], stem: Path | None, field: str) -> torch.Tensor:
    """Zeros in memory, or in a file."""
    if stem is None:
        return torch.zeros(shape)
    stem.parent.mkdir(parents=True, exist_ok=True)
    path = stem.with_name(f"{stem.name}-{field}.bin")
    return torch.from_numpy(np.memmap(path, np.float32, "w+", shape=shape))


def hold_on_device(groups: list[Group], device: torch.device) -> list[Group]:
    """Move groups to a GPU that has room for them, so that no step has to."""
    if device.type != "cuda":
        return groups
    size = sum(tensor.nbytes for group in groups for tensor in group.batch)
    if size > 0.5 * torch.cuda.mem_get_info(device)[0]:
        return groups
    return [group._replace(batch=group.batch.to(device)) for group in groups]
