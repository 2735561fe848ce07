"""What `crystalsim.save` does beyond writing: only datasets of ours, and never over a file."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from ..datasets import schema
from ..errors import SchemaError, StoreError
from . import netcdf

__all__ = ["save"]


def save(
    dataset: xr.Dataset, path: str | Path, *, overwrite: bool = False, compress: bool = True
) -> None:
    """Write cases, solutions or scores to one netCDF file, which `crystalsim.open` reads.

    Fields are chunked by sample and stored without loss. The file is written aside and renamed, so
    that it is whole or not there.

    Parameters
    ----------
    dataset
        Dataset of kind ``"cases"``, ``"solutions"`` or ``"scores"``.
    path
        File to write; its folder is made if need be.
    overwrite
        Whether to replace a file that is there.
    compress
        Whether to deflate fields: files are about half as large, and take ten times as long.

    Raises
    ------
    StoreError
        If there is such a file already, or it cannot be written.
    SchemaError
        If the dataset is of none of these kinds.
    """
    if not isinstance(dataset, xr.Dataset):
        raise SchemaError(
            f"save: {type(dataset).__name__} {str(dataset)[:40]!r}; expected an xarray.Dataset"
        )
    kind = schema.kind_of(dataset)
    try:
        if kind == "scores" and not dataset.data_vars:
            raise SchemaError("there are no variables")
        schema.validate(dataset, kind)
    except SchemaError as error:
        raise SchemaError(
            f"save: {path}: {error}; use dataset.to_netcdf for what is neither cases, solutions "
            "nor scores"
        ) from None
    if Path(path).exists() and not overwrite:
        raise StoreError(f"{path}: is there already; save(..., overwrite=True) replaces it")
    netcdf.write(dataset, path, compress=compress)
