"""How figures show media that are given on the grid."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from numpy.typing import NDArray

from .fields import Scene, frame, place
from .style import SEQUENTIAL

Array = NDArray[np.float64]


def media_of(scene: Scene) -> list[tuple[str, str, Array]]:
    """Viscosity and density that are given on the grid: name, unit and values [SI]."""
    media: list[tuple[str, str, Array]] = []
    if scene.viscosity is not None:
        media.append(("viscosity", "Pa s", scene.viscosity))
    if scene.density is not None:
        media.append(("density", "kg m$^{-3}$", scene.density))
    return media


def draw_medium(axes: Axes, scene: Scene, name: str, unit: str, values: Array) -> None:
    """Draw a medium with its colour bar, the viscosity on a logarithmic scale."""
    finite = values[np.isfinite(values)]
    low, high = float(finite.min()), float(finite.max())
    if not high > low:  # a scale needs two ends
        low, high = 0.9 * low, 1.1 * high
    x, z, _ = place(scene.grid, values)
    norm = LogNorm(low, high) if name == "viscosity" else Normalize(low, high)
    mesh = axes.pcolormesh(
        x, z, values, shading="nearest", cmap=SEQUENTIAL, norm=norm, rasterized=True
    )
    frame(axes, scene.grid)
    axes.set_title(name)
    bar = axes.figure.colorbar(mesh, ax=axes, label=f"{name} [{unit}]", aspect=22, pad=0.02)
    if high < 10 * low and name == "viscosity":
        bar.ax.minorticks_off()
