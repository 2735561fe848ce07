"""Files: one netCDF file, or a folder of shards with a manifest.

Everything is written aside and renamed, so that what carries its final name is whole.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..datasets import schema
from ..datasets.media import complete_cases
from ..errors import CrystalsimError, OptionError, SchemaError, StoreError
from ..runtime import memory
from ..runtime.interrupts import shielded
from .files import written_aside
from .provenance import provenance as provenance

__all__ = ["open"]

MANIFEST = "manifest.json"
CASES = "cases.nc"
"""File in a folder of shards from which workers in other processes read their samples."""

_AS_FIRST: dict[str, Any] = {
    "data_vars": "minimal",
    "coords": "minimal",
    "compat": "override",
    "combine_attrs": "override",
    "join": "override",
}
"""Options to join parts of one dataset: what does not depend on the sample is that of the first."""


def write(
    dataset: xr.Dataset, path: str | Path, *, compress: bool = True, checksum: bool = False
) -> None:
    """Write a dataset to one netCDF file, aside first and then renamed.

    Fields are chunked by sample and stored without loss, so that the file opens in
    plain xarray as it was. HDF5 keeps a checksum of each chunk, so that reading damaged numbers
    fails, in plain xarray too.

    Parameters
    ----------
    dataset
        Any dataset of ours.
    path
        File to write; its folder is made if need be.
    compress
        Whether to deflate fields: files are 40 % smaller in double precision and half as large in
        single, but writing takes ten times as long, which is longer than solving.
    checksum
        Whether to put a checksum of the whole file on record; see `crystalsim.storage.files`.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    path = Path(path)
    encoding: dict[Any, dict[str, Any]] = {}
    for name, array in dataset.variables.items():
        encoding[name] = {"_FillValue": None} if array.dtype.kind == "f" else {}
        if array.ndim and array.size and array.dtype.kind in "biuf":
            encoding[name] |= {"fletcher32": True}
        if array.ndim > 1 and array.size:
            chunks = (1, *array.shape[1:]) if array.ndim > 2 else array.shape
            encoding[name] |= {"chunksizes": chunks}
            if compress:
                encoding[name] |= {"zlib": True, "complevel": 1, "shuffle": True}
    with written_aside(path, checksum=checksum) as aside, shielded():
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset.drop_encoding().to_netcdf(aside, engine="netcdf4", encoding=encoding)


def open(path: str | Path, kind: str | None = None, *, lazy: bool = False) -> xr.Dataset:
    """Read a file, or a folder of shards, into memory.

    Parameters
    ----------
    path
        A netCDF file, or a folder that `crystalsim solve` wrote.
    kind
        Kind of dataset to check for (see `crystalsim.validate`); None guesses it.
    lazy
        Leave fields on disk, as Dask arrays with a chunk for each shard that are read when they
        are used, so that a folder may be larger than memory.

    Raises
    ------
    OptionError
        If `lazy` is asked for and Dask is not installed.
    StoreError
        If it is missing, damaged or incomplete; the message names the file.
    SchemaError
        If it does not follow the schema; the message names the file and all violations.
    """
    path = Path(path)
    if lazy:
        dataset = _open_lazily(_shard_paths(path) if path.is_dir() else [path])
    else:
        dataset = _read_shards(path) if path.is_dir() else read_file(path)
    kind = kind or schema.kind_of(dataset)
    try:
        if kind == "cases" and "crystal_x" not in dataset and schema.has_media(dataset):
            dataset = complete_cases(dataset)
        return schema.validate(dataset, kind)
    except SchemaError as error:
        raise SchemaError(f"{path}: {error}") from None


def _open_lazily(paths: list[Path]) -> xr.Dataset:
    try:
        import dask  # noqa: F401
    except ImportError:
        raise OptionError(
            "lazy = True: Dask is not installed; pip install 'crystalsim[dask]'"
        ) from None
    with _reading(paths[0].parent, "not readable netCDF files"):
        return xr.open_mfdataset(
            paths,
            combine="nested",
            concat_dim="sample",
            **_AS_FIRST,
            engine="netcdf4",
            chunks={"sample": -1},
        )


@contextlib.contextmanager
def _reading(place: object, complaint: str = "not a readable netCDF file") -> Iterator[None]:
    """Keep Ctrl-C back, and name what cannot be read.

    netCDF4, HDF5 and xarray raise a dozen types here, all meaning a file that is no good.
    """
    try:
        with shielded():
            yield
    except CrystalsimError:
        raise
    except Exception as error:
        if memory.is_shortage(error):
            raise
        text = " ".join(str(error).split())
        raise StoreError(f"{place}: {complaint}: {text}") from None


