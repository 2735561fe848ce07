"""One sample's flow ready to be drawn, and the panels that figures are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from ..datasets.cases import iterate_cases
from ..errors import SchemaError
from ..evaluation.extrema import velocity_extrema
from ..scene.case import Case
from ..scene.grid import Grid
from ..stokes.operators import at_centres, stream_function_from_velocity
from .style import CRYSTALS, length_unit

Array = NDArray[np.float64]

_STREAM_LINES = 14
_NUMBERED = 30
"""More crystals than this are not numbered: the figure would be all numbers."""


@dataclass(frozen=True)
class Flow:
    """One sample of a solutions dataset.

    Attributes
    ----------
    grid, case
        Its grid and crystals.
    phase
        Number of the crystal, 0 for magma (z, x).
    velocity_x, velocity_z
        On faces, (z, x_face) and (z_face, x) [m s-1].
    stream_function
        On corners (z_face, x_face) [m2 s-1].
    pressure
        On cells (z, x) [Pa], where the dataset has it.
    """

    grid: Grid
    case: Case
    phase: NDArray[np.int16]
    velocity_x: Array
    velocity_z: Array
    stream_function: Array
    pressure: Array | None = None

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset, sample: int) -> Flow:
        """Take the sample at a position.

        Raises
        ------
        SchemaError
            If there is no such sample.
        """
        count = dataset.sizes["sample"]
        if not -count <= sample < count:
            raise SchemaError(f"sample {sample}: expected a position below {count}")
        one = dataset.isel(sample=[sample % count]).load()
        grid = Grid.from_dataset(one)
        vx, vz = (one[n].values[0].astype(float) for n in ("velocity_x", "velocity_z"))
        if "stream_function" in one:
            psi = one["stream_function"].values[0].astype(float)
        else:
            psi = stream_function_from_velocity(vx, vz, grid.hx, grid.hz)
        pressure = one["pressure"].values[0].astype(float) if "pressure" in one else None
        return cls(grid, next(iterate_cases(one)), one["phase"].values[0], vx, vz, psi, pressure)

    @property
    def centre(self) -> tuple[Array, Array]:
        """Both components at cell centres (z, x), means of the faces [m s-1]."""
        return at_centres(self.velocity_x, self.velocity_z)

    @property
    def speed(self) -> Array:
        """At cell centres (z, x) [m s-1]."""
        return np.hypot(*self.centre)


def draw_field(
    axes: Axes, flow: Flow, values: Array, colours: Colormap, low: float, high: float
) -> QuadMesh:
    """Draw a field where it lives: at cell centres, vertical or horizontal faces.

    Parameters
    ----------
    axes
        Where to draw.
    flow
        Gives grid and crystals.
    values
        On (z, x), (z, x_face) or (z_face, x).
    colours, low, high
        Colour map and its ends.
    """
    unit = length_unit(flow.grid.width).size
    x = flow.grid.x if values.shape[1] == flow.grid.nx else flow.grid.x_face
    z = flow.grid.z if values.shape[0] == flow.grid.nz else flow.grid.z_face
    mesh = axes.pcolormesh(
        x / unit,
        z / unit,
        values,
        shading="nearest",
        cmap=colours,
        norm=Normalize(low, high),
        rasterized=True,
    )
    frame(axes, flow.grid)
    return mesh


def draw_crystals(axes: Axes, flow: Flow) -> None:
    """Draw the crystals as they were painted, with exact outlines and numbers beside them."""
    unit = length_unit(flow.grid.width).size
    count = flow.case.x.size
    axes.pcolormesh(
        flow.grid.x / unit,
        flow.grid.z / unit,
        np.ma.masked_equal(flow.phase, 0),
        shading="nearest",
        cmap=ListedColormap([CRYSTALS[k % len(CRYSTALS)] for k in range(max(count, 1))]),
        norm=Normalize(0.5, max(count, 1) + 0.5),
        rasterized=True,
        zorder=3,
    )
    draw_outlines(axes, flow)
    if count <= _NUMBERED:
        _number_crystals(axes, flow, unit)
    frame(axes, flow.grid)


def _number_crystals(axes: Axes, flow: Flow, unit: float) -> None:
    """Write each number on the side of its crystal that looks away from the nearer side wall."""
    middle = 0.5 * (flow.grid.x_min + flow.grid.x_max)
    crystals = zip(flow.case.x, flow.case.z, flow.case.radius, strict=True)
    for k, (x, z, radius) in enumerate(crystals, start=1):
        side = 1 if x <= middle else -1
        axes.annotate(
            str(k),
            ((x + side * radius) / unit, z / unit),
            xytext=(2.5 * side, 0),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="center_baseline",
            fontsize=8.5 if flow.case.x.size <= 10 else 7,
            fontweight="bold",
            path_effects=[withStroke(linewidth=2.2, foreground="white")],
            zorder=5,
        )


def draw_outlines(axes: Axes, flow: Flow, colour: str = "black") -> None:
    """Draw the exact outline of each crystal."""
    unit = length_unit(flow.grid.width).size
    for x, z, radius in zip(flow.case.x, flow.case.z, flow.case.radius, strict=True):
        axes.add_patch(
            Circle((x / unit, z / unit), radius / unit, fill=False, lw=0.7, ec=colour, zorder=4)
        )


def draw_extrema(axes: Axes, flow: Flow) -> None:
    """Mark the minima of the vertical velocity, maxima for rising crystals, by stars."""
    unit = length_unit(flow.grid.width).size
    found = velocity_extrema(flow.centre[1], flow.case, flow.grid, 1.0)
    x, z = flow.grid.x[found[:, 1]] / unit, flow.grid.z[found[:, 0]] / unit
    axes.plot(
        x, z, "*", color="#F0E442", markersize=7, markeredgecolor="black", markeredgewidth=0.5
    )


def draw_stream_lines(axes: Axes, flow: Flow, colour: str = "0.45") -> None:
    """Draw contours of the stream function at equal steps: closer where the flow is faster."""
    unit = length_unit(flow.grid.width).size
    low, high = float(flow.stream_function.min()), float(flow.stream_function.max())
    if not np.isfinite(low + high) or high - low <= 0:
        return
    step = (high - low) / _STREAM_LINES
    # Half a step off zero, because the walls themselves are the stream line of zero.
    levels = (np.arange(np.floor(low / step), np.ceil(high / step)) + 0.5) * step
    axes.contour(
        flow.grid.x_face / unit,
        flow.grid.z_face / unit,
        flow.stream_function,
        levels=levels,
        colors=colour,
        linewidths=0.6,
        linestyles="solid",
    )
    frame(axes, flow.grid)


def frame(axes: Axes, grid: Grid) -> None:
    """Show exactly the domain, true to scale, with all four walls."""
    unit = length_unit(grid.width).size
    axes.set(
        xlim=(grid.x_min / unit, grid.x_max / unit), ylim=(grid.z_min / unit, grid.z_max / unit)
    )
    axes.set_aspect("equal")
    axes.spines[:].set_visible(True)
    axes.tick_params(length=2.5)
    axes.locator_params(nbins=5, steps=[1, 2, 5, 10])
