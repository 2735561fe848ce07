"""Figure of a study."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from ..evaluation.studies import labels_and_tests, shown_metrics
from .style import axis_label, curve_style, light_grid, logarithmic, note, styled

if TYPE_CHECKING:
    from ..evaluation.studies import Entry


@styled
def plot_study(entries: Sequence[Entry]) -> Figure:
    """Draw the mean errors of all models on all tests, with bars up to the 95th percentile.

    Parameters
    ----------
    entries
        Errors of each model on each test, by `crystalsim.workflows.study.run_study`.
    """
    labels, tests = labels_and_tests(entries)
    metrics = shown_metrics(entries)
    size = min(3.0 + 1.2 * len(tests), 12.0), 0.8 + 2.7 * len(metrics)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(metrics), 1, sharex=True, squeeze=False)[:, 0]
    missing = (np.nan, np.nan, np.nan)
    for axes, (name, metric) in zip(panels, metrics.items(), strict=True):
        statistics = {(e.label, e.test): e.errors.get(name, missing) for e in entries}
        for k, label in enumerate(labels):
            errors = np.array([statistics.get((label, test), missing) for test in tests])
            mean, tail, _ = errors.T / metric.unit.size
            mean = np.where(mean > 0, mean, np.nan)  # an exact model has no place on the axis
            bars = [np.zeros_like(mean), np.fmax(tail - mean, 0.0)]
            at = np.arange(len(tests)) + 0.12 * (k - 0.5 * (len(labels) - 1))
            style = curve_style(k) | {"elinewidth": 0.8, "linewidth": 1.0}
            axes.errorbar(at, mean, yerr=bars, label=label, **style)
        logarithmic(axes)
        axes.set_ylabel("\n".join(textwrap.wrap(axis_label(metric), 36)))
        light_grid(axes)
    long = max(map(len, tests)) > 14
    turned = {"rotation": 20, "ha": "right"} if long else {}
    panels[-1].set_xticks(range(len(tests)), tests, **turned)
    panels[-1].set_xlim(-0.5, len(tests) - 0.5)
    panels[-1].set_xlabel("test")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=min(len(names), 4))
    note(figure, "symbols: means; bars: to the 95th percentile")
    return figure
