"""Figures of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ..errors import SchemaError
from ..evaluation.declarations import declared, primary_errors
from ..evaluation.summaries import confidence_interval
from .style import axis_label, curve_style, light_grid, logarithmic, note, styled

Array = NDArray[np.float64]


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


def typical_samples(order: Sequence[int]) -> dict[str, int]:
    """Best, median and worst of samples in the order of their errors; of two medians the lower."""
    return {"best": order[0], "median": order[(len(order) - 1) // 2], "worst": order[-1]}


@styled
def plot_scores_by_count(scores: Mapping[str, xr.Dataset], metric: str) -> Figure:
    """Draw a score over the number of crystals, for each model.

    Points are samples (or crystals); the line joins the means, and the band is their 95 %
    confidence interval (bootstrap over samples). The axis is logarithmic where no value is
    negative and those above zero spread over more than a factor of three.

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
    series = {name: _by_count(dataset, name, metric) for name, dataset in scores.items()}
    values = np.concatenate([v.ravel() for _, v in series.values()]) if series else np.empty(0)
    values = values[np.isfinite(values)]
    if not values.size:
        raise SchemaError(f"score '{metric}': expected a finite value in some dataset")
    counts = np.unique(np.concatenate([c for c, _ in series.values()]))
    figure = Figure(figsize=(5.6, 3.7), layout="constrained")
    axes = figure.subplots()
    width = 0.8 * float(np.diff(counts).min(initial=1)) / len(series)
    for k, (name, (count, value)) in enumerate(series.items()):
        shift = (k - 0.5 * (len(series) - 1)) * width
        _model(axes, count, value, shift, width, name, k)
    positive = values[values > 0]
    if values.min() >= 0 and positive.size and values.max() > 3 * positive.min():
        # A value of zero, of a sample that is exact, has no place on a logarithmic axis.
        axes.set_ylim(0.7 * positive.min(), 1.4 * values.max())
        logarithmic(axes)
    first = next(iter(scores.values()))
    axes.set_xlim(counts[0] - 0.6, counts[-1] + 0.6)
    axes.set(xlabel="number of crystals", ylabel=axis_label(declared(first)[metric]))
    if counts.size <= 12:
        axes.set_xticks(counts)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    light_grid(axes)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    points = "crystals" if "crystal" in first[metric].dims else "samples"
    note(figure, f"lines: means; bands: their 95 % confidence; points: {points}")
    return figure


def _by_count(dataset: xr.Dataset, name: str, metric: str) -> tuple[Array, Array]:
    """Crystal counts (sample) of samples that have a value, and values (sample, ...)."""
    for wanted in (metric, "crystal_count"):
        if wanted not in dataset.variables:
            raise SchemaError(f"scores of '{name}': '{wanted}' is missing")
    value = dataset[metric].transpose("sample", ...).values.astype(float)
    value = np.where(np.isfinite(value), value, np.nan) / declared(dataset)[metric].unit.size
    value = value.reshape(value.shape[0], -1)
    some = np.isfinite(value).any(axis=1)
    return dataset["crystal_count"].values[some].astype(float), value[some]


def _model(
    axes: Axes, count: Array, value: Array, shift: float, width: float, name: str, k: int
) -> None:
    """Points, band and means of one model."""
    style = curve_style(k)
    colour = style["color"]
    groups = np.unique(count)
    means, bounds = [], []
    for c in groups:
        here = value[count == c]
        points = here[np.isfinite(here)]
        # Points are spread evenly within their column: the same figure whenever it is drawn.
        spread = (np.arange(points.size) + 0.5) / points.size - 0.5
        axes.scatter(
            c + shift + 0.7 * width * spread,
            points,
            s=5,
            color=colour,
            alpha=0.3,
            linewidths=0,
            rasterized=True,
        )
        means.append(points.mean())
        bounds.append(confidence_interval(here))
    edges, (low, high) = groups + shift, np.transpose(bounds)
    if groups.size == 1:  # a band needs a width
        edges, low, high = edges + 0.4 * width * np.array([-1, 1]), low.repeat(2), high.repeat(2)
    axes.fill_between(edges, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(groups + shift, means, label=name, **style)
