"""Error around each crystal, beside what may explain it."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crystalsim import Configured, Grid, iterate_cases
from crystalsim.evaluation.scores import check_comparable, make_scores
from crystalsim.metrics import PERCENT, Metric, ScoreFigure
from crystalsim.options import NoOptions
from crystalsim.scene.case import Case

from .flows import at_centres, velocity

Array = NDArray[np.float64]

_NEAR = 2.0
"""Radii around a centre within which a crystal's error is taken."""

METRICS = {
    "local_error": Metric(
        "relative L2 error around the crystal",
        "1",
        "||v - v_ref|| / ||v_ref|| of the velocity at cell centres within two radii of the "
        "crystal's centre, from face means",
        "low",
        PERCENT,
    ),
    "stratum_radius": Metric("radius", "m", "radius of the crystal", "none"),
    "stratum_gap": Metric(
        "gap to the nearest neighbour",
        "m",
        "between the surfaces; not a number for a crystal that is alone",
        "none",
    ),
    "stratum_wall_distance": Metric(
        "distance to the nearest wall", "m", "from the crystal's surface", "none"
    ),
    "stratum_viscosity_contrast": Metric(
        "viscosity contrast", "1", "viscosity of the crystal over that of the magma", "none"
    ),
    "stratum_density_contrast": Metric(
        "density contrast", "kg m-3", "density of the crystal less that of the magma", "none"
    ),
}

FIGURES = (
    ScoreFigure(
        "strata",
        "crystalsim_analysis.figures:plot_strata",
        "local_error",
        "Error around crystals, sorted by their properties; bands: 95 % confidence of the mean.",
        order=50,
    ),
)


class StrataEvaluator(Configured[NoOptions]):
    """Errors around crystals, and the properties by which to sort them.

    Figures and tables sort `local_error` by the scores named ``stratum_*``, and any score by the
    coordinate `crystal_count`.
    """

    metrics = METRICS
    figures = FIGURES

    def evaluate(self, reference: xr.Dataset, prediction: xr.Dataset) -> xr.Dataset:
        """Score each crystal; see `crystalsim.contracts.Evaluator`."""
        grid = check_comparable(reference, prediction)
        shape = reference.sizes["sample"], reference.sizes["crystal"]
        values = {name: np.full(shape, np.nan) for name in METRICS}
        for i, case in enumerate(iterate_cases(reference)):
            count = case.x.size
            true, guess = (at_centres(velocity(dataset, i)) for dataset in (reference, prediction))
            values["local_error"][i, :count] = _around(case, grid, true, guess - true)
            for name, stratum in properties(case, grid).items():
                values[f"stratum_{name}"][i, :count] = stratum
        return make_scores(reference, values, METRICS, figures=FIGURES)


def properties(case: Case, grid: Grid) -> dict[str, Array]:
    """Properties of each crystal (crystal) by which errors are sorted; see `METRICS`."""
    gap = np.hypot(case.x[:, None] - case.x, case.z[:, None] - case.z)
    gap -= case.radius[:, None] + case.radius
    np.fill_diagonal(gap, np.inf)
    nearest = gap.min(axis=1, initial=np.inf)
    sides = [case.x - grid.x_min, grid.x_max - case.x, case.z - grid.z_min, grid.z_max - case.z]
    return {
        "radius": case.radius,
        "gap": np.where(np.isfinite(nearest), np.maximum(nearest, 0.0), np.nan),
        "wall_distance": np.maximum(np.min(sides, axis=0) - case.radius, 0.0),
        "viscosity_contrast": case.viscosity / case.matrix_viscosity,
        "density_contrast": case.density_contrast,
    }


def _around(case: Case, grid: Grid, true: Array, error: Array) -> Array:
    """Relative errors within some radii of each centre."""
    errors = np.full(case.x.size, np.nan)
    for k in range(case.x.size):
        distance = np.hypot(grid.x - case.x[k], grid.z[:, None] - case.z[k])
        near = distance < _NEAR * case.radius[k]
        energy = (true[:, near] ** 2).sum()
        if energy > 0:
            errors[k] = np.sqrt((error[:, near] ** 2).sum() / energy)
    return errors
