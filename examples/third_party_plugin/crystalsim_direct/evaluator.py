"""An evaluator with a column and a figure of its own."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crystalsim import Configured
from crystalsim.evaluation.scores import check_comparable, make_scores, ratio
from crystalsim.metrics import PERCENT, Column, Metric, ScoreFigure
from crystalsim.options import NoOptions

METRICS = {
    "energy_error": Metric(
        "relative error of the kinetic energy",
        "1",
        "|E - E_ref| / E_ref with E the sum of the squared velocity over all faces",
        better="low",
        shown=PERCENT,
        column=Column("energy", statistics=("mean", "worst")),
        role="primary",
    ),
    "energy_ratio": Metric(
        "kinetic energy over that of the reference", "1", "E / E_ref", better="none"
    ),
}

FIGURES = (
    ScoreFigure(
        "energy",
        "crystalsim_direct.figures:plot_energy",
        metric="energy_ratio",
        caption="Kinetic energy over that of the reference: 1 is exact.",
    ),
)


class EnergyEvaluator(Configured[NoOptions]):
    """Relative error of the kinetic energy."""

    metrics = METRICS
    figures = FIGURES

    def evaluate(self, reference: xr.Dataset, prediction: xr.Dataset) -> xr.Dataset:
        """Score each sample; see `crystalsim.contracts.Evaluator`."""
        check_comparable(reference, prediction)
        share = ratio(_energy(prediction), _energy(reference))
        values = {"energy_error": np.abs(share - 1), "energy_ratio": share}
        return make_scores(reference, values, METRICS, figures=FIGURES)


def _energy(solutions: xr.Dataset) -> NDArray[np.float64]:
    in_x = (solutions["velocity_x"].values.astype(float) ** 2).sum(axis=(1, 2))
    in_z = (solutions["velocity_z"].values.astype(float) ** 2).sum(axis=(1, 2))
    return np.asarray(in_x + in_z)
