"""Pictures of a run: scores by crystal count, training history."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .style import FONTS, LINES, new_figure


def by_error(scores: Mapping[str, xr.Dataset], metric: str = "relative_l2") -> list[int] | None:
    """Positions of the samples from the best to the worst; None without that metric."""
    for dataset in scores.values():
        if metric in dataset:
            values = dataset[metric].values
            return [int(i) for i in np.argsort(values) if np.isfinite(values[i])] or None
    return None


def plot_scores_by_count(scores: Mapping[str, xr.Dataset], metric: str) -> Figure:
    """Draw a score against the number of crystals for several models.

    Parameters
    ----------
    scores
        Datasets of kind ``"scores"`` by the name of the model; they carry `crystal_count`.
    metric
        Name of the score, on (sample) or (sample, crystal).

    Returns
    -------
    matplotlib.figure.Figure
        Mean, band from the 5th to the 95th percentile, and every single value.
    """
    with matplotlib.rc_context(FONTS):
        figure = new_figure(5.0, 3.4)
        axis = figure.subplots()
        attributes: dict[str, str] = {}
        every: set[int] = set()
        width = 0.8 / max(len(scores), 1)
        for position, (name, dataset) in enumerate(scores.items()):
            attributes = dataset[metric].attrs
            counts = dataset["crystal_count"].values.astype(int)
            colour = LINES[position % len(LINES)]
            shift = (position + 0.5) * width - 0.4
            groups = {n: _finite(dataset[metric].values[counts == n]) for n in np.unique(counts)}
            groups = {int(n): values for n, values in groups.items() if values.size}
            every |= set(groups)
            rng = np.random.default_rng(0)
            for n, values in groups.items():
                spread = n + shift + width * 0.35 * rng.uniform(-1, 1, values.size)
                axis.plot(spread, values, ".", ms=2, color=colour, alpha=0.35, zorder=1)
                low, high = np.percentile(values, [5, 95])
                axis.plot([n + shift] * 2, [low, high], color=colour, lw=2, zorder=2)
            at = [n + shift for n in groups]
            means = [values.mean() for values in groups.values()]
            axis.plot(at, means, "o", ms=6, color=colour, mec="white", label=name, zorder=3)
        axis.set_yscale("log")
        axis.set_xticks(sorted(every))
        axis.set_xlabel("number of crystals")
        unit = attributes.get("units", "1")
        label = attributes.get("long_name", metric)
        axis.set_ylabel(label if unit == "1" else f"{label} [{unit}]")
        axis.legend(title="mean, 5-95 % of samples", frameon=False)
        axis.grid(axis="y", lw=0.3, color="0.85")
        return figure


def plot_history(history: xr.Dataset) -> Figure:
    """Draw losses and learning rate against the epoch.

    Parameters
    ----------
    history
        What `Model.fit` returned.
    """
    with matplotlib.rc_context(FONTS):
        figure = new_figure(5.0, 3.4)
        axis = figure.subplots()
        epochs = history["epoch"].values
        names = [n for n in history.data_vars if n != "learning_rate"]
        for position, name in enumerate(names):
            label = history[name].attrs.get("long_name", str(name))
            values = history[name].values
            axis.plot(epochs, values, "o-", ms=3, color=LINES[position % len(LINES)], label=label)
        axis.set_yscale("log")
        axis.set_xlabel("epoch")
        axis.set_ylabel("mean over samples")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(axis="y", which="both", lw=0.3, color="0.85")
        axis.legend(frameon=False)
        return figure


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]
