"""What neighbours change about the velocity of each crystal."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

import crystalsim
from crystalsim import Configured, Grid, iterate_cases
from crystalsim.datasets.cases import each_alone
from crystalsim.datasets.schema import GIVEN_FIELDS
from crystalsim.datasets.solutions import require_free_slip
from crystalsim.errors import UnsupportedError
from crystalsim.evaluation.scores import check_comparable, make_scores, ratio
from crystalsim.metrics import PERCENT, Metric, ScoreFigure
from crystalsim.stokes.crystal_motion import crystal_velocities

from .plugin import InteractionOptions

Array = NDArray[np.float64]

_INTERACTION = (
    "|V - V_alone| / |V_alone| of the {}, V the mean velocity over the crystal's area and "
)
_ALONE = "V_alone that of the crystal alone in the same box on the same grid"

METRICS = {
    "interaction_error": Metric(
        "error of the interaction",
        "1",
        "|V - V_ref| over the largest |V_ref - V_alone| of the sample: the part of what crystals "
        "do to each other that is wrong; 1 for a prediction that knows of no neighbours. "
        + _ALONE
        + ". Missing for crystals that are alone",
        "low",
        PERCENT,
    ),
    "interaction_reference": Metric(
        "interaction in the reference", "1", _INTERACTION.format("reference") + _ALONE, "none"
    ),
    "interaction_prediction": Metric(
        "interaction in the prediction",
        "1",
        _INTERACTION.format("prediction") + _ALONE,
        "none",
        beside="interaction_reference",
    ),
    "interaction_asymmetry_reference": Metric(
        "asymmetry of the interaction in the reference",
        "1",
        "(largest - smallest) / (largest + smallest) of |V_ref - V_alone| over the crystals of the "
        "sample: 0 where all are disturbed alike, 1 where one is not disturbed at all",
        "none",
    ),
    "interaction_asymmetry_prediction": Metric(
        "asymmetry of the interaction in the prediction",
        "1",
        "the same for the prediction, with V_alone of the reference",
        "none",
        beside="interaction_asymmetry_reference",
    ),
}

FIGURES = (
    ScoreFigure(
        "interaction",
        "crystalsim_analysis.figures:plot_interaction",
        "interaction_error",
        "What neighbours change about crystals' velocities: predicted over true, and its error.",
        order=70,
    ),
)


class InteractionEvaluator(Configured[InteractionOptions]):
    """Velocities of crystals beside those that they have when alone.

    Parameters
    ----------
    options
        See ``crystalsim describe evaluator interaction``.
    """

    options_class = InteractionOptions
    metrics = METRICS
    figures = FIGURES

    def prepare(self, reference: xr.Dataset) -> Array:
        """Velocity of each crystal alone (component, sample, crystal) [m s-1].

        Raises
        ------
        UnsupportedError
            If media are given on the grid, or walls are not free-slip.
        """
        require_free_slip(reference, "evaluator 'interaction'")
        if media := [name for name in GIVEN_FIELDS if name in reference.variables]:
            raise UnsupportedError(f"evaluator 'interaction' takes crystals, not '{media[0]}'")
        grid = Grid.from_dataset(reference)
        shape = reference.sizes["sample"], reference.sizes["crystal"]
        velocities = np.full((2, *shape), np.nan)
        solver = crystalsim.get("solver", self.options.solver)
        for i, case in enumerate(iterate_cases(reference)):
            if case.x.size < 2:
                continue
            solved = solver.solve(each_alone(case, grid))
            velocities[:, i, : case.x.size] = crystal_velocities(solved)[:, :, 0]
        return velocities

    def evaluate(
        self, reference: xr.Dataset, prediction: xr.Dataset, prepared: Any = None
    ) -> xr.Dataset:
        """Score each crystal; see `crystalsim.contracts.PreparesReference`."""
        check_comparable(reference, prediction)
        alone = self.prepare(reference) if prepared is None else prepared
        true, guess = (crystal_velocities(d) for d in (reference, prediction))
        lonely = reference["crystal_count"].values < 2
        true_change, change = (np.hypot(*(v - alone)) for v in (true, guess))
        error = np.hypot(*(guess - true))
        for values in (true_change, change, error):
            values[lonely] = np.nan
        largest = np.fmax.reduce(true_change, axis=1, initial=0.0)[:, None]
        speed = np.hypot(*alone)
        values = {
            "interaction_error": ratio(error, largest),
            "interaction_reference": ratio(true_change, speed),
            "interaction_prediction": ratio(change, speed),
            "interaction_asymmetry_reference": _asymmetry(true_change),
            "interaction_asymmetry_prediction": _asymmetry(change),
        }
        return make_scores(reference, values, METRICS, figures=FIGURES)


def _asymmetry(change: Array) -> Array:
    largest = np.fmax.reduce(change, axis=1, initial=np.nan)
    smallest = np.fmin.reduce(change, axis=1, initial=np.nan)
    return ratio(largest - smallest, largest + smallest)
