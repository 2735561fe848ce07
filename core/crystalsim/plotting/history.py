"""Figure of a training."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..errors import SchemaError
from .style import MARKERS, MODELS, light_grid, logarithmic, styled


@styled
def plot_history(history: xr.Dataset) -> Figure:
    """Draw what a training recorded: all losses in one panel, everything else in its own.

    The best epoch of each validation value is marked.

    Parameters
    ----------
    history
        Named values on (epoch), as `Model.fit` returns them.

    Raises
    ------
    SchemaError
        If there is no epoch or no value.
    """
    names = [str(n) for n, array in history.data_vars.items() if array.dims == ("epoch",)]
    if not names or not history.sizes.get("epoch"):
        raise SchemaError("history: expected at least one value on (epoch) and one epoch")
    losses = [name for name in names if name.endswith("loss")]
    panels = ([losses] if losses else []) + [[name] for name in names if name not in losses]
    figure = Figure(figsize=(3.1 * len(panels) + 0.4, 2.9), layout="constrained")
    grid = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, shown in zip(grid, panels, strict=True):
        for k, name in enumerate(shown):
            _curve(axes, history[name], k)
        axes.set(xlabel="epoch", ylabel=_label(history, shown))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        light_grid(axes)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    return figure


def _curve(axes: Axes, values: xr.DataArray, k: int) -> None:
    epochs = values["epoch"].values if "epoch" in values.coords else np.arange(1, values.size + 1)
    name = str(values.name)
    label = name.replace("_", " ") if name.endswith("loss") else None
    marker = MARKERS[k] if values.size <= 25 else None
    axes.plot(epochs, values, color=MODELS[k], marker=marker, markersize=3.5, lw=1.4, label=label)
    finite = values.values[np.isfinite(values.values)]
    measured = label is not None or name.startswith("validation")
    if measured and finite.size and finite.min() > 0 and finite.max() > 2 * finite.min():
        logarithmic(axes)
    if name.startswith("validation") and finite.size:
        best = int(np.nanargmin(values.values))
        axes.plot(
            epochs[best],
            values[best],
            "o",
            ms=9,
            mfc="none",
            mec=MODELS[k],
            label=f"best: {float(values[best]):.3g} (epoch {epochs[best]})",
        )


def _label(history: xr.Dataset, shown: list[str]) -> str:
    if len(shown) > 1 or shown[0].endswith("loss"):
        return "loss"
    array = history[shown[0]]
    label = str(array.attrs.get("long_name", shown[0].replace("_", " ")))
    units = array.attrs.get("units", "1")
    return label if units == "1" else f"{label} [{units}]"
