"""What all figures share: fonts, colours, units, files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from cmcrameri import cm
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DIVERGING = cm.vik
SEQUENTIAL = cm.batlow_r
ERROR = cm.lajolla_r if hasattr(cm, "lajolla_r") else cm.lajolla

LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe & Ito's colours, which colour-blind readers can tell apart."""

FONTS = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
}

_SECONDS_A_YEAR = 365.25 * 86400.0


def new_figure(width: float, height: float) -> Figure:
    """Make a figure that belongs to no window (width, height in inches)."""
    with matplotlib.rc_context(FONTS):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
    return figure


def velocity_unit(largest: float) -> tuple[float, str]:
    """Choose a unit for velocities up to `largest` [m s-1]: factor and name."""
    if largest <= 0 or largest > 1e-6:
        return 1.0, "m s$^{-1}$"
    a_year = largest * _SECONDS_A_YEAR
    for factor, name in ((1.0, "m"), (1e3, "mm"), (1e6, "µm"), (1e9, "nm")):
        if a_year * factor >= 1:
            return _SECONDS_A_YEAR * factor, f"{name} yr$^{{-1}}$"
    exponent = int(np.floor(np.log10(largest)))
    return 10.0**-exponent, f"10$^{{{exponent}}}$ m s$^{{-1}}$"


def crystal_colours(count: int) -> list[Any]:
    """Give each crystal a colour of its own."""
    return [cm.batlowS(i % 100) if count > len(LINES) else LINES[i] for i in range(count)]


def save_figure(figure: Figure, path: Path, dpi: int = 150) -> None:
    """Write a figure to a file, aside first and then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{os.getpid()}-{path.name}")
    with matplotlib.rc_context(FONTS):
        figure.savefig(aside, dpi=dpi)
    aside.replace(path)
