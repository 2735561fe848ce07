"""Figures of what is behind an error: strata, wave numbers, interaction, cost.

Each takes the scores of all contestants by name, and the score that it draws.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from crystalsim.errors import SchemaError
from crystalsim.evaluation.summaries import confidence_interval
from crystalsim.metrics import Metric
from crystalsim.plotting import (
    MARKERS,
    MODELS,
    axis_label,
    curve_style,
    legend_above,
    legend_handles,
    light_grid,
    logarithmic,
    note,
    styled,
)

Array = NDArray[np.float64]
Scores = Mapping[str, xr.Dataset]

_STRATA = 6
"""How many classes of equal size errors are sorted into."""

_COLUMNS = {1: 1, 2: 2, 4: 2}
"""Columns for so many panels that none is empty; three columns for other numbers."""


@styled
def plot_strata(scores: Scores, metric: str = "local_error") -> Figure:
    """Draw the error around crystals over their radius, gap, distance to walls and contrasts.

    Crystals are sorted into classes of equal size; lines join the means, and bands are their 95 %
    confidence intervals (bootstrap over samples). Properties that do not vary are left out.

    Parameters
    ----------
    scores
        For each model a dataset with `metric` and ``stratum_*`` on (sample, crystal).
    metric
        A score on (sample, crystal).

    Raises
    ------
    SchemaError
        If no property varies, or no error is finite.
    """
    first = _with(scores, metric)
    varied = [
        str(name)
        for name, array in first.data_vars.items()
        if str(name).startswith("stratum_") and _varies(array.values)
    ]
    if not varied:
        raise SchemaError("strata: expected a property stratum_* that varies")
    columns = _COLUMNS.get(len(varied), 3)
    rows = -(-len(varied) // columns)
    figure = Figure(figsize=(3.4 * columns + 0.4, 2.7 * rows + 0.7), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes, name in zip(panels, varied, strict=False):
        for k, dataset in enumerate(scores.values()):
            _classes(axes, dataset[name].values, _shown(dataset, metric), k)
        _wide(axes, first[name].values)
        axes.set_xlabel(_label(first, name))
    logarithmic(panels[0])
    for axes in panels[: len(varied)]:
        light_grid(axes)
    for axes in panels[: len(varied) : columns]:
        axes.set_ylabel(_label(first, metric))
    empty = panels[len(varied) :]
    if empty.size:  # the legend fills the place that is left
        handles = legend_handles(panels[0], scores)
        empty[-1].legend(handles=handles, loc="center")
    else:
        legend_above(figure, scores)
    for axes in empty:
        axes.set_axis_off()
    note(figure, "lines: means; bands: their 95 % confidence")
    return figure


@styled
def plot_spectrum(scores: Scores, metric: str = "spectral_error") -> Figure:
    """Draw the error by wave number beside the share of the wave numbers in the flow.

    Parameters
    ----------
    scores
        For each model a dataset with `metric` and `spectral_share` on (sample, wave_number).
    metric
        A score on (sample, wave_number).

    Raises
    ------
    SchemaError
        If there are no such scores.
    """
    first = _with(scores, metric)
    figure = Figure(figsize=(5.6, 3.7), layout="constrained")
    axes = figure.subplots()
    wave = first["wave_number"].values
    per, size = ("kilometre", 1e3) if wave.min() < 1e-2 else ("metre", 1.0)
    wave = size * wave
    for k, (name, dataset) in enumerate(scores.items()):
        axes.plot(wave, _rms(_shown(dataset, metric)), label=name, **curve_style(k))
    axes.plot(
        wave, _rms(_shown(first, "spectral_share")), color="0.45", linestyle="--", label="the flow"
    )
    logarithmic(axes, "x")
    logarithmic(axes)
    light_grid(axes)
    axes.set(
        xlabel=f"wave number [cycles per {per}]",
        ylabel="rms over samples [% of the flow]",
    )
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    return figure


@styled
def plot_interaction(scores: Scores, metric: str = "interaction_error") -> Figure:
    """Draw what neighbours change about crystals' velocities, predicted over true, and its error.

    Parameters
    ----------
    scores
        For each model a dataset with `metric`, `interaction_reference` and
        `interaction_prediction` on (sample, crystal).
    metric
        Error of the interaction on (sample, crystal).

    Raises
    ------
    SchemaError
        If there are no such scores, or every crystal is alone.
    """
    first = _with(scores, "interaction_reference")
    figure = Figure(figsize=(7.6, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    true = first["interaction_reference"].values
    inside = true[np.isfinite(true) & (true > 0)]
    low, high = float(inside.min()), float(inside.max())
    left.plot([low, high], [low, high], color="0.6", linewidth=0.8)
    for k, dataset in enumerate(scores.values()):
        style: dict[str, Any] = {"s": 9, "color": MODELS[k % len(MODELS)], "alpha": 0.5}
        style |= {"marker": MARKERS[k % len(MARKERS)], "linewidths": 0, "rasterized": True}
        left.scatter(true, dataset["interaction_prediction"], **style)
        right.scatter(true, _shown(dataset, metric), **style)
    ratio = r"$|V - V_{alone}|\;/\;|V_{alone}|$"
    wrong = r"$|V - V_{true}|\;/\;\max\,|V_{true} - V_{alone}|$"
    for axes, text in ((left, f"predicted: {ratio}"), (right, f"error: {wrong} [%]")):
        logarithmic(axes, "x")
        logarithmic(axes)
        light_grid(axes)
        axes.set(xlabel=f"reference: {ratio}", ylabel=text)
    note(figure, "V: velocity of a crystal, alone: without neighbours; max: over its sample")
    legend_above(figure, scores)
    return figure


@styled
def plot_cost(scores: Scores, metric: str = "early_stopped_error") -> Figure:
    """Draw the error of each model over its time, beside the solver stopped early.

    Points are means over samples, bars reach from the 5th to the 95th percentile of errors.
    Whatever lies above the line of the solver is not worth its time.

    Parameters
    ----------
    scores
        For each model a dataset with `prediction_time`, `prediction_error` and, on
        (sample, iterations), `metric` and `early_stopped_time`.
    metric
        Error of the solver on (sample, iterations).

    Raises
    ------
    SchemaError
        If there are no such scores.
    """
    first = _with(scores, metric)
    figure = Figure(figsize=(5.6, 4.1), layout="constrained")
    axes = figure.subplots()
    time = np.nanmean(_shown(first, "early_stopped_time"), axis=0)
    error = np.nanmean(_shown(first, metric), axis=0)
    error = np.where(error > 0, error, np.nan)  # the reference itself has no place on the axis
    axes.plot(time, error, color="0.35", linestyle="--", marker=".", label="solver stopped early")
    for limit, x, y in zip(first["iterations"].values, time, error, strict=True):
        if not y > 0:
            continue
        axes.annotate(str(limit), (x, y), (3, 3), textcoords="offset points", fontsize=7)
    for k, (name, dataset) in enumerate(scores.items()):
        errors = _shown(dataset, "prediction_error")
        errors = errors[np.isfinite(errors)]
        spent = _shown(dataset, "prediction_time")
        if not (np.isfinite(spent).any() and errors.size and errors.mean() > 0):
            continue
        tails = np.abs(np.percentile(errors, (5, 95)) - errors.mean())[:, None]
        style = curve_style(k) | {"linestyle": "none", "elinewidth": 1.2}
        axes.errorbar(np.nanmean(spent), errors.mean(), tails, label=name, **style)
    logarithmic(axes, "x")
    logarithmic(axes)
    light_grid(axes)
    axes.set(xlabel="time for a sample [ms]", ylabel="relative L2 error of the velocity [%]")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    note(figure, "symbols: means; bars: 5th to 95th percentile; numbers: iterations of the solver")
    return figure


def _with(scores: Scores, metric: str) -> xr.Dataset:
    """First dataset; all must have a finite value of the metric."""
    for name, dataset in scores.items():
        if metric not in dataset or not np.isfinite(dataset[metric].values).any():
            raise SchemaError(f"scores of '{name}': expected a finite value of '{metric}'")
    return next(iter(scores.values()))


def _varies(values: Array) -> bool:
    finite = values[np.isfinite(values)]
    return bool(finite.size > 2 * _STRATA and np.ptp(finite) > 1e-6 * np.abs(finite).max())


def _classes(axes: Axes, sorted_by: Array, error: Array, k: int) -> None:
    """Means and their confidence intervals in classes of equal size."""
    usable = np.isfinite(sorted_by) & np.isfinite(error)
    edges = np.unique(np.quantile(sorted_by[usable], np.linspace(0, 1, _STRATA + 1)))
    x, means, bounds = [], [], []
    for i, (low, high) in enumerate(itertools.pairwise(edges)):
        last = i == edges.size - 2
        here = usable & (sorted_by >= low) & ((sorted_by <= high) if last else (sorted_by < high))
        if here.any():
            x.append(np.median(sorted_by[here]))
            means.append(error[here].mean())
            bounds.append(confidence_interval(np.where(here, error, np.nan)))
    style = curve_style(k)
    axes.fill_between(x, *np.transpose(bounds), color=style["color"], alpha=0.18, linewidth=0)
    axes.plot(x, means, **style)


def _wide(axes: Axes, values: Array) -> None:
    """Make the horizontal axis logarithmic where positive values spread over a decade."""
    finite = values[np.isfinite(values)]
    if finite.min() >= 0 and np.quantile(finite, 0.95) > 10 * max(np.quantile(finite, 0.08), 1e-30):
        logarithmic(axes, "x")


def _rms(values: Array) -> Array:
    """Root mean square over samples; not a number where there is nothing, as on a log axis."""
    roots = np.sqrt(np.nanmean(values**2, axis=0))
    return np.asarray(np.where(roots > 0, roots, np.nan))


def _label(dataset: xr.Dataset, name: str) -> str:
    return axis_label(Metric.from_attributes(dataset[name].attrs))


def _shown(dataset: xr.Dataset, name: str) -> Array:
    """Values of a score in the unit that its declaration shows."""
    unit = Metric.from_attributes(dataset[name].attrs).unit
    return np.asarray(dataset[name].values / unit.size)
