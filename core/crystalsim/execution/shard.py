"""One shard: what is told to a worker, and the work itself.

A sample that raises is filled with NaN and reported by its number; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from ..datasets import schema
from ..datasets.solutions import make_solutions
from ..errors import CrystalsimError, OptionError, SchemaError, StoreError
from ..storage import netcdf
from ..storage.netcdf import CASES
from ..storage.provenance import fingerprint


class Task(NamedTuple):
    """One shard to make: the samples from `first` up to `last`."""

    number: int
    first: int
    last: int


class Outcome(NamedTuple):
    """What became of a shard: the numbers of samples that failed or did not converge."""

    samples: int
    failed: dict[int, str]
    unconverged: list[int]


Work = Callable[[xr.Dataset], xr.Dataset]


class Job(NamedTuple):
    """What all shards of a folder have in common.

    Attributes
    ----------
    cases
        All samples.
    work
        Turns some of them into solutions.
    folder
        Where the shards go.
    attributes
        Provenance of every file.
    compress
        Whether to deflate the files; see `netcdf.save`.
    """

    cases: xr.Dataset
    work: Work
    folder: Path
    attributes: dict[str, Any]
    compress: bool

    def part(self, task: Task) -> xr.Dataset:
        """Cases of one shard."""
        return self.cases.isel(sample=slice(task.first, task.last))

    def order(self) -> Order:
        """Write the cases into the folder, for workers in other processes to read."""
        path = self.folder.absolute() / CASES
        if not self._has_cases(path):
            netcdf.save(self.cases, path)
        return Order(str(path), self.work, self.attributes, self.compress)

    def _has_cases(self, path: Path) -> bool:
        try:
            return fingerprint(netcdf.read_file(path)) == fingerprint(self.cases)
        except StoreError:
            return False


class Order(NamedTuple):
    """What a worker in another process is told: paths and options, no arrays.

    Attributes
    ----------
    cases
        File with all samples; shards go beside it.
    work, attributes, compress
        See `Job`.
    """

    cases: str
    work: Work
    attributes: dict[str, Any]
    compress: bool


def make_ordered_shard(order: Order, task: Task) -> Outcome:
    """Read the cases of one shard, work on them and write it; see `make_shard`."""
    cases = netcdf.read_samples(Path(order.cases), task.first, task.last)
    path = netcdf.shard_path(Path(order.cases).parent, task.number)
    return make_shard(cases, order.work, path, order.attributes, order.compress)


def make_shard(
    cases: xr.Dataset, work: Work, path: Path, attributes: dict[str, Any], compress: bool
) -> Outcome:
    """Work on one shard and write it; samples that raise are filled with NaN and reported."""
    failed: dict[int, str] = {}
    try:
        made = _checked(work, cases)
    except (OptionError, StoreError):
        raise  # not the sample's fault
    except Exception as error:
        if cases.sizes["sample"] == 1:
            made, failed = _failed(cases), {_ids(cases)[0]: _line(error)}
        else:
            made, failed = _one_by_one(cases, work)
    made = made.assign_attrs({**made.attrs, **attributes})
    netcdf.save(made, path, compress=compress, checksum=True)
    converged = made["converged"].values.astype(bool)
    unconverged = [n for n, good in zip(_ids(cases), converged, strict=True) if not good]
    return Outcome(cases.sizes["sample"], failed, [n for n in unconverged if n not in failed])


def _checked(work: Work, cases: xr.Dataset) -> xr.Dataset:
    """Do the work and check that a plugin kept its promise: valid, the same samples, in order."""
    made = schema.validate(work(cases), "solutions")
    if _ids(made) != _ids(cases):
        raise SchemaError(f"samples {_ids(made)[:3]} ... came back for {_ids(cases)[:3]} ...")
    return made


def _one_by_one(cases: xr.Dataset, work: Work) -> tuple[xr.Dataset, dict[int, str]]:
    parts, failed = [], {}
    for i, number in enumerate(_ids(cases)):
        one = cases.isel(sample=[i])
        try:
            parts.append(_checked(work, one))
        except Exception as error:
            failed[number] = _line(error)
            parts.append(_failed(one))
    shared = [str(n) for n in parts[0].data_vars if all(n in part for part in parts)]
    good = next((i for i, n in enumerate(_ids(cases)) if n not in failed), 0)
    joined = netcdf.concatenate([part[shared] for part in parts])
    return joined.assign_attrs(parts[good].attrs), failed


def _failed(case: xr.Dataset) -> xr.Dataset:
    """A solution that says that there is none."""
    size = case.sizes
    shape = {
        "velocity_x": (1, size["z"], size["x_face"]),
        "velocity_z": (1, size["z_face"], size["x"]),
        "pressure": (1, size["z"], size["x"]),
        "stream_function": (1, size["z_face"], size["x_face"]),
        "residual": (1,),
        "wall_time": (1,),
    }
    fields: dict[str, Any] = {name: np.full(dims, np.nan) for name, dims in shape.items()}
    fields |= {"converged": np.zeros(1, dtype=bool), "iterations": np.zeros(1, dtype=np.int32)}
    return make_solutions(case, fields)


def _ids(cases: xr.Dataset) -> list[int]:
    count = cases.sizes["sample"]
    return cases["sample"].values.tolist() if "sample" in cases.coords else list(range(count))


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, CrystalsimError) else f"{type(error).__name__}: {text}"
