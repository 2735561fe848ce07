"""Scores: make the dataset that an evaluator returns, and summarise it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from .errors import SchemaError
from .grid import Grid
from .schema import validate
from .solutions import walls


class Metric(NamedTuple):
    """Definition of a score.

    Attributes
    ----------
    long_name
        For tables and axes.
    units
        SI units, ``"1"`` for a ratio.
    description
        The exact definition.
    """

    long_name: str
    units: str
    description: str


def check_comparable(reference: xr.Dataset, prediction: xr.Dataset) -> Grid:
    """Check that two datasets have the same samples, grid and walls, and return the grid.

    Raises
    ------
    SchemaError
        If they do not; the message says what differs.
    """
    grid, other = Grid.from_dataset(reference), Grid.from_dataset(prediction)
    if grid != other:
        raise SchemaError(f"cannot compare: the reference is on {grid}, the prediction on {other}")
    ids = [
        list(d["sample"].values) if "sample" in d.coords else [] for d in (reference, prediction)
    ]
    counts = reference.sizes["sample"], prediction.sizes["sample"]
    if counts[0] != counts[1] or ids[0] != ids[1]:
        raise SchemaError(
            f"cannot compare: the reference has {counts[0]} samples, the prediction {counts[1]}, "
            "or their numbers differ"
        )
    if walls(reference) != walls(prediction):
        raise SchemaError(
            f"cannot compare: the reference has walls = '{walls(reference)}', the prediction "
            f"'{walls(prediction)}'"
        )
    for name in ("crystal_x", "crystal_z", "crystal_radius", "crystal_density"):
        ours, theirs = reference[name].values, prediction[name].values
        if ours.shape != theirs.shape or not np.allclose(ours, theirs, equal_nan=True):
            raise SchemaError(f"cannot compare: '{name}' differs, so the crystals are not the same")
    return grid


def make_scores(
    reference: xr.Dataset, values: Mapping[str, ArrayLike], definitions: Mapping[str, Metric]
) -> xr.Dataset:
    """Make a scores dataset.

    Parameters
    ----------
    reference
        Gives the sample numbers; its `crystal_count` becomes a coordinate.
    values
        Arrays on (sample) or (sample, crystal).
    definitions
        What each of them means.
    """
    coords = {"crystal_count": reference["crystal_count"]}
    if "sample" in reference.coords:
        coords["sample"] = reference["sample"]
    scores = xr.Dataset(
        {
            name: (
                ("sample", "crystal")[: np.ndim(array)],
                array,
                definitions[name]._asdict(),
            )
            for name, array in values.items()
        },
        coords=coords,
    )
    return validate(scores, "scores")


def summarise(scores: xr.Dataset) -> dict[str, dict[str, float]]:
    """Mean, median, 95th percentile and worst of each score, over all finite values.

    The worst is the largest; of `r2` and of rates (named ``*_rate``) it is the smallest, and the
    percentile is the 5th.
    """
    summary = {}
    for name, array in scores.data_vars.items():
        values = array.values[np.isfinite(array.values)].astype(float)
        if not values.size:
            continue
        larger_is_better = name == "r2" or str(name).endswith("_rate")
        summary[str(name)] = {
            "mean": float(values.mean()),
            "median": float(np.median(values)),
            "p95": float(np.percentile(values, 5 if larger_is_better else 95)),
            "worst": float(values.min() if larger_is_better else values.max()),
        }
    return summary
