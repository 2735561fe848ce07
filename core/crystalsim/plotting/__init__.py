"""Figures from datasets alone: no solver, no model, no torch.

Every function returns a `matplotlib.figure.Figure` that belongs to no window and changes no global
setting of matplotlib; `save_figure` writes it.
"""

from .cases import plot_cases
from .compare import plot_comparison
from .gallery import plot_gallery
from .history import plot_history
from .samples import plot_sample
from .scores import by_error, plot_scores_by_count
from .style import (
    MARKERS,
    MODELS,
    axis_label,
    curve_style,
    legend_above,
    legend_handles,
    light_grid,
    logarithmic,
    note,
    save_figure,
    styled,
)

__all__ = [
    "MARKERS",
    "MODELS",
    "axis_label",
    "by_error",
    "curve_style",
    "legend_above",
    "legend_handles",
    "light_grid",
    "logarithmic",
    "note",
    "plot_cases",
    "plot_comparison",
    "plot_gallery",
    "plot_history",
    "plot_sample",
    "plot_scores_by_count",
    "save_figure",
    "styled",
]
