"""Figures of scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ..errors import SchemaError
from ..evaluation.declarations import declared, primary_errors
from .style import curve_style, light_grid, logarithmic, styled

Array = NDArray[np.float64]

_BAND = (5, 95)
"""Percentiles between which the band lies."""


def by_error(scores: Mapping[str, xr.Dataset], metric: str = "") -> list[int] | None:
    """Order samples by an error, the smallest first.

    Parameters
    ----------
    scores
        Scores datasets of one model, by evaluator.
    metric
        Name of a score on (sample); the first primary one where it is empty.

    Returns
    -------
    list of int or None
        Positions of the samples whose error is finite; None if no dataset has the metric, or all
        are NaN.
    """
    if metric:
        error = next((d[metric] for d in scores.values() if metric in d), None)
    else:
        error = primary_errors(scores.values())
    if error is None:
        return None
    order = np.argsort(error.values, kind="stable")
    return [int(i) for i in order if np.isfinite(error.values[i])] or None


@styled
def plot_scores_by_count(scores: Mapping[str, xr.Dataset], metric: str) -> Figure:
    """Draw a score over the number of crystals, for each model.

    Points are samples (or crystals); the line joins the means, and the band lies between the 5th
    and 95th percentile. The axis is logarithmic where no value is negative and those above zero
    spread over more than a factor of three.

    Parameters
    ----------
    scores
        Dataset of kind ``"scores"`` for each model, with the coordinate `crystal_count`.
    metric
        Name of a score on (sample) or (sample, crystal).

    Raises
    ------
    SchemaError
        If a dataset has no such score or no `crystal_count`, or no value is finite.
    """
    found = {name: _by_count(dataset, name, metric) for name, dataset in scores.items()}
    values = np.concatenate([v for _, v in found.values()]) if found else np.empty(0)
    if not values.size:
        raise SchemaError(f"score '{metric}': expected a finite value in some dataset")
    counts = np.unique(np.concatenate([c for c, _ in found.values()]))
    figure = Figure(figsize=(5.6, 3.7), layout="constrained")
    axes = figure.subplots()
    width = 0.8 * float(np.diff(counts).min(initial=1)) / len(found)
    for k, (name, (count, value)) in enumerate(found.items()):
        shift = (k - 0.5 * (len(found) - 1)) * width
        _model(axes, count, value, shift, width, name, k)
    positive = values[values > 0]
    if values.min() >= 0 and positive.size and values.max() > 3 * positive.min():
        # A value of zero, of a sample that is exact, has no place on a logarithmic axis.
        axes.set_ylim(0.7 * positive.min(), 1.4 * values.max())
        logarithmic(axes)
    first = next(iter(scores.values()))
    axes.set_xlim(counts[0] - 0.6, counts[-1] + 0.6)
    axes.set(xlabel="number of crystals", ylabel=declared(first)[metric].label)
    if counts.size <= 12:
        axes.set_xticks(counts)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    light_grid(axes)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    figure.supxlabel(
        "lines: means; bands: 5th to 95th percentile; points: "
        + ("crystals" if "crystal" in first[metric].dims else "samples"),
        fontsize=7.5,
        color="0.4",
    )
    return figure


def _by_count(dataset: xr.Dataset, name: str, metric: str) -> tuple[Array, Array]:
    """Crystal counts and values, one for each finite value."""
    for wanted in (metric, "crystal_count"):
        if wanted not in dataset.variables:
            raise SchemaError(f"scores of '{name}': '{wanted}' is missing")
    count, value = xr.broadcast(dataset["crystal_count"], dataset[metric])
    value = value.transpose(*count.dims)
    finite = np.isfinite(value.values)
    shown = value.values[finite].astype(float) / declared(dataset)[metric].unit.size
    return count.values[finite].astype(float), shown


def _model(
    axes: Axes, count: Array, value: Array, shift: float, width: float, name: str, k: int
) -> None:
    """Points, band and means of one model."""
    style = curve_style(k)
    colour = style["color"]
    # Points are spread evenly within their column: the same figure whenever it is drawn.
    spread = np.zeros_like(value)
    for c in np.unique(count):
        here = np.flatnonzero(count == c)
        spread[here] = (np.arange(here.size) + 0.5) / here.size - 0.5
    axes.scatter(
        count + shift + 0.7 * width * spread,
        value,
        s=5,
        color=colour,
        alpha=0.3,
        linewidths=0,
        rasterized=True,
    )
    groups = np.unique(count)
    mean = [value[count == c].mean() for c in groups]
    low, high = np.transpose([np.percentile(value[count == c], _BAND) for c in groups])
    edges = groups + shift
    if groups.size == 1:  # a band needs a width
        edges, low, high = edges + 0.4 * width * np.array([-1, 1]), low.repeat(2), high.repeat(2)
    axes.fill_between(edges, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(groups + shift, mean, label=name, **style)