def _require(path: Path) -> None:
    if not path.is_file():
        raise StoreError(f"{path}: no such file")


def open_parts(path: str | Path, kind: str) -> list[xr.Dataset]:
    """Open a file, or the shards of a folder, without reading their fields into memory.

    Each part is checked on its own, which reads it once; what is used later is read again.

    Parameters
    ----------
    path, kind
        See `open`.

    Raises
    ------
    StoreError, SchemaError
        See `open`.
    """
    path = Path(path)
    parts = []
    for file in _shard_paths(path) if path.is_dir() else [path]:
        _require(file)
        with _reading(file):
            part = xr.open_dataset(file, engine="netcdf4", cache=False)
            try:
                schema.validate(part, kind)
            except SchemaError as error:
                raise SchemaError(f"{file}: {error}") from None
            small = [name for name, array in part.variables.items() if array.ndim < 3]
            parts.append(part.assign({name: part[name].load() for name in small}))
    return parts


def read_file(path: Path) -> xr.Dataset:
    """Read one netCDF file into memory, without a check of its contents.

    Raises
    ------
    StoreError
        If it is missing, not netCDF or damaged.
    """
    _require(path)
    with _reading(path), xr.open_dataset(path, engine="netcdf4") as dataset:
        size = sum(variable.nbytes for variable in dataset.variables.values())
        if size <= (free := memory.available()):
            return dataset.load().drop_encoding()
    # A few damaged or malicious bytes can declare any size.
    raise StoreError(
        f"{path}: {size / 1e9:.3g} GB when read, of {free / 1e9:.3g} GB of memory that are free; "
        "expected shards of a folder that are read one by one"
    )


def load(part: xr.Dataset) -> xr.Dataset:
    """Read a lazy part, or some samples of it, into memory.

    Raises
    ------
    StoreError
        If its file is damaged.
    """
    with _reading(part.encoding.get("source", "a file"), "damaged"):
        return part.load()


def read_samples(path: Path, first: int, last: int) -> xr.Dataset:
    """Read the samples from `first` up to `last` of one netCDF file, and no others.

    Raises
    ------
    StoreError
        See `read_file`.
    """
    _require(path)
    with _reading(path), xr.open_dataset(path, engine="netcdf4", cache=False) as dataset:
        return dataset.isel(sample=slice(first, last)).load().drop_encoding()


def read_converged(path: Path) -> NDArray[np.bool_]:
    """Which samples of a file or folder of solutions converged (sample); fields are not read.

    Raises
    ------
    StoreError
        If a file is missing or damaged.
    """
    parts = []
    for file in _shard_paths(path) if path.is_dir() else [path]:
        _require(file)
        with _reading(file), xr.open_dataset(file, engine="netcdf4", cache=False) as dataset:
            parts.append(dataset["converged"].values.astype(bool))
    return np.concatenate(parts)


def shard_path(folder: Path, number: int) -> Path:
    """File of a shard."""
    return folder / f"shard-{number:05d}.nc"


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Read the manifest of a folder of shards; None where there is none.

    Raises
    ------
    StoreError
        If it is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        return {"shards": int(manifest["shards"]), **manifest}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: damaged: {error}") from None


def _read_shards(folder: Path) -> xr.Dataset:
    paths = _shard_paths(folder)
    parts: list[xr.Dataset] = []
    for path in paths:
        parts.append(read_file(path))
        if len(parts) == 1:
            memory.require(parts[0].nbytes * len(paths), str(folder), "read it with lazy=True")
    return concatenate(parts)


def _shard_paths(folder: Path) -> list[Path]:
    manifest = read_manifest(folder)
    if manifest is None:
        raise StoreError(f"{folder}: a folder without {MANIFEST}; expected shards of a dataset")
    paths = [shard_path(folder, i) for i in range(manifest["shards"])]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise StoreError(
            f"{folder}: {len(missing)} of {len(paths)} shards are missing ({missing[0]} ...); "
            "run the same command again to make them"
        )
    return paths


def concatenate(parts: list[xr.Dataset]) -> xr.Dataset:
    """Join datasets along ``sample``, keeping the attributes of the first."""
    if len(parts) == 1:
        return parts[0]
    return xr.concat(parts, "sample", **_AS_FIRST)
