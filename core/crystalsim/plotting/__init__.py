"""Figures from datasets alone, for notebooks and for the command line."""

from __future__ import annotations

from .runs import by_error, plot_history, plot_scores_by_count
from .samples import plot_sample
from .style import save_figure

__all__ = ["by_error", "plot_history", "plot_sample", "plot_scores_by_count", "save_figure"]
