"""A figure of scores, imported only when it is drawn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from crystalsim.plotting import curve_style, styled


@styled
def plot_energy(scores: Mapping[str, xr.Dataset], metric: str) -> Figure:
    """Draw how many samples have no more than some value, a line for each contestant.

    Parameters
    ----------
    scores
        Scores of each contestant by name.
    metric
        Score on (sample) to draw.
    """
    figure = Figure(figsize=(5.0, 3.2), layout="constrained")
    axes = figure.subplots()
    for k, (name, dataset) in enumerate(scores.items()):
        values = np.sort(dataset[metric].values[np.isfinite(dataset[metric].values)])
        share = 100 * (np.arange(values.size) + 1) / values.size
        axes.plot(values, share, label=name, **curve_style(k))
    axes.axvline(1.0, color="0.6", linewidth=0.8)
    axes.set(xlabel="kinetic energy over that of the reference", ylabel="share of samples [%]")
    figure.legend(loc="outside upper left", ncols=4)
    return figure
