"""What all figures share: fonts, colours, units and files."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, ParamSpec

import matplotlib
import numpy as np
from cmcrameri import cm
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

from ..errors import StoreError
from ..metrics import Metric, Unit
from ..scene.grid import Grid
from ..storage.files import written_aside

__all__ = ["MARKERS", "MODELS", "axis_label", "light_grid", "logarithmic", "note", "styled"]

P = ParamSpec("P")
Layout = Literal["constrained", "compressed"]

DIVERGING = cm.vik
"""For signed quantities, zero in the middle (Crameri 2018, doi:10.5281/zenodo.1243862)."""

SEQUENTIAL = cm.batlow
"""For quantities from zero upwards."""

ERROR = cm.lajolla_r
"""For the size of errors, nearly white where there is none."""

MODELS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart by colour-blind readers (Okabe & Ito 2008)."""

CRYSTALS = (*MODELS[:6], *(cm.batlowS(i) for i in range(100)))
"""A colour for each crystal."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""A marker for each of `MODELS`."""

_SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8.5,
    "figure.titlesize": 11,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "mathtext.default": "regular",
}

_FEWEST_TICKS = 3

_SECONDS_PER_YEAR = 365.25 * 86400


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw with the settings of this package, whatever the user's are."""

    @functools.wraps(draw)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_SETTINGS)
            return draw(*args, **kwargs)

    return wrapped


def velocity_unit(largest: float) -> Unit:
    """Choose the unit that makes `largest` [m s-1] a number from 1 to 1000, from nm/yr to m/yr.

    Velocities beyond that range, such as those of problems without dimensions, stay in m/s.
    """
    for name, size in (("m", 1.0), ("mm", 1e-3), ("µm", 1e-6), ("nm", 1e-9)):
        unit = Unit(f"{name}/yr", size / _SECONDS_PER_YEAR)
        if unit.size <= largest < 1e3 * unit.size:
            return unit
    return Unit("m/s", 1.0)


def pressure_unit(largest: float) -> Unit:
    """Choose the unit that makes `largest` [Pa] a number from 1 to 1000, up to GPa."""
    for name, size in (("GPa", 1e9), ("MPa", 1e6), ("kPa", 1e3)):
        if largest >= size:
            return Unit(name, size)
    return Unit("Pa", 1.0)


def length_unit(extent: float) -> Unit:
    """Choose the unit of axes for a domain of `extent` m: kilometres from 1 km on."""
    return Unit("km", 1e3) if extent >= 1e3 else Unit("m", 1.0)


def largest(*values: ArrayLike) -> float:
    """Largest magnitude, one where nothing is finite and above zero: the end of a colour scale."""
    tops = [np.nanmax(np.abs(v), initial=0.0) for v in map(np.asarray, values)]
    top = float(max(tops))
    return top if 0 < top < np.inf else 1.0


def make_figure(width: float, rows: int, grid: Grid, layout: Layout = "constrained") -> Figure:
    """Make a figure so wide [inch], with rows as tall as the domain's shape asks for."""
    tall = min(max(grid.height / grid.width, 0.6), 2.5)
    return Figure(figsize=(width, 0.18 * width * rows * tall + 0.6), layout=layout)


def light_grid(axes: Axes) -> None:
    """Draw horizontal lines behind the data."""
    axes.grid(axis="y", which="major", color="0.88", linewidth=0.6)
    axes.set_axisbelow(True)


def axis_label(metric: Metric) -> str:
    """Name of a score with its unit in brackets, powers as superscripts."""
    name, unit = metric.long_name, metric.unit.label
    powers = re.sub(r"(?<=[A-Za-z])(-?\d+)", r"$^{\1}$", unit)
    return f"{name} [{powers}]" if unit else name


def note(figure: FigureBase, text: str) -> None:
    """Say in a line below all panels what symbols, bars and bands stand for."""
    figure.supxlabel(text, fontsize=7.5, color="0.4")


class _PlainLogLocator(LogLocator):
    """Powers of ten, or as many numbers between them as it takes to have three ticks."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        low, high = sorted((vmin, vmax))
        if low > 0:
            for steps in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
                self.set_params(subs=steps)
                ticks = np.asarray(super().tick_values(low, high))
                if ((ticks >= low) & (ticks <= high)).sum() >= _FEWEST_TICKS:
                    return ticks
            return MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)
        return super().tick_values(vmin, vmax)


def logarithmic(axes: Axes, which: Literal["x", "y"] = "y") -> None:
    """Make an axis logarithmic, with plain numbers, at least three of them."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(_PlainLogLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def curve_style(k: int) -> dict[str, Any]:
    """Colour, marker and width of the line of contestant number `k`."""
    return {
        "color": MODELS[k % len(MODELS)],
        "marker": MARKERS[k % len(MARKERS)],
        "markersize": 5.5,
        "markeredgecolor": "white",
        "markeredgewidth": 0.8,
        "linewidth": 1.4,
    }


def legend_handles(axes: Axes, names: Iterable[str]) -> list[Artist]:
    """One line for each contestant, in the style of its curve and named after it."""
    return [axes.plot([], [], label=name, **curve_style(k))[0] for k, name in enumerate(names)]


def legend_above(figure: Figure, names: Iterable[str]) -> None:
    """Draw one legend of contestants for all panels, above them."""
    handles = legend_handles(figure.axes[0], names)
    figure.legend(handles=handles, loc="outside upper left", ncols=min(5, len(handles)))


def save_figure(figure: Figure, path: str | Path, *, resolution: int = 200) -> None:
    """Write a figure aside and rename it; the format is that of the file's name.

    Parameters
    ----------
    figure
        Any figure.
    path
        File to write; its folder is made if need be.
    resolution
        Dots per inch, also of the fields within a PDF or SVG.

    Raises
    ------
    StoreError
        If it cannot be written, or the name ends in no known format.
    """
    path = Path(path)
    known = figure.canvas.get_supported_filetypes()
    form = path.suffix.lstrip(".").lower()
    if form not in known:
        raise StoreError(
            f"{path}: '{path.suffix}' is no format of figures; expected one of "
            + ", ".join(f".{name}" for name in sorted(known))
        )
    with written_aside(path) as aside:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(aside, dpi=resolution, format=form, bbox_inches="tight")
