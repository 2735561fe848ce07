"""One sample's flow ready to be drawn, and the panels that figures are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, Normalize
from numpy.typing import NDArray

from ..datasets.cases import iterate_cases
from ..datasets.schema import sample_numbers
from ..errors import SchemaError
from ..scene.case import Case
from ..scene.grid import Grid
from ..stokes.operators import at_centres, stream_function_from_velocity
from .style import length_unit

Array = NDArray[np.float64]

_STREAM_LINES = 14


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One sample of a cases dataset.

    Attributes
    ----------
    grid, case
        Its grid and crystals.
    viscosity, density
        On cells (z, x), corners (z_face, x_face) or faces (z_face, x) [Pa s, kg m-3], where the
        dataset gives them on the grid.
    """

    grid: Grid
    case: Case
    viscosity: Array | None = None
    density: Array | None = None

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset, sample: int) -> Scene:
        """Take the sample at a position.

        Raises
        ------
        SchemaError
            If there is no such sample.
        """
        return cls(**_scene(_one(dataset, sample)))


@dataclass(frozen=True, kw_only=True)
class Flow(Scene):
    """One sample of a solutions dataset.

    Attributes
    ----------
    velocity_x, velocity_z
        On faces, (z, x_face) and (z_face, x) [m s-1].
    stream_function
        On corners (z_face, x_face) [m2 s-1].
    pressure
        On cells (z, x) [Pa], where the dataset has it.
    """

    velocity_x: Array
    velocity_z: Array
    stream_function: Array
    pressure: Array | None = None

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset, sample: int) -> Flow:
        """Take the sample at a position; see `Scene.from_dataset`."""
        one = _one(dataset, sample)
        scene = _scene(one)
        vx, vz = (one[n].values[0].astype(float) for n in ("velocity_x", "velocity_z"))
        psi = _first(one, "stream_function")
        if psi is None:
            psi = stream_function_from_velocity(vx, vz, scene["grid"].hx, scene["grid"].hz)
        fields = {"velocity_x": vx, "velocity_z": vz, "stream_function": psi}
        return cls(**scene, **fields, pressure=_first(one, "pressure"))

    @property
    def centre(self) -> tuple[Array, Array]:
        """Both components at cell centres (z, x), means of the faces [m s-1]."""
        return at_centres(self.velocity_x, self.velocity_z)

    @property
    def speed(self) -> Array:
        """At cell centres (z, x) [m s-1]."""
        return np.hypot(*self.centre)


def _one(dataset: xr.Dataset, sample: int) -> xr.Dataset:
    count = dataset.sizes["sample"]
    if not -count <= sample < count:
        raise SchemaError(f"sample {sample}: expected a position below {count}")
    return dataset.isel(sample=[sample % count]).load()


def _scene(one: xr.Dataset) -> dict[str, Any]:
    media = {
        "viscosity": _first(one, "viscosity", "viscosity_corner"),
        "density": _first(one, "density", "density_face"),
    }
    return {"grid": Grid.from_dataset(one), "case": next(iterate_cases(one)), **media}


def _first(one: xr.Dataset, *names: str) -> Array | None:
    """Values of the first variable that is there."""
    return next((one[n].values[0].astype(float) for n in names if n in one.variables), None)


def place(grid: Grid, values: Array) -> tuple[Array, Array, float]:
    """Coordinates of the columns and rows of a field, and the length that they are shown in [m]."""
    unit = length_unit(grid.width).size
    x = grid.x if values.shape[1] == grid.nx else grid.x_face
    z = grid.z if values.shape[0] == grid.nz else grid.z_face
    return x / unit, z / unit, unit


def draw_field(
    axes: Axes, flow: Scene, values: Array, colours: Colormap, low: float, high: float
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
    x, z, _ = place(flow.grid, values)
    mesh = axes.pcolormesh(
        x,
        z,
        values,
        shading="nearest",
        cmap=colours,
        norm=Normalize(low, high),
        rasterized=True,
    )
    frame(axes, flow.grid)
    return mesh


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


def label_axes(panels: NDArray[np.object_], flow: Scene) -> None:
    """Name the axes along the left and lower edge of some panels."""
    unit = length_unit(flow.grid.width).label
    for axes in panels[-1]:
        axes.set_xlabel(f"x [{unit}]")
    for axes in panels[:, 0]:
        axes.set_ylabel(f"z [{unit}]")


def heading(dataset: xr.Dataset, sample: int, flow: Scene) -> str:
    """Which sample it is, and what it holds."""
    number = sample_numbers(dataset)[sample]
    count = flow.case.x.size
    crystals = f"{count or 'no'} crystal{'s' if count != 1 else ''}"
    return f"Sample {number}: {crystals}, {flow.grid.nx} x {flow.grid.nz} cells"
