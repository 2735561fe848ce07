"""What all figures share: fonts, colours, units and files."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, ParamSpec

import matplotlib
import numpy as np
from cmcrameri import cm
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike

from ..errors import StoreError
from ..metrics import Unit
from ..storage.files import written_aside

__all__ = ["MARKERS", "MODELS", "light_grid", "logarithmic", "styled"]

P = ParamSpec("P")

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


def light_grid(axes: Axes) -> None:
    """Draw horizontal lines behind the data."""
    axes.grid(axis="y", which="major", color="0.88", linewidth=0.6)
    axes.set_axisbelow(True)


def logarithmic(axes: Axes, which: Literal["x", "y"] = "y") -> None:
    """Make an axis logarithmic, with plain numbers, more of them on few decades."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axis.get_view_interval()
    few = high < 60 * low
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
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


def legend_above(figure: Figure, names: Iterable[str]) -> None:
    """Draw one legend of contestants for all panels, above them."""
    handles = [
        figure.axes[0].plot([], [], label=name, **curve_style(k))[0] for k, name in enumerate(names)
    ]
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
