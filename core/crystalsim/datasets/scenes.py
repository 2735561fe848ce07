"""Scenes of all samples of a dataset, with media that are given on the grid."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..scene.case import Case
from ..scene.grid import Grid
from ..scene.means import AVERAGES, DEFAULT_AVERAGE, Average
from ..scene.painting import Scene, rasterise
from ..scene.shapes import Array, Disc, case_discs, fractions_of_discs
from .cases import iterate_cases
from .schema import GIVEN_FIELDS

__all__ = ["average_of", "scenes"]


def average_of(dataset: xr.Dataset) -> Average:
    """Mean of the viscosity at the crystals' edges that a dataset was made with.

    Solutions name it in the attribute ``viscosity_average``; those that the built-in solver made
    before there was one name it in ``source``. The default for datasets that name none: cases, and
    solutions of solvers that need no mean.
    """
    source = str(dataset.attrs.get("source", "")).rpartition(", ")[2]
    earlier = source.removesuffix(" means of the viscosity")
    named = str(dataset.attrs.get("viscosity_average", earlier))
    return next((average for average in AVERAGES if average == named), DEFAULT_AVERAGE)


def one_average(datasets: Sequence[xr.Dataset]) -> Average:
    """Mean of the viscosity that all of some datasets were made with.

    Raises
    ------
    UnsupportedError
        If there are several: a model would learn their difference.
    """
    averages = sorted({average_of(dataset) for dataset in datasets})
    if len(averages) > 1:
        raise UnsupportedError(
            f"solutions were made with viscosity_average = {' and '.join(map(repr, averages))}; "
            "expected one mean of the viscosity in all training and validation data"
        )
    return averages[0] if averages else DEFAULT_AVERAGE


_TOGETHER = 2**16
"""Cells up to which the crystals of several samples are worked out together."""


def scenes(
    cases: xr.Dataset, grid: Grid, average: Average | None = None, *, periodic: bool = False
) -> Iterator[tuple[Case, Scene]]:
    """Paint all samples, with media that are given on the grid in place of the crystals'.

    Parameters
    ----------
    cases
        Dataset of kind ``"cases"``. If it has `viscosity` on cells, that is the viscosity; around
        corners it is `viscosity_corner` or the harmonic mean of the cells there. If it has
        `density` on cells, that is the density; around horizontal faces it is `density_face` or
        the mean of the cells above and below. What is absent comes from the crystals.
    grid
        Grid of the cases.
    average
        See `rasterise`; that of the dataset if None, see `average_of`.
    periodic
        See `rasterise`.
    """
    average = average or average_of(cases)
    media = {name: cases[name].values for name in GIVEN_FIELDS if name in cases.variables}
    for i, (case, discs) in enumerate(_with_discs(iterate_cases(cases), grid)):
        scene = rasterise(case, grid, average, periodic=periodic, discs=discs)
        if "viscosity" in media:
            cell = media["viscosity"][i].astype(np.float64)
            scene = scene._replace(
                viscosity_cell=cell, viscosity_corner=_around_corners(cell, periodic)
            )
        if "viscosity_corner" in media:
            corner = media["viscosity_corner"][i].astype(np.float64)
            scene = scene._replace(viscosity_corner=corner)
        if "density" in media:
            cell = np.pad(media["density"][i].astype(np.float64), ((1, 1), (0, 0)), mode="edge")
            face = 0.5 * (cell[1:] + cell[:-1])
            scene = scene._replace(density_face=face - case.matrix_density)
        if "density_face" in media:
            face = media["density_face"][i].astype(np.float64)
            scene = scene._replace(density_face=face - case.matrix_density)
        yield case, scene


def _with_discs(cases: Iterator[Case], grid: Grid) -> Iterator[tuple[Case, list[Disc]]]:
    """Area fractions of the crystals of each case, of several cases at once on small grids."""
    size = max(1, _TOGETHER // (grid.nx * grid.nz))
    while block := list(itertools.islice(cases, size)):
        x, z, radius = (
            np.concatenate([getattr(case, name) for case in block]) for name in ("x", "z", "radius")
        )
        discs = iter(fractions_of_discs(x, z, radius, grid))
        for case in block:
            yield case, list(itertools.islice(discs, case.x.size))


def _around_corners(cell: Array, periodic: bool) -> Array:
    """Harmonic mean of the cells around each corner; on a wall, of those inside."""
    fluidity = np.pad(1.0 / cell, ((1, 1), (0, 0)), mode="edge")
    fluidity = np.pad(fluidity, ((0, 0), (1, 1)), mode="wrap" if periodic else "edge")
    total = fluidity[1:, 1:] + fluidity[1:, :-1] + fluidity[:-1, 1:] + fluidity[:-1, :-1]
    return np.divide(4.0, total, out=np.full(total.shape, np.inf), where=total > 0)


def paint(cases: xr.Dataset) -> tuple[Array, NDArray[np.int16]]:
    """Area fraction of crystals and phase of all samples.

    Returns
    -------
    fraction, phase
        On (sample, z, x); see `Scene`.
    """
    grid = Grid.from_dataset(cases)
    shape = (cases.sizes["sample"], grid.nz, grid.nx)
    fraction, phase = np.zeros(shape), np.zeros(shape, dtype=np.int16)
    for i, case in enumerate(iterate_cases(cases)):
        for k, disc in enumerate(case_discs(case, grid), start=1):
            fraction[i][disc.cells] += disc.cell
            phase[i][disc.cells][disc.cell >= 0.5] = k
    return np.minimum(fraction, 1.0), phase
