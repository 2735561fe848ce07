"""One shard: what is told to a worker, and the work itself.

A sample that raises is filled with NaN and reported by its number; the others go on.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from ..datasets import schema
from ..datasets.resolution import told
from ..datasets.returned import check_returned, require_finite
from ..datasets.solutions import make_solutions
from ..errors import (
    ContractError,
    MemoryShortageError,
    OptionError,
    StoreError,
    one_line,
)
from ..runtime.memory import is_shortage, shortage
from ..storage import netcdf
from ..storage.netcdf import CASES
from ..storage.provenance import fingerprint


class Task(NamedTuple):
    """One shard to make: the samples from `first` up to `last`."""

    number: int
    first: int
    last: int


class Failure(NamedTuple):
    """Why a sample failed: in one line, and the traceback of the plugin."""

    message: str
    traceback: str


class Outcome(NamedTuple):
    """What became of a shard: the numbers of samples that failed or did not converge."""

    samples: int
    failed: dict[int, Failure]
    unconverged: list[int]


_NOT_THE_SAMPLES_FAULT = (OptionError, StoreError, ContractError, MemoryShortageError)


Compute = Callable[[xr.Dataset], xr.Dataset]
"""Turns cases into solutions of the same samples."""


class Order(NamedTuple):
    """What a worker needs to make shards: paths and options, no arrays.

    Attributes
    ----------
    folder
        Folder of the shards.
    compute
        Turns cases into solutions.
    origin
        Plugin and distribution that `compute` asks, for messages.
    attributes
        Provenance of every file.
    compress
        Whether to deflate the files; see `netcdf.write`.
    """

    folder: Path
    compute: Compute
    origin: str
    attributes: dict[str, Any]
    compress: bool

    def path(self, task: Task) -> Path:
        """File of a shard."""
        return netcdf.shard_path(self.folder, task.number)

    def for_others(self, cases: xr.Dataset) -> Order:
        """Write all cases into the folder; gives the order for workers that read them there."""
        path = self.folder.absolute() / CASES
        if not _holds(path, cases):
            netcdf.write(cases, path)
        return self._replace(folder=path.parent)

    def make(self, task: Task, cases: xr.Dataset | None = None) -> Outcome:
        """Work on one shard and write it; samples that raise are filled with NaN and reported.

        Parameters
        ----------
        task
            The shard.
        cases
            Cases of the shard; None reads them from the folder.

        Raises
        ------
        ContractError
            If the plugin returns something else than solutions of these samples.
        MemoryShortageError
            If memory runs out.
        """
        try:
            with told():  # whoever orders shards says what is not resolved
                return self._written(task, cases)
        except Exception as error:
            if is_shortage(error):
                raise shortage(error) from None
            raise

    def _written(self, task: Task, cases: xr.Dataset | None) -> Outcome:
        if cases is None:
            cases = netcdf.read_samples(self.folder / CASES, task.first, task.last)
        numbers = schema.sample_numbers(cases)
        failed: dict[int, Failure] = {}
        try:
            solutions = self._checked(cases)
        except Exception as error:
            alone = len(numbers) == 1
            if isinstance(error, _NOT_THE_SAMPLES_FAULT) or (alone and is_shortage(error)):
                raise
            if alone:
                solutions, failed = _failed(cases), {numbers[0]: _failure(error)}
            else:
                solutions, failed = self._one_by_one(cases)
        solutions = solutions.assign_attrs({**solutions.attrs, **self.attributes})
        netcdf.write(solutions, self.path(task), compress=self.compress, checksum=True)
        converged = solutions["converged"].values.astype(bool)
        unconverged = [n for n, good in zip(numbers, converged, strict=True) if not good]
        return Outcome(len(numbers), failed, [n for n in unconverged if n not in failed])

    def _checked(self, cases: xr.Dataset) -> xr.Dataset:
        """Do the work and check that the plugin kept its promise."""
        solutions = check_returned(self.compute(cases), "solutions", self.origin, same_as=cases)
        require_finite(solutions)
        return solutions

    def _one_by_one(self, cases: xr.Dataset) -> tuple[xr.Dataset, dict[int, Failure]]:
        """Work on each sample alone, so that one that raises spoils no other."""
        numbers = schema.sample_numbers(cases)
        parts, failed = [], {}
        for i, number in enumerate(numbers):
            one = cases.isel(sample=[i])
            try:
                parts.append(self._checked(one))
            except Exception as error:
                if isinstance(error, _NOT_THE_SAMPLES_FAULT) or is_shortage(error):
                    raise
                failed[number] = _failure(error)
                parts.append(_failed(one))
        shared = [str(n) for n in parts[0].data_vars if all(n in part for part in parts)]
        good = next((i for i, n in enumerate(numbers) if n not in failed), 0)
        joined = netcdf.concatenate([part[shared] for part in parts])
        return joined.assign_attrs(parts[good].attrs), failed


def _holds(path: Path, cases: xr.Dataset) -> bool:
    try:
        return fingerprint(netcdf.read_file(path)) == fingerprint(cases)
    except StoreError:
        return False


def _failure(error: Exception) -> Failure:
    text = "".join(traceback.format_exception(error))
    return Failure(one_line(error), text)


def _failed(case: xr.Dataset) -> xr.Dataset:
    """A solution that says that there is none."""
    size = case.sizes
    shape = {
        "velocity_x": (1, size["z"], size["x_face"]),
        "velocity_z": (1, size["z_face"], size["x"]),
        "pressure": (1, size["z"], size["x"]),
        "stream_function": (1, size["z_face"], size["x_face"]),
        "error_estimate": (1,),
        "residual": (1,),
        "wall_time": (1,),
    }
    fields: dict[str, Any] = {name: np.full(dims, np.nan) for name, dims in shape.items()}
    fields |= {"converged": np.zeros(1, dtype=bool), "iterations": np.zeros(1, dtype=np.int32)}
    return make_solutions(case, fields)
