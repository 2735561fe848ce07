"""Figure of a comparison: the errors of each contestant."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..errors import SchemaError
from ..evaluation.declarations import with_role
from ..evaluation.summaries import finite_values
from .style import axis_label, curve_style, logarithmic, note, styled

Array = NDArray[np.float64]


@styled
def plot_comparison(scores: Mapping[str, Mapping[str, xr.Dataset]]) -> Figure:
    """Draw the primary errors of each contestant as points, and their mean as a large one.

    Parameters
    ----------
    scores
        For each contestant its scores datasets by evaluator.

    Raises
    ------
    SchemaError
        If no primary score has a value above zero.
    """
    by_metric: dict[str, dict[str, Array]] = {}
    labels: dict[str, str] = {}
    for contestant, datasets in scores.items():
        for name, metric, dataset in with_role("primary", datasets.values()):
            values = finite_values(dataset[name]) / metric.unit.size
            by_metric.setdefault(name, dict.fromkeys(scores, np.empty(0)))
            by_metric[name][contestant] = values[values > 0]
            labels[name] = axis_label(metric)
    shown = {m: errors for m, errors in by_metric.items() if any(v.size for v in errors.values())}
    if not shown:
        expected = " or ".join(labels.values()) or "a primary score"
        raise SchemaError(f"comparison: expected {expected} above zero in some scores")
    height = max(1.0 + 0.34 * len(scores), 1.9)  # room for the name of the axis
    figure = Figure(figsize=(3.6 * len(shown) + 1.2, height), layout="constrained")
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, (name, errors) in zip(panels, shown.items(), strict=True):
        _panel(axes, errors)
        axes.set_xlabel("\n".join(textwrap.wrap(labels[name], 40)))
    panels[0].set_ylabel("contestant")
    note(figure, "strokes: samples or crystals; symbols: means")
    return figure


def _panel(axes: Axes, errors: Mapping[str, Array]) -> None:
    for k, values in enumerate(errors.values()):
        style = curve_style(k)
        stroke = {"color": style["color"], "alpha": 0.5, "markersize": 9}
        axes.plot(values, np.full(values.size, k), "|", **stroke)
        if values.size:
            axes.plot(values.mean(), k, **style)
    logarithmic(axes, "x")
    axes.grid(axis="x", which="major", color="0.88", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_ylim(len(errors) - 0.5, -0.5)
    axes.set_yticks(range(len(errors)), list(errors))
