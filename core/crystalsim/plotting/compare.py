"""Figure of a comparison: the errors of each contestant."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..errors import SchemaError
from .style import MARKERS, MODELS, logarithmic, styled

_METRICS = ("relative_l2", "crystal_velocity_error_scaled")


@styled
def plot_comparison(scores: Mapping[str, Mapping[str, xr.Dataset]]) -> Figure:
    """Draw the errors of each contestant as a row of points, and their mean as a large one.

    Parameters
    ----------
    scores
        For each contestant its scores datasets by evaluator.

    Raises
    ------
    SchemaError
        If no score that can be drawn has a value above zero.
    """
    found = {metric: {n: _values(s, metric) for n, s in scores.items()} for metric in _METRICS}
    shown = {m: errors for m, errors in found.items() if any(v.size for v in errors.values())}
    if not shown:
        raise SchemaError(f"comparison: expected {' or '.join(_METRICS)} above zero in some scores")
    height = 1.0 + 0.34 * len(scores)
    figure = Figure(figsize=(3.6 * len(shown) + 1.2, height), layout="constrained")
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, (metric, errors) in zip(panels, shown.items(), strict=True):
        _panel(axes, errors)
        axes.set_xlabel(f"{_label(scores, metric)} [%]")
    return figure


def _panel(axes: Axes, errors: Mapping[str, NDArray[np.float64]]) -> None:
    for k, values in enumerate(errors.values()):
        colour = MODELS[k % len(MODELS)]
        axes.plot(values, np.full(values.size, k), "|", color=colour, alpha=0.5, markersize=9)
        if values.size:
            axes.plot(
                values.mean(),
                k,
                MARKERS[k % len(MARKERS)],
                color=colour,
                markersize=6.5,
                markeredgecolor="white",
                markeredgewidth=0.8,
            )
    logarithmic(axes, "x")
    axes.grid(axis="x", which="major", color="0.88", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_ylim(len(errors) - 0.5, -0.5)
    axes.set_yticks(range(len(errors)), list(errors))


def _values(scores: Mapping[str, xr.Dataset], metric: str) -> NDArray[np.float64]:
    """Errors above zero, in per cent."""
    for dataset in scores.values():
        if metric in dataset:
            values = dataset[metric].values.ravel().astype(float)
            return 100 * values[np.isfinite(values) & (values > 0)]
    return np.empty(0)


def _label(scores: Mapping[str, Mapping[str, xr.Dataset]], metric: str) -> str:
    for datasets in scores.values():
        for dataset in datasets.values():
            if metric in dataset:
                return str(dataset[metric].attrs["long_name"])
    return metric
