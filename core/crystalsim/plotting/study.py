"""Figure of a study."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..evaluation.studies import labels_and_tests, shown_metrics
from ..metrics import Unit
from .style import curve_style, light_grid, logarithmic, styled

if TYPE_CHECKING:
    from ..evaluation.studies import Entry


@styled
def plot_study(entries: Sequence[Entry]) -> Figure:
    """Draw the mean errors of all models on all tests, with bars up to the 95th percentile.

    Parameters
    ----------
    entries
        Of `crystalsim.workflows.study.run_study`.
    """
    labels, tests = labels_and_tests(entries)
    metrics = shown_metrics(entries)
    size = min(3.0 + 1.2 * len(tests), 12.0), 0.8 + 2.7 * len(metrics)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(metrics), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, metric) in zip(panels, metrics.items(), strict=True):
        for k, label in enumerate(labels):
            found = {e.test: e.errors[name] for e in entries if e.label == label}
            at = [i for i, test in enumerate(tests) if test in found]
            shift = 0.12 * (k - 0.5 * (len(labels) - 1))
            _errors(axes, np.array(at), [found[tests[i]] for i in at], metric.unit, shift, k)
        logarithmic(axes)
        axes.set_ylabel("\n".join(textwrap.wrap(metric.label, 36)))
        light_grid(axes)
    panels[-1].set_xticks(range(len(tests)), tests, rotation=20, ha="right")
    panels[-1].set_xlabel("test")
    figure.legend(
        panels[0].containers, labels, loc="outside upper center", ncols=min(len(labels), 4)
    )
    figure.supxlabel("symbols: means; bars: to the 95th percentile", fontsize=7.5, color="0.4")
    return figure


def _errors(
    axes: Axes,
    at: NDArray[np.intp],
    errors: Sequence[tuple[float, float, float]],
    unit: Unit,
    shift: float,
    k: int,
) -> None:
    """Means of one model, with bars upwards."""
    mean, tail, _ = np.array(errors).T / unit.size
    mean = np.where(mean > 0, mean, np.nan)  # an exact model has no place on the axis
    bars = [np.zeros_like(mean), np.fmax(tail - mean, 0.0)]
    axes.errorbar(
        at + shift, mean, yerr=bars, **{**curve_style(k), "elinewidth": 0.8, "linewidth": 1}
    )
