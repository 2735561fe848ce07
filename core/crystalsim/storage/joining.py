"""One netCDF file of many, a shard at a time, so that memory does not grow with their number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import netCDF4

from ..errors import StoreError
from . import netcdf
from .files import written_aside

_Layout = dict[str, tuple[Any, ...]]


def join_files(paths: list[Path], output: Path, *, compress: bool = False) -> None:
    """Join netCDF files along ``sample``, in order; attributes are those of the first.

    Parameters
    ----------
    paths
        Files to read.
    output
        File to write.
    compress
        See `netcdf.write`.

    Raises
    ------
    StoreError
        If a file is damaged or missing, or the output cannot be written.
    """
    layouts, samples = [], 0
    for path in paths:
        layout, count = _layout(path)
        layouts.append(layout)
        samples += count
    if any(layout != layouts[0] for layout in layouts):
        # Shards with failed samples may lack variables; xarray knows what to do, in memory.
        parts = [netcdf.read_file(path) for path in paths]
        netcdf.write(netcdf.concatenate(parts), output, compress=compress)
        return
    with written_aside(output) as aside, netCDF4.Dataset(aside, "w") as target:
        first = 0
        for path in paths:
            with netCDF4.Dataset(path) as source:
                if not first:
                    _define(target, source, samples)
                first += _copy(target, source, path, first)


def _layout(path: Path) -> tuple[_Layout, int]:
    """Types and shapes of the variables of a file, and its number of samples."""
    try:
        with netCDF4.Dataset(path) as source:
            sizes = {n: None if n == "sample" else len(d) for n, d in source.dimensions.items()}
            layout = {
                name: (v.dtype, *((d, sizes[d]) for d in v.dimensions))
                for name, v in source.variables.items()
            }
            return layout, len(source.dimensions["sample"])
    except (OSError, KeyError, RuntimeError) as error:
        raise StoreError(f"{path}: not a readable netCDF file: {error}") from None


def _define(target: netCDF4.Dataset, source: netCDF4.Dataset, samples: int) -> None:
    """Give the target the dimensions, variables and attributes of a source."""
    for name, dimension in source.dimensions.items():
        target.createDimension(name, samples if name == "sample" else len(dimension))
    target.setncatts({name: source.getncattr(name) for name in source.ncattrs()})
    for name, variable in source.variables.items():
        filters = variable.filters() or {}
        chunks = variable.chunking() if variable.dimensions else None
        copy = target.createVariable(
            name,
            variable.dtype,
            variable.dimensions,
            zlib=bool(filters.get("zlib")),
            complevel=1,  # as in `netcdf.write`
            shuffle=bool(filters.get("shuffle")),
            fletcher32=bool(filters.get("fletcher32")),
            chunksizes=chunks if isinstance(chunks, list) and len(chunks) > 2 else None,
        )
        copy.setncatts({key: variable.getncattr(key) for key in variable.ncattrs()})
        copy.set_auto_maskandscale(False)
        if "sample" not in variable.dimensions:
            variable.set_auto_maskandscale(False)
            copy[...] = variable[...]


def _copy(target: netCDF4.Dataset, source: netCDF4.Dataset, path: Path, first: int) -> int:
    """Copy what depends on the sample."""
    count = len(source.dimensions["sample"])
    for name, variable in source.variables.items():
        if "sample" in variable.dimensions:
            variable.set_auto_maskandscale(False)
            try:
                values = variable[...]
            except (OSError, RuntimeError) as error:
                raise StoreError(f"{path}: not a readable netCDF file: {error}") from None
            target[name][first : first + count] = values
    return count
