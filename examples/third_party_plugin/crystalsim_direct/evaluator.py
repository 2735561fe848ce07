"""An evaluator in thirty lines."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crystalsim import Configured
from crystalsim.evaluation.scores import Metric, check_comparable, make_scores
from crystalsim.options import NoOptions

DEFINITIONS = {
    "energy_error": Metric(
        "relative error of the kinetic energy",
        "1",
        "|E - E_ref| / E_ref with E the sum of the squared velocity over all faces",
    )
}


class EnergyEvaluator(Configured[NoOptions]):
    """Relative error of the kinetic energy."""

    def evaluate(self, reference: xr.Dataset, prediction: xr.Dataset) -> xr.Dataset:
        """Score each sample; see `crystalsim.contracts.Evaluator`."""
        check_comparable(reference, prediction)
        true, guess = _energy(reference), _energy(prediction)
        error = np.full(true.shape, np.nan)
        np.divide(np.abs(guess - true), true, out=error, where=true > 0)
        return make_scores(reference, {"energy_error": error}, DEFINITIONS)


def _energy(solutions: xr.Dataset) -> NDArray[np.float64]:
    in_x = (solutions["velocity_x"].values.astype(float) ** 2).sum(axis=(1, 2))
    in_z = (solutions["velocity_z"].values.astype(float) ** 2).sum(axis=(1, 2))
    return np.asarray(in_x + in_z)
