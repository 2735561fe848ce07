"""What a grid resolves: crystals and gaps in cells, and one warning where that is too little.

Measured with the solver `builtin` against an exact solution without a grid, at 64 and 128 cells in
each direction. The velocity of a single disc is 7 to 50 % off where its radius is a quarter of a
cell, 4 to 13 % at a half, 1 to 4 % at three quarters (means and worst of twelve places). Two discs
that approach each other head on close a gap of a cell within 24 % of the right speed, one of half a
cell at 0.04 of it at most, which is up to 4 % of the speed of one alone; discs that slide
past each other are within 4 %, whatever the gap.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..runtime.log import logger
from ..scene.grid import Grid
from .schema import sample_numbers

SMALLEST = {"smallest_radius": 1.0, "smallest_gap": 1.0, "smallest_wall_gap": 0.5}
"""Sizes below which the cells do not resolve crystals and gaps [cells].

A free-slip wall is a mirror: the gap to it is half of that between the crystal and its twin.
"""

_WHERE = {
    "smallest_radius": " in radius",
    "smallest_gap": " between crystals",
    "smallest_wall_gap": " to a wall",
}

_TEXTS = {
    "crystals": "{count} of {total} samples have crystals of less than a cell in radius "
    "({example}), whose velocities are off by up to 50 %",
    "gaps": "{count} of {total} samples have gaps of less than a cell, or half a cell to a wall "
    "({example}): how fast these close or open is not resolved, and crystals there are off by up "
    "to 4 % of their speed alone",
}


class UnresolvedWarning(UserWarning):
    """Crystals or gaps are too small for the cells."""


def resolution(cases: xr.Dataset) -> xr.Dataset:
    """Measure crystals and gaps in cells of the grid.

    Parameters
    ----------
    cases
        Dataset of kind ``"cases"`` or ``"solutions"``.

    Returns
    -------
    xarray.Dataset
        On (sample): `smallest_radius`, the radius of the smallest crystal, `smallest_gap`, the
        distance between the two nearest surfaces of crystals, and `smallest_wall_gap`, that between
        a crystal and the nearest wall, all over the larger side of a cell; infinite where there is
        no such thing.
    """
    names = {
        "smallest_radius": "radius of the smallest crystal, in cells",
        "smallest_gap": "smallest gap between crystals, in cells",
        "smallest_wall_gap": "smallest gap between a crystal and a wall, in cells",
    }
    columns = _in_cells(cases)
    coords = {"sample": cases["sample"]} if "sample" in cases.coords else {}
    return xr.Dataset(
        {
            name: ("sample", column, {"units": "1", "long_name": text})
            for (name, text), column in zip(names.items(), columns, strict=True)
        },
        coords,
    )


def _in_cells(cases: xr.Dataset) -> NDArray[np.float64]:
    """Smallest radius, gap and gap to a wall (3, sample) [cells]; infinite where there is none."""
    grid = Grid.from_dataset(cases)
    x, z, radius = (cases.variables[f"crystal_{name}"].values for name in ("x", "z", "radius"))
    sides = np.minimum(
        np.minimum(x - grid.x_min, grid.x_max - x), np.minimum(z - grid.z_min, grid.z_max - z)
    )
    gaps = [_smallest_gap(*rows) for rows in zip(x, z, radius, strict=True)]
    columns = [_smallest(radius), np.array(gaps, dtype=float), _smallest(sides - radius)]
    return np.maximum(columns, 0.0) / max(grid.hx, grid.hz)


def _smallest(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smallest of each row that is not padding (NaN)."""
    smallest: NDArray[np.float64] = np.fmin.reduce(values, axis=1, initial=np.inf)
    return smallest


def _smallest_gap(
    x: NDArray[np.float64], z: NDArray[np.float64], radius: NDArray[np.float64]
) -> float:
    """Smallest gap between the crystals of a sample [m]; one sample at a time, for many pairs."""
    first, second = np.triu_indices(x.size, k=1)
    gaps = np.hypot(x[first] - x[second], z[first] - z[second]) - radius[first] - radius[second]
    return float(np.fmin.reduce(gaps, initial=np.inf))


def is_resolved(cases: xr.Dataset) -> NDArray[np.bool_]:
    """Whether crystals and gaps of each sample (sample) are large enough for the cells.

    In Python the first that are not are told of in an `UnresolvedWarning`; commands say it by
    themselves, once.
    """
    limits = np.array(list(SMALLEST.values()))[:, None]
    fine: NDArray[np.bool_] = np.all(_in_cells(cases) >= limits, axis=0)
    if not fine.all() and not _State.told and not logger.handlers:
        _State.told = True
        warnings.warn(describe_unresolved([cases]), UnresolvedWarning, stacklevel=3)
    return fine


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Give no `UnresolvedWarning` while inside: somebody has said it, or will."""
    before, _State.told = _State.told, True
    try:
        yield
    finally:
        _State.told = before


class _State:
    """Whether this process has given its `UnresolvedWarning`."""

    told = False


def _too_small(sizes: xr.Dataset) -> dict[str, NDArray[np.bool_]]:
    return {name: sizes[name].values < limit for name, limit in SMALLEST.items()}


def warn_unresolved(datasets: Iterable[xr.Dataset], by: object) -> None:
    """Say once what the cells do not resolve, unless whoever computes the flow needs no cells.

    Parameters
    ----------
    datasets
        Datasets of kind ``"cases"`` or ``"solutions"``.
    by
        Solver or model, or its class; see `crystalsim.contracts.GridFree`.
    """
    if getattr(by, "grid_free", False):
        return
    if text := describe_unresolved(datasets):
        logger.warning("%s", text)


def describe_unresolved(datasets: Iterable[xr.Dataset]) -> str:
    """Say in one line which crystals and gaps are too small for the cells; empty if none is.

    Parameters
    ----------
    datasets
        Datasets of kind ``"cases"`` or ``"solutions"``.
    """
    total, counts = 0, {"crystals": 0, "gaps": 0}
    worst: dict[str, tuple[float, str]] = {}
    for dataset in datasets:
        grid, sizes = Grid.from_dataset(dataset), resolution(dataset)
        cell, numbers, small = max(grid.hx, grid.hz), sample_numbers(dataset), _too_small(sizes)
        total += len(numbers)
        radius, gap, wall = small.values()
        counts["crystals"] += int(radius.sum())
        counts["gaps"] += int((gap | wall).sum())
        for name, flags in small.items():
            if flags.any():
                what = "crystals" if name == "smallest_radius" else "gaps"
                values = sizes[name].values
                sample = int(values.argmin())
                example = f"sample {numbers[sample]}: {cell * values[sample]:.3g} m"
                text = f"{example}{_WHERE[name]}, a cell is {cell:.3g} m"
                worst[what] = min(worst.get(what, (np.inf, "")), (float(values[sample]), text))
    clauses = [
        _TEXTS[what].format(count=count, total=total, example=worst[what][1])
        for what, count in counts.items()
        if count
    ]
    return "; ".join(clauses) + ("; smaller cells resolve them" if clauses else "")
