"""Time of a prediction beside that of the solver, at equal error."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

import crystalsim
from crystalsim import Configured
from crystalsim.contracts import IterationBudget
from crystalsim.datasets.cases import cases_only
from crystalsim.datasets.solutions import walls
from crystalsim.errors import OptionError
from crystalsim.evaluation.scores import check_comparable, make_scores, ratio
from crystalsim.metrics import MILLISECONDS, PERCENT, Column, Metric, ScoreFigure

from .plugin import CostOptions

Array = NDArray[np.float64]

ITERATIONS = (1, 2, 3, 5, 8, 13, 21, 34)
"""Where the solver is stopped."""

_REPEATS = 3
"""The best time counts: what else the machine does is not the solver's cost."""

METRICS = {
    "prediction_error": Metric(
        "relative L2 error of the velocity, on the samples solved again",
        "1",
        "||v - v_ref|| / ||v_ref|| on faces",
        "low",
        PERCENT,
    ),
    "prediction_time": Metric(
        "time of the prediction", "s", "`wall_time` of the prediction", "low", MILLISECONDS
    ),
    "solver_time": Metric(
        "time of the solver",
        "s",
        "`wall_time` of the solver with its default tolerance, the best of three measured here",
        "none",
        MILLISECONDS,
    ),
    "solver_time_same_error": Metric(
        "time of the solver at the same error",
        "s",
        "least `wall_time` of the solver, stopped after 1, 2, 3, 5, 8, 13, 21 or 34 iterations or "
        "by its default tolerance, that leaves no larger an error than the prediction; that of the "
        "default tolerance where none does",
        "high",
        MILLISECONDS,
        Column("solver", ".1f"),
        role="alternative_time",
        beside="solver_time",
    ),
    "speedup_same_error": Metric(
        "speed-up at the same error",
        "1",
        "solver_time_same_error over prediction_time: above 1 the prediction is worth its time",
        "high",
    ),
    "excess_error": Metric(
        "error less that of the solver in the same time",
        "1",
        "relative L2 error of the velocity on faces, of the prediction less the least of the "
        "solver's stopped so early that it takes no longer, which is 1 where there is no time for "
        "one iteration; negative where the prediction is better",
        "low",
        PERCENT,
    ),
    "early_stopped_error": Metric(
        "error of the solver stopped early",
        "1",
        "||v - v_ref|| / ||v_ref|| on faces after so many iterations",
        "none",
        PERCENT,
    ),
    "early_stopped_time": Metric(
        "time of the solver stopped early", "s", "its `wall_time`", "none", MILLISECONDS
    ),
}

FIGURES = (
    ScoreFigure(
        "cost",
        "crystalsim_analysis.figures:plot_cost",
        "early_stopped_error",
        "Error over time for a sample, beside the solver stopped early; numbers: its iterations.",
        order=40,
    ),
)


class CostEvaluator(Configured[CostOptions]):
    """What the error of a prediction would have cost the solver.

    Compare at equal error or equal time, with the best classical method on the same hardware
    (McGreivy & Hakim 2024, doi:10.1038/s42256-024-00897-5). The prediction's times are those of
    the batch and machine that made it. Without a `wall_time` in it only the solver has scores.

    Parameters
    ----------
    options
        See ``crystalsim describe evaluator cost``.
    """

    options_class = CostOptions
    metrics = METRICS
    figures = FIGURES

    def prepare(self, reference: xr.Dataset) -> tuple[Array, Array]:
        """Times [s] and errors (sample, limit) of the solver, the default tolerance last."""
        truth = reference.isel(sample=slice(self.options.samples))
        cases = cases_only(truth)
        name = self.options.solver
        options = {} if walls(truth) == "free_slip" else {"walls": walls(truth)}
        whole = crystalsim.get("solver", name, **options)
        if not isinstance(whole, IterationBudget):
            raise OptionError(f"option evaluator.solver = '{name}': it cannot be told when to stop")
        times, errors = (
            np.full((truth.sizes["sample"], len(ITERATIONS) + 1), np.nan) for _ in "ab"
        )
        # That a solver stopped early has not converged is no news here.
        logger = logging.getLogger("crystalsim")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            for k, limit in enumerate((*ITERATIONS, None)):
                solver = whole if limit is None else whole.limited(iterations=limit)
                solver.solve(cases.isel(sample=slice(1)))  # what is made once is not timed
                solutions = [solver.solve(cases) for _ in range(_REPEATS)]
                times[:, k] = np.min([each["wall_time"].values for each in solutions], axis=0)
                errors[:, k] = relative_error(truth, solutions[0])
        finally:
            logger.setLevel(level)
        return times, errors

    def evaluate(
        self, reference: xr.Dataset, prediction: xr.Dataset, prepared: Any = None
    ) -> xr.Dataset:
        """Score the first samples; see `crystalsim.contracts.PreparesReference`."""
        check_comparable(reference, prediction)
        count = reference.sizes["sample"]
        chosen = slice(min(self.options.samples, count))
        truth = reference.isel(sample=chosen)
        times, errors = self.prepare(reference) if prepared is None else prepared
        values = {name: np.full(count, np.nan) for name in METRICS}
        for name, results in (("early_stopped_error", errors), ("early_stopped_time", times)):
            values[name] = np.full((count, len(ITERATIONS)), np.nan)
            values[name][chosen] = results[:, :-1]
        values["solver_time"][chosen] = times[:, -1]
        error = relative_error(truth, prediction.isel(sample=chosen))
        values["prediction_error"][chosen] = error
        if "wall_time" in prediction:
            spent = prediction["wall_time"].values.astype(float)
            values["prediction_time"] = spent
            same = np.where(errors <= error[:, None], times, np.inf).min(axis=1)
            same = np.where(np.isfinite(same), same, times[:, -1])
            best = np.where(times <= spent[chosen, None], errors, np.inf).min(axis=1)
            values["solver_time_same_error"][chosen] = same
            values["speedup_same_error"][chosen] = same / spent[chosen]
            values["excess_error"][chosen] = error - np.minimum(best, 1.0)
        along = xr.DataArray(
            np.array(ITERATIONS),
            dims="iterations",
            attrs={"long_name": "iterations of the solver", "units": "1"},
        )
        return make_scores(reference, values, METRICS, along=along, figures=FIGURES)


def relative_error(reference: xr.Dataset, other: xr.Dataset) -> Array:
    """Relative L2 error of the velocity on faces (sample)."""
    above = below = np.zeros(reference.sizes["sample"])
    for name in ("velocity_x", "velocity_z"):
        true = reference[name].values.astype(float)
        above = above + ((other[name].values - true) ** 2).sum(axis=(1, 2))
        below = below + (true**2).sum(axis=(1, 2))
    return np.asarray(np.sqrt(ratio(above, below)))
