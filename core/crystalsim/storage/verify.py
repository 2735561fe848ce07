"""Find damage: files that cannot be read, break the schema, hold no numbers or are missing."""

from __future__ import annotations

import json
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..datasets.returned import require_finite
from ..errors import StoreError, one_line
from . import netcdf
from .files import CHECKSUMS, checksum_fits
from .netcdf import CASES
from .run_folder import RunFolder


class Verdict(NamedTuple):
    """What was found about one file.

    Attributes
    ----------
    path
        The file.
    damage
        What is wrong with it; empty if nothing is.
    """

    path: Path
    damage: str


def verify(path: Path) -> Iterator[Verdict]:
    """Check a file, a folder of shards, or all that is in a folder such as that of a run.

    Checksums are compared where they are on record (shards); netCDF files are read whole, which
    also compares HDF5's checksums of their chunks; samples that converged have to be finite.
    What is hidden, such as work in hand, is left out.

    Parameters
    ----------
    path
        File or folder.

    Yields
    ------
    Verdict
        For each file that is there or should be, one at a time.

    Raises
    ------
    StoreError
        If there is nothing at `path`.
    """
    if path.is_dir():
        yield from _folder(path)
    elif path.exists():
        yield Verdict(path, _damage(path))
    else:
        raise StoreError(f"{path}: no such file or folder")


def _folder(folder: Path) -> Iterator[Verdict]:
    if (folder / netcdf.MANIFEST).is_file():
        yield from _shards(folder)
        return
    if (run := RunFolder(folder)).is_complete:
        for path in run.missing():
            yield Verdict(path, "missing")
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name == CHECKSUMS:
            continue
        if path.is_dir():
            yield from _folder(path)
        elif path.suffix in _CHECKS:
            yield Verdict(path, _damage(path))


def _shards(folder: Path) -> Iterator[Verdict]:
    path = folder / netcdf.MANIFEST
    try:
        manifest = netcdf.read_manifest(folder) or {}
        count = int(manifest["shards"])
        size, samples = manifest.get("shard_size"), manifest.get("samples")
    except (StoreError, KeyError, ValueError, TypeError) as error:
        yield Verdict(path, one_line(error).removeprefix(f"{path}: "))
        return
    yield Verdict(path, "")
    if (folder / CASES).is_file():
        yield Verdict(folder / CASES, _damage(folder / CASES))
    for number in range(count):
        shard = netcdf.shard_path(folder, number)
        if not shard.is_file():
            yield Verdict(shard, "missing; the command that made the folder makes it")
            continue
        expected = None
        if isinstance(size, int) and isinstance(samples, int):
            expected = min(size, samples - number * size)
        yield Verdict(shard, _damage(shard, expected))


def _damage(path: Path, samples: int | None = None) -> str:
    """Say what is wrong with a file, or nothing."""
    try:
        if checksum_fits(path) is False:
            return "the checksum differs from the one on record"
        check = _CHECKS.get(path.suffix)
        if check is None:
            raise StoreError(f"expected a file that ends in {', '.join(_CHECKS)}")
        count = check(path)
        if samples is not None and count is not None and count != samples:
            raise StoreError(f"holds {count} samples; expected {samples}")
    except Exception as error:  # damaged files raise anything
        return one_line(error).removeprefix(f"{path}: ")
    return ""


def _netcdf(path: Path) -> int | None:
    """Check a netCDF file; gives its number of samples."""
    dataset = netcdf.read_file(path)
    if "sample" not in dataset.dims:
        return None
    if "velocity_x" in dataset or "crystal_x" in dataset:
        kind = "solutions" if "velocity_x" in dataset else "cases"
        netcdf.schema.validate(dataset, kind)
        require_finite(dataset)
    return int(dataset.sizes["sample"])


def _json(path: Path) -> None:
    json.loads(path.read_text(encoding="utf-8"))


def _toml(path: Path) -> None:
    tomllib.loads(path.read_text(encoding="utf-8"))


def _weights(path: Path) -> None:
    """Compare the checksums in a file of weights, without loading any of it."""
    with zipfile.ZipFile(path) as archive:
        if bad := archive.testzip():
            raise StoreError(f"the checksum of '{bad}' in it differs")


_CHECKS = {".nc": _netcdf, ".json": _json, ".toml": _toml, ".pt": _weights}
