"""Scores: make the dataset that an evaluator returns, and summarise it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ..errors import SchemaError, UnsupportedError
from ..registry import build
from ..runtime.log import logger
from ..storage.provenance import config_of, provenance

if TYPE_CHECKING:
    pass

from typing import NamedTuple

from numpy.typing import ArrayLike, NDArray

from ..datasets.schema import validate
from ..datasets.solutions import walls
from ..scene.grid import Grid

_BLOCK = 50
"""Resamples at a time: the memory of a bootstrap of many samples stays bounded."""


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
    reference: xr.Dataset,
    values: Mapping[str, ArrayLike],
    definitions: Mapping[str, Metric],
    *,
    along: xr.DataArray | None = None,
) -> xr.Dataset:
    """Make a scores dataset.

    Parameters
    ----------
    reference
        Gives the sample numbers; its `crystal_count` becomes a coordinate.
    values
        Arrays on (sample), or (sample, crystal) or, where `along` is given, on (sample) and its
        dimension.
    definitions
        What each of them means.
    along
        Coordinate of the second dimension in place of `crystal`, with `long_name` and `units`.
    """
    coords: dict[str, xr.DataArray] = {"crystal_count": reference["crystal_count"]}
    if "sample" in reference.coords:
        coords["sample"] = reference["sample"]
    dims = ("sample", "crystal")
    if along is not None:
        dims = ("sample", str(along.dims[0]))
        coords[dims[1]] = along
    scores = xr.Dataset(
        {
            name: (dims[: np.ndim(array)], array, definitions[name]._asdict())
            for name, array in values.items()
        },
        coords=coords,
    )
    return validate(scores, "scores")


def summarise(scores: xr.Dataset) -> dict[str, dict[str, float]]:
    """Mean, median, 95th percentile and worst of each score, over all finite values.

    The worst is the largest; of `r2` and of rates (named ``*_rate``) it is the smallest, and the
    percentile is the 5th. `mean_low` and `mean_high` bound the 95 % confidence interval of the
    mean, see `confidence_interval`; `worst_sample` is the number of the worst sample. Scores along
    another dimension than `crystal` are left out.
    """
    summary = {}
    numbers = scores["sample"].values if "sample" in scores.coords else None
    for name, array in scores.data_vars.items():
        if array.dims not in (("sample",), ("sample", "crystal")):
            continue
        finite = np.isfinite(array.values)
        values = array.values[finite].astype(float)
        if not values.size:
            continue
        larger_is_better = name == "r2" or str(name).endswith("_rate")
        ranked = np.where(finite, -array.values if larger_is_better else array.values, -np.inf)
        sample = int(np.unravel_index(np.argmax(ranked), ranked.shape)[0])
        low, high = confidence_interval(array.values)
        summary[str(name)] = {
            "mean": float(values.mean()),
            "mean_low": low,
            "mean_high": high,
            "median": float(np.median(values)),
            "p95": float(np.percentile(values, 5 if larger_is_better else 95)),
            "worst": float(values.min() if larger_is_better else values.max()),
            "worst_sample": float(sample if numbers is None else numbers[sample]),
        }
    return summary


def confidence_interval(
    values: ArrayLike, level: float = 0.95, resamples: int = 1000
) -> tuple[float, float]:
    """Confidence interval of a mean by the percentile bootstrap over samples (Efron 1979).

    Crystals of one sample disturb each other and are no independent draws, so that samples are
    drawn whole. The draws are the same in every call.

    Parameters
    ----------
    values
        On (sample) or (sample, crystal); what is not finite is left out.
    level
        Probability that the interval covers the mean.
    resamples
        How many times samples are drawn.

    Returns
    -------
    tuple of float
        Lower and upper bound; not a number where no value is finite.
    """
    array = np.asarray(values, dtype=float)
    table = array.reshape(array.shape[0], -1)
    finite = np.isfinite(table)
    counts, sums = finite.sum(axis=1), np.where(finite, table, 0.0).sum(axis=1)
    sums, counts = sums[counts > 0], counts[counts > 0]
    if not sums.size:
        return float("nan"), float("nan")
    drawn = _draws(sums.size, resamples)
    means = np.concatenate(
        [
            (block @ sums) / (block @ counts)
            for block in np.array_split(drawn, -(-resamples // _BLOCK))
        ]
    )
    tail = 50 * (1 - level)
    low, high = np.percentile(means, (tail, 100 - tail))
    return float(low), float(high)


@functools.lru_cache(maxsize=4)
def _draws(count: int, resamples: int) -> NDArray[np.uint16]:
    """How often each sample is drawn (resample, sample), made once for all scores of a run."""
    generator, chance = np.random.default_rng(0), np.full(count, 1 / count)
    drawn = np.empty((resamples, count), dtype=np.uint16)
    for first in range(0, resamples, _BLOCK):
        part = drawn[first : first + _BLOCK]
        part[:] = generator.multinomial(count, chance, size=len(part))
    return drawn


def ratio(above: ArrayLike, below: ArrayLike) -> NDArray[np.float64]:
    """Ratio of arrays or numbers; not a number where the denominator is not above zero."""
    top, bottom = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)


def score(
    reference: xr.Dataset,
    prediction: xr.Dataset,
    evaluators: Mapping[str, Mapping[str, Any]],
) -> dict[str, xr.Dataset]:
    """Scores by each evaluator (name to options) that can judge these datasets."""
    check_comparable(reference, prediction)
    origins = {
        "reference": config_of(reference.attrs),
        "prediction": config_of(prediction.attrs),
    }
    found = {}
    for name, options in evaluators.items():
        try:
            scores = build("evaluator", name, options).evaluate(reference, prediction)
        except UnsupportedError as error:
            logger.warning("evaluator '%s' is left out: %s", name, error)
            continue
        attributes = provenance({"evaluator": {name: dict(options)}, **origins})
        found[name] = scores.assign_attrs({**scores.attrs, **attributes})
    return found
