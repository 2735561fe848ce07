"""Figures from datasets alone: no solver, no model, no torch.

Every function returns a `matplotlib.figure.Figure` that belongs to no window and changes no global
setting of matplotlib; `save_figure` writes it.
"""

from .analysis import plot_cost, plot_interaction, plot_spectrum, plot_strata
from .compare import plot_comparison
from .history import plot_history
from .samples import plot_gallery, plot_sample
from .scores import by_error, plot_scores_by_count
from .style import save_figure

__all__ = [
    "by_error",
    "plot_comparison",
    "plot_cost",
    "plot_gallery",
    "plot_history",
    "plot_interaction",
    "plot_sample",
    "plot_scores_by_count",
    "plot_spectrum",
    "plot_strata",
    "save_figure",
]
