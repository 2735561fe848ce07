"""Predictions that a solver polishes."""

from __future__ import annotations

import inspect
from typing import Any

import xarray as xr

from ..contracts import Model
from ..errors import OptionError
from ..registry import build


class Refined:
    """A model whose predictions a solver starts from.

    Parameters
    ----------
    model
        Predicts.
    solver
        Name of a solver plugin that takes an `initial` flow.
    effort
        Iterations if 1 or more, else the solver's tolerance.

    Raises
    ------
    OptionError
        If the solver cannot start from a flow, or `effort` makes no sense.
    """

    def __init__(self, model: Model, solver: str, effort: float) -> None:
        self.model = model
        options: dict[str, Any] = {"tolerance": effort}
        if effort >= 1:
            if effort != int(effort):
                raise OptionError(f"--refine {effort:g}: expected whole iterations or a tolerance")
            options = {"maximum_iterations": int(effort)}
        self.solver = build("solver", solver, options)
        if "initial" not in inspect.signature(self.solver.solve).parameters:
            raise OptionError(f"--refine: the solver '{solver}' cannot start from a prediction")

    def predict(self, cases: xr.Dataset) -> xr.Dataset:
        """Predict and polish all samples; the time is that of both."""
        start = self.model.predict(cases)
        refined = self.solver.solve(cases, initial=start)
        if {"wall_time"} <= set(start) & set(refined):
            refined["wall_time"] = refined["wall_time"] + start["wall_time"].values
        return refined
