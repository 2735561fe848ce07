"""Figure of a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from .style import MARKERS, MODELS, light_grid, logarithmic, styled

if TYPE_CHECKING:
    from ..evaluation.studies import Entry

_LABELS = {
    "relative_l2": "relative L2 error of the velocity [%]",
    "crystal_velocity_error_scaled": "error of a crystal's velocity\nover the largest speed [%]",
}


@styled
def plot_study(entries: Sequence[Entry]) -> Figure:
    """Draw the mean errors of all models on all tests, with bars up to the 95th percentile.

    Parameters
    ----------
    entries
        Of `crystalsim.workflows.study.run_study`.
    """
    tests = list(dict.fromkeys(entry.test for entry in entries))
    labels = list(dict.fromkeys(entry.label for entry in entries))
    figure = Figure(figsize=(min(3.0 + 1.2 * len(tests), 12.0), 6.2), layout="constrained")
    panels = figure.subplots(len(_LABELS), 1, sharex=True)
    for axes, (metric, title) in zip(panels, _LABELS.items(), strict=True):
        for k, label in enumerate(labels):
            found = {e.test: e.errors[metric] for e in entries if e.label == label}
            at = np.array([i for i, test in enumerate(tests) if test in found])
            mean, tail, _ = 100 * np.array([found[tests[i]] for i in at]).T
            mean = np.where(mean > 0, mean, np.nan)  # an exact model has no place on the axis
            shift = 0.12 * (k - 0.5 * (len(labels) - 1))
            axes.errorbar(
                at + shift,
                mean,
                yerr=[np.zeros_like(mean), np.fmax(tail - mean, 0.0)],
                color=MODELS[k % len(MODELS)],
                marker=MARKERS[k % len(MARKERS)],
                linewidth=1.0,
                elinewidth=0.8,
                label=label,
            )
        logarithmic(axes)
        axes.set_ylabel(title)
        light_grid(axes)
    panels[-1].set_xticks(range(len(tests)), tests, rotation=20, ha="right")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=min(len(names), 4))
    return figure
