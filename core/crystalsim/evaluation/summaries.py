"""Summaries of scores: means with their confidence, tails, the worst sample."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.stats import DegenerateDataWarning, bootstrap

from ..datasets.schema import sample_numbers
from .declarations import declared

__all__ = ["confidence_interval", "summarise"]

_BATCH = 100
"""Resamples at a time: the memory of a bootstrap of many samples stays bounded."""


def summarise(scores: xr.Dataset) -> dict[str, dict[str, float]]:
    """Mean, median, tail and worst of each score, over all finite values.

    `p95` is the 95th percentile and `worst` the largest value; of scores that are better when they
    are high it is the 5th and the smallest. `mean_low` and `mean_high` bound the 95 % confidence
    interval of the mean, see `confidence_interval`; `worst_sample` is the number of the worst
    sample. What is no score (`better` is ``"none"``) has no worst. Scores along another dimension
    than `crystal` are left out.
    """
    summary = {}
    numbers = sample_numbers(scores)
    for name, metric in declared(scores).items():
        array = scores[name]
        if array.dims not in (("sample",), ("sample", "crystal")):
            continue
        finite = np.isfinite(array.values)
        values = array.values[finite].astype(float)
        if not values.size:
            continue
        high = metric.better == "high"
        low_end, high_end = confidence_interval(array.values)
        summary[name] = {
            "mean": float(values.mean()),
            "mean_low": low_end,
            "mean_high": high_end,
            "median": float(np.median(values)),
            "p95": float(np.percentile(values, 5 if high else 95)),
        }
        if metric.better != "none":
            ranked = np.where(finite, -array.values if high else array.values, -np.inf)
            sample = int(np.unravel_index(np.argmax(ranked), ranked.shape)[0])
            summary[name]["worst"] = float(values.min() if high else values.max())
            summary[name]["worst_sample"] = float(numbers[sample])
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
        Values on (sample) or (sample, crystal); what is not finite is left out.
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
    if sums.size < 2:  # one sample says nothing of others
        return (float(sums[0] / counts[0]),) * 2 if sums.size else (float("nan"),) * 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)
        interval = bootstrap(
            (sums, counts),
            _pooled_mean,
            paired=True,
            n_resamples=resamples,
            batch=_BATCH,
            confidence_level=level,
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
    return float(interval.low), float(interval.high)


def _pooled_mean(
    sums: NDArray[np.float64], counts: NDArray[np.float64], axis: int = -1
) -> NDArray[np.float64]:
    return np.asarray(sums.sum(axis=axis) / counts.sum(axis=axis))


def finite_values(array: xr.DataArray) -> NDArray[np.float64]:
    """All finite values of a score, flat."""
    values = array.values.ravel().astype(float)
    return np.asarray(values[np.isfinite(values)])
