"""Figure of errors against the size of the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from ..errors import SchemaError
from ..validation.result import Result
from .style import MARKERS, MODELS, light_grid, logarithmic, styled

_TITLES = {
    "isoviscous discs": "velocity around isoviscous discs,\nagainst a Fourier series",
    "viscous inclusion": "velocity around a viscous disc\nin pure shear (SolVi)",
    "viscosity jump": "velocity across a jump of\nthe viscosity (SolCx)",
    "finite elements": "velocity of the worst crystal,\nagainst finite elements",
    "single discs": "velocity of a disc alone,\nagainst series",
    "disc between plates": "velocity of a disc between plates\nat rest, against a series",
    "random scenes": "velocity of the worst crystal in\nrandom scenes, against an exact solver",
}


@styled
def plot_convergence(results: Mapping[str, Sequence[Result]]) -> Figure:
    """Draw errors over cells, with the bound that they should meet and slopes of order 1 and 2.

    A panel for each measure of accuracy. With one solver, thin lines are the parts of the check,
    such as single cases.

    Parameters
    ----------
    results
        Results of `crystalsim.validation.validate_solver` by the name of the solver, or of
        anything else to compare, such as a mean of the viscosity.

    Raises
    ------
    SchemaError
        If there is no measure of accuracy with positive errors on at least two grids.
    """
    names = [n for n in _TITLES if any(_find(checks, n) for checks in results.values())]
    if not names:
        raise SchemaError("convergence: expected a check that measured errors on two grids or more")
    rows = -(-len(names) // 4)
    columns = -(-len(names) // rows)
    figure = Figure(figsize=(3.5 * columns + 0.4, 3.6 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(names) :]:
        axes.remove()
    panels = panels[: len(names)]
    for axes, name in zip(panels, names, strict=True):
        shown = []
        for k, (label, checks) in enumerate(results.items()):
            if result := _find(checks, name):
                shown.append(result)
                _line(axes, result, label, k)
        if len(results) == 1:
            _parts(axes, shown[0])
        _finish(axes, shown)
        axes.set_title(_TITLES[name], loc="left")
    for axes in panels[::columns]:
        axes.set_ylabel("relative error [%]")
    handles = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    entries = min(len(handles), 5)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=entries)
    return figure


def _find(results: Sequence[Result], name: str) -> Result | None:
    """Result of a check, if it can be drawn."""
    for result in results:
        if result.name == name and len(result.errors) > 1:
            values = np.array(result.errors)
            return result if (np.isfinite(values) & (values > 0)).all() else None
    return None


def _line(axes: Axes, result: Result, label: str, k: int) -> None:
    axes.plot(
        result.cells,
        100 * np.array(result.errors),
        color=MODELS[k % len(MODELS)],
        marker=MARKERS[k % len(MARKERS)],
        markersize=6,
        markeredgecolor="white",
        markeredgewidth=0.8,
        linewidth=1.6,
        label=label,
        zorder=3,
    )


def _parts(axes: Axes, result: Result) -> None:
    """Thin lines, each named at its right end; names that would overlap are moved apart."""
    ends = []
    for name, errors in result.parts.items():
        values = 100 * np.array(errors)
        values[values <= 0] = np.nan
        axes.plot(
            result.cells,
            values,
            color="0.65",
            linewidth=0.8,
            marker=".",
            markersize=4,
            label="single cases",
            zorder=2,
        )
        if np.isfinite(values[-1]):
            ends.append((float(values[-1]), name))
    positive = [v for errors in result.parts.values() for v in errors if v > 0]
    decades = np.log10(max(result.bounds)) - np.log10(min([*positive, *result.bounds]))
    ends.sort()
    heights = _apart(np.log10([value for value, _ in ends]), 0.04 * (decades + 0.5))
    for height, (_, name) in zip(10**heights, ends, strict=True):
        axes.annotate(
            name,
            (result.cells[-1], height),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color="0.35",
        )


def _apart(heights: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Move ascending heights as little as it takes to have a gap between neighbours."""
    heights = heights.copy()
    for _ in range(200):
        push = 0.5 * np.maximum(gap - np.diff(heights), 0.0)
        heights[:-1] -= 0.5 * push
        heights[1:] += 0.5 * push
    return heights


def _finish(axes: Axes, results: Sequence[Result]) -> None:
    """Bounds, slopes and scales."""
    longest = max(results, key=lambda result: len(result.cells))
    cells = np.array(longest.cells, dtype=float)
    bounds = 100 * np.array(longest.bounds)
    axes.plot(cells, bounds, color="0.2", linewidth=1.0, linestyle=(0, (4, 2)), label="bound")
    axes.set_xscale("log", base=2)
    _slopes(axes, cells)
    logarithmic(axes)
    axes.set_xticks(cells, [f"{n:g}" for n in cells])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(cells[0] / 1.25, cells[-1] * 1.4)
    axes.set_xlabel("cells in each direction")
    light_grid(axes)


def _slopes(axes: Axes, cells: NDArray[np.float64]) -> None:
    """Lines of first and second order in the lower left corner, which convergence leaves free."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    start, end = cells[0], np.sqrt(cells[0] * cells[-1])
    first = low * (end / start) ** 2 * 0.9
    axes.set_ylim(low / 1.4, high)
    for order in (1, 2):
        last = first * (start / end) ** order
        axes.plot([start, end], [first, last], color="0.45", linewidth=0.9, zorder=1)
        axes.annotate(
            f"order {order}",
            (end, last),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color="0.35",
        )
