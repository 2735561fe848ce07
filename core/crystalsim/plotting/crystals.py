"""How figures draw crystals, bodies on the grid, and where the flow seems to show them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from ..evaluation.extrema import velocity_extrema
from ..scene.grid import Grid
from .fields import Flow, Scene, frame, place
from .style import CRYSTALS, length_unit

_NUMBERED = 30
"""More crystals than this are not numbered: the figure would be all numbers."""

_RIGID = 4.0
"""Decades of viscosity that rigid bodies are drawn above the most viscous other medium."""


def draw_crystals(axes: Axes, flow: Scene) -> None:
    """Draw the crystals as discs of their own colour, with their numbers beside them."""
    unit = length_unit(flow.grid.width).size
    for k, (x, z, radius) in enumerate(_discs(flow)):
        colour = CRYSTALS[k % len(CRYSTALS)]
        axes.add_patch(
            Circle((x / unit, z / unit), radius / unit, fc=colour, ec="black", lw=0.7, zorder=4)
        )
    if flow.case.x.size <= _NUMBERED:
        _number_crystals(axes, flow)
    frame(axes, flow.grid)


def _discs(flow: Scene) -> Iterator[tuple[float, float, float]]:
    return zip(flow.case.x, flow.case.z, flow.case.radius, strict=True)


def _number_crystals(axes: Axes, flow: Scene) -> None:
    """Write the numbers of the datasets beside the crystals, clear of each other and of walls."""
    unit = length_unit(flow.grid.width).size
    size = 8.5 if flow.case.x.size <= 10 else 7.0
    # Metres that a point of the font takes; the layout to come makes panels a little smaller.
    box = axes.get_window_extent()
    points = 72 / axes.figure.dpi * min(box.width, box.height * _shape(flow.grid))
    for k, (x, z) in enumerate(label_places(flow, 0.5 * size * flow.grid.width / points)):
        axes.text(
            x / unit,
            z / unit,
            str(k),
            ha="center",
            va="center_baseline",
            fontsize=size,
            fontweight="bold",
            path_effects=[withStroke(linewidth=2.0, foreground="white")],
            zorder=5,
        )


def _shape(grid: Grid) -> float:
    return grid.width / grid.height


def label_places(flow: Scene, half: float) -> list[tuple[float, float]]:
    """Where the numbers of the crystals have most room around them.

    Parameters
    ----------
    flow
        Gives grid and crystals.
    half
        Half the height of a number [m].

    Returns
    -------
    list of tuple of float
        Centre of the number of each crystal [m], at one of twelve places around it.
    """
    grid, case = flow.grid, flow.case
    taken: list[tuple[float, float]] = []
    for k, (x, z, radius) in enumerate(_discs(flow)):
        # Numbers of two digits are wider than high.
        wide, high = half * (1.0 if k < 10 else 1.5), half
        best, most = (x, z), -np.inf
        for angle in np.arange(12) * np.pi / 6:
            at_x = x + (radius + 1.3 * wide) * np.cos(angle)
            at_z = z + (radius + 1.3 * high) * np.sin(angle)
            others = np.hypot(case.x - at_x, case.z - at_z) - case.radius - wide
            others[k] = np.inf
            numbers = [np.hypot(a - at_x, b - at_z) - 2.2 * wide for a, b in taken]
            walls = (
                min(at_x - grid.x_min, grid.x_max - at_x) - wide,
                min(at_z - grid.z_min, grid.z_max - at_z) - high,
            )
            # Room beyond half a number is as good as any; then the earlier place is taken.
            room = min(*others, *numbers, *walls, 0.5 * half)
            if room > most:
                best, most = (at_x, at_z), room
        taken.append(best)
    return taken


def draw_outlines(axes: Axes, flow: Scene, colour: str = "black") -> None:
    """Draw the exact outline of each crystal, and of bodies that are given on the grid."""
    unit = length_unit(flow.grid.width).size
    for x, z, radius in _discs(flow):
        axes.add_patch(
            Circle((x / unit, z / unit), radius / unit, fill=False, lw=0.7, ec=colour, zorder=4)
        )
    draw_bodies(axes, flow, colour)


def draw_bodies(axes: Axes, flow: Scene, colour: str = "black") -> None:
    """Draw where media on the grid are halfway between their extremes.

    Viscosity is drawn by solid lines, halfway of its logarithm, density by dashed ones.
    """
    for values, line in ((flow.viscosity, "solid"), (flow.density, "dashed")):
        if values is None:
            continue
        shown = np.log10(values) if line == "solid" else values
        finite = shown[np.isfinite(shown)]
        low, high = float(np.min(finite)), float(np.max(finite))
        if finite.size < shown.size:  # rigid bodies
            high += _RIGID
            shown = np.nan_to_num(shown, nan=low, posinf=high)
        if not high - low > 1e-9 * abs(high):
            continue
        x, z, _ = place(flow.grid, values)
        level = [0.5 * (low + high)]
        axes.contour(
            x, z, shown, levels=level, colors=colour, linestyles=line, linewidths=1.0, zorder=4
        )


def hide_crystals(axes: Axes, flow: Scene) -> None:
    """Cover the crystals and the cells that they cut: what is there is not shown."""
    unit = length_unit(flow.grid.width).size
    for x, z, radius in _discs(flow):
        cover = (radius + cell_diagonal(flow.grid)) / unit
        axes.add_patch(Circle((x / unit, z / unit), cover, fc="white", ec="none", zorder=3))


def cell_diagonal(grid: Grid) -> float:
    """Diagonal of a cell [m]."""
    return float(np.hypot(grid.hx, grid.hz))


def draw_extrema(axes: Axes, flow: Flow) -> int:
    """Mark the minima of the vertical velocity at crystals, maxima for rising ones, by stars.

    Extrema further from the centre of all crystals than a diameter belong to none and are left out:
    where a crystal is carried along by others, the strongest one left may lie in still fluid.

    Returns
    -------
    int
        How many there are.
    """
    unit = length_unit(flow.grid.width).size
    extrema = velocity_extrema(flow.centre[1], flow.case, flow.grid, 1.0)
    x, z = flow.grid.x[extrema[:, 1]], flow.grid.z[extrema[:, 0]]
    distance = np.hypot(x[:, None] - flow.case.x, z[:, None] - flow.case.z)
    near = (distance < 2 * flow.case.radius + 0.5 * cell_diagonal(flow.grid)).any(axis=1)
    style = {"color": "#F0E442", "markeredgecolor": "black", "markeredgewidth": 0.5}
    axes.plot(x[near] / unit, z[near] / unit, "*", markersize=7, zorder=5, **style)  # type: ignore[arg-type]
    return int(near.sum())
