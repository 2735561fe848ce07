"""What a grid resolves: crystals and gaps in cells, and one warning where that is too little.

A crystal or a gap smaller than a cell is not seen by a method on a grid. Velocities of such
crystals are wrong by 3 to 1000 %, although the equations on the grid are solved to any tolerance.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..scene.case import Case
from ..scene.grid import Grid
from .cases import iterate_cases
from .schema import sample_numbers

SMALLEST = 1.0
"""Radius and gap below which `describe_unresolved` warns [cells]."""


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
    grid = Grid.from_dataset(cases)
    cell = max(grid.hx, grid.hz)
    names = {
        "smallest_radius": "radius of the smallest crystal, in cells",
        "smallest_gap": "smallest gap between crystals, in cells",
        "smallest_wall_gap": "smallest gap between a crystal and a wall, in cells",
    }
    rows = np.array([_smallest(case, grid) for case in iterate_cases(cases)]).reshape(-1, 3) / cell
    coords = {"sample": cases["sample"]} if "sample" in cases.coords else {}
    return xr.Dataset(
        {
            name: ("sample", column, {"units": "1", "long_name": text})
            for (name, text), column in zip(names.items(), rows.T, strict=True)
        },
        coords,
    )


def _smallest(case: Case, grid: Grid) -> tuple[float, float, float]:
    """Smallest radius, gap and gap to a wall of a case [m]."""
    if not case.x.size:
        return np.inf, np.inf, np.inf
    sides = (case.x - grid.x_min, grid.x_max - case.x, case.z - grid.z_min, grid.z_max - case.z)
    wall = float((np.min(sides, axis=0) - case.radius).min())
    return float(case.radius.min()), float(_gaps(case).min(initial=np.inf)), max(wall, 0.0)


def _gaps(case: Case) -> NDArray[np.float64]:
    """Gaps between all pairs of crystals of a case [m], not negative."""
    first, second = np.triu_indices(case.x.size, k=1)
    distance = np.hypot(case.x[first] - case.x[second], case.z[first] - case.z[second])
    gaps: NDArray[np.float64] = np.maximum(distance - case.radius[first] - case.radius[second], 0)
    return gaps


def describe_unresolved(datasets: Iterable[xr.Dataset]) -> str:
    """Say in one line which crystals and gaps are smaller than a cell; empty if none is.

    Parameters
    ----------
    datasets
        Datasets of kind ``"cases"`` or ``"solutions"``.
    """
    count, total, worst = 0, 0, (np.inf, "")
    for dataset in datasets:
        grid, sizes = Grid.from_dataset(dataset), resolution(dataset)
        cell = max(grid.hx, grid.hz)
        table = np.stack([sizes[name].values for name in sizes.data_vars])
        total += table.shape[1]
        count += int((table < SMALLEST).any(axis=0).sum())
        if not table.size or table.min() >= min(SMALLEST, worst[0]):
            continue
        what, sample = np.unravel_index(int(table.argmin()), table.shape)
        number = sample_numbers(dataset)[sample]
        subject = ("a crystal's radius", "a gap between crystals", "a gap to a wall")[int(what)]
        size = table.min() * cell
        worst = table.min(), f"sample {number}: {subject} is {size:.3g} m, a cell {cell:.3g} m"
    if not count:
        return ""
    return (
        f"{count} of {total} samples have crystals or gaps smaller than a cell ({worst[1]}), whose "
        "velocities are wrong by 3 to 1000 % on this grid, converged or not; take smaller cells"
    )
