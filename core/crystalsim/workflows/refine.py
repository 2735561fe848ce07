"""Predictions that a solver polishes."""

from __future__ import annotations

import xarray as xr

from ..contracts import IterationBudget, Model, WarmStart
from ..errors import OptionError
from ..registry import build


class Refined:
    """A model whose predictions a solver starts from.

    Parameters
    ----------
    model
        Predicts.
    solver
        Name of a solver plugin that can start from a flow and stop early.
    effort
        Iterations if 1 or more, else the solver's tolerance.

    Raises
    ------
    OptionError
        If the solver cannot do that, or `effort` makes no sense.
    """

    def __init__(self, model: Model, solver: str, effort: float) -> None:
        self.model = model
        unlimited = build("solver", solver, {})
        if not isinstance(unlimited, WarmStart):
            raise OptionError(f"--refine: the solver '{solver}' cannot start from a prediction")
        if not isinstance(unlimited, IterationBudget):
            raise OptionError(f"--refine: the solver '{solver}' cannot be told when to stop")
        if effort >= 1 and effort != int(effort):
            raise OptionError(f"--refine {effort:g}: expected whole iterations or a tolerance")
        self.solver = (
            unlimited.limited(iterations=int(effort))
            if effort >= 1
            else unlimited.limited(tolerance=effort)
        )

    def predict(self, cases: xr.Dataset) -> xr.Dataset:
        """Predict and polish all samples; the time is that of both."""
        start = self.model.predict(cases)
        refined = self.solver.solve_from(cases, start)
        if {"wall_time"} <= set(start) & set(refined):
            refined["wall_time"] = refined["wall_time"] + start["wall_time"].values
        return refined
