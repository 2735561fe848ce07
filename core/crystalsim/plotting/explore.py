"""Figures of an exploration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..errors import SchemaError
from .style import MODELS, axis_label, light_grid, logarithmic, styled

if TYPE_CHECKING:
    from ..config.exploration import Outcome
    from ..metrics import Metric


@styled
def plot_trials(outcomes: Sequence[Outcome], metric: Metric) -> Figure:
    """Draw the value of each trial, and the best so far.

    Trials that were ended early are at the last value of their training where that is the metric.

    Parameters
    ----------
    outcomes
        Outcomes of the trials, by `crystalsim.workflows.exploration.search.explore`.
    metric
        Declaration of the score that is searched for.

    Raises
    ------
    SchemaError
        If no trial is complete.
    """
    done, cut = (
        [
            (o.number, o.value / metric.unit.size)
            for o in outcomes
            if o.state == state and o.value is not None
        ]
        for state in ("complete", "pruned")
    )
    if not done:
        raise SchemaError("exploration: expected at least one complete trial")
    figure = Figure(figsize=(6.2, 3.2), layout="constrained")
    axes = figure.subplots()
    numbers, values = np.array(done).T
    best = (np.maximum if metric.better == "high" else np.minimum).accumulate(values)
    end = max(outcome.number for outcome in outcomes)
    axes.step(
        [*numbers, end], [*best, best[-1]], where="post", color=MODELS[1], lw=1.4, label="best"
    )
    axes.plot(numbers, values, "o", color=MODELS[0], ms=5, label="complete")
    if cut:
        axes.plot(*np.array(cut).T, "x", color="0.55", ms=5, label="ended early")
    every = [value for _, value in [*done, *cut]]
    if min(every) > 0 and max(every) > 2 * min(every):
        logarithmic(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="trial", ylabel=f"{axis_label(metric)},\nvalidation samples")
    light_grid(axes)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@styled
def plot_importance(importance: Mapping[str, float]) -> Figure:
    """Draw the share of each option as a bar, the largest on top.

    Parameters
    ----------
    importance
        Share by option.

    Raises
    ------
    SchemaError
        If there is none.
    """
    if not importance:
        raise SchemaError("exploration: expected the importance of at least one option")
    names = sorted(importance, key=lambda name: importance[name])
    shares = [importance[name] for name in names]
    figure = Figure(figsize=(6.2, 0.9 + 0.32 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(names, shares, color=MODELS[0], height=0.6)
    axes.bar_label(bars, labels=[f"{share:.2g}" for share in shares], padding=3, fontsize=8)
    axes.set(xlabel="importance [share]", ylabel="option", xlim=(0.0, 1.12 * max(*shares, 1e-12)))
    axes.tick_params(axis="y", length=0)
    return figure
