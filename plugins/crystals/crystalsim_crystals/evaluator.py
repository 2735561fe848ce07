"""Errors of crystals."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from crystalsim import Configured, Grid, iterate_cases
from crystalsim.evaluation.extrema import find_peaks
from crystalsim.evaluation.scores import check_comparable, make_scores, ratio
from crystalsim.metrics import PERCENT, Column, Metric, ScoreFigure
from crystalsim.scene.case import Case
from crystalsim.stokes.crystal_motion import crystal_velocities

from .plugin import CrystalsOptions

Array = NDArray[np.float64]

_ALIGNMENT = (
    "distance between the crystal's centre and the extremum of velocity_z at cell centres that an "
    "optimal assignment gives it, in the {} flow: as many extrema as crystals are taken, strongest "
    "first, minima for sinking and maxima for rising crystals, no two nearer than the option "
    "separation times the sample's smallest radius. NaN where there are too few. A rigid crystal "
    "moves with one velocity, so that this is not zero in an exact solution"
)

METRICS = {
    "crystal_velocity_error_scaled": Metric(
        "error of the crystal's velocity over the largest crystal speed",
        "1",
        "|V - V_ref| / max |V_ref| over the crystals of the sample; stays meaningful for crystals "
        "that hardly move",
        "low",
        PERCENT,
        Column("crystal vel.", statistics=("mean", "p95", "worst")),
        role="primary",
    ),
    "crystal_velocity_error": Metric(
        "relative error of the crystal's velocity",
        "1",
        "|V - V_ref| / |V_ref| with V the mean velocity over the crystal's exact area",
        "low",
        PERCENT,
    ),
    "crystal_speed_reference": Metric(
        "speed of the crystal in the reference", "m s-1", "|V_ref| of the mean velocity", "none"
    ),
    "crystal_speed_prediction": Metric(
        "speed of the crystal in the prediction",
        "m s-1",
        "|V| of the mean velocity",
        "none",
        beside="crystal_speed_reference",
    ),
    "alignment_distance": Metric(
        "distance of the predicted extremum from the centre",
        "m",
        _ALIGNMENT.format("predicted"),
        "low",
        beside="alignment_distance_reference",
    ),
    "alignment_distance_reference": Metric(
        "distance of the true extremum from the centre",
        "m",
        _ALIGNMENT.format("reference"),
        "none",
    ),
    "detection_rate": Metric(
        "share of crystals detected in the prediction",
        "1",
        "share of crystals whose assigned extremum of the predicted velocity_z lies within the "
        "option detection_distance times the crystal's radius",
        "high",
        PERCENT,
        beside="reference_detection_rate",
    ),
    "reference_detection_rate": Metric(
        "share of crystals detected in the reference",
        "1",
        "the same for the reference flow: what a perfect prediction would reach",
        "none",
        PERCENT,
    ),
}

FIGURES = (
    ScoreFigure(
        "crystal_velocity_error_by_count",
        "crystalsim.plotting:plot_scores_by_count",
        "crystal_velocity_error",
        "Error of crystals' velocities by number of crystals; bands: 95 % confidence of the mean.",
        order=30,
    ),
)


class CrystalsEvaluator(Configured[CrystalsOptions]):
    """Velocity of each crystal, and whether the flow shows where the crystals are.

    Parameters
    ----------
    options
        See ``crystalsim describe evaluator crystals``.
    """

    options_class = CrystalsOptions
    metrics = METRICS
    figures = FIGURES

    def evaluate(self, reference: xr.Dataset, prediction: xr.Dataset) -> xr.Dataset:
        """Score each crystal; see `crystalsim.contracts.Evaluator`."""
        grid = check_comparable(reference, prediction)
        true, guess = (crystal_velocities(dataset) for dataset in (reference, prediction))
        speed, error = np.hypot(*true), np.hypot(*(guess - true))
        largest = np.fmax.reduce(speed, axis=1, initial=0.0)[:, None]
        values: dict[str, Array] = {
            "crystal_velocity_error": ratio(error, speed),
            "crystal_velocity_error_scaled": ratio(error, largest),
            "crystal_speed_reference": speed,
            "crystal_speed_prediction": np.hypot(*guess),
        }
        radius = reference["crystal_radius"].values
        counts = reference["crystal_count"].values
        for dataset, distance, rate in (
            (prediction, "alignment_distance", "detection_rate"),
            (reference, "alignment_distance_reference", "reference_detection_rate"),
        ):
            values[distance] = self._alignment(dataset, grid)
            near = values[distance] <= self.options.detection_distance * radius
            values[rate] = ratio(near.sum(axis=1), counts)
        ordered = {name: values[name] for name in METRICS}
        return make_scores(reference, ordered, METRICS, figures=FIGURES)

    def _alignment(self, dataset: xr.Dataset, grid: Grid) -> Array:
        """Distance of each crystal's centre from its extremum (sample, crystal) [m]."""
        distances = np.full((dataset.sizes["sample"], dataset.sizes["crystal"]), np.nan)
        for i, case in enumerate(iterate_cases(dataset)):
            velocity_z = dataset.variables["velocity_z"][i].values
            if not np.isfinite(velocity_z).all():
                continue
            centre = 0.5 * (velocity_z[1:] + velocity_z[:-1])
            rising = case.density_contrast < 0
            for chosen, height in ((~rising, -centre), (rising, centre)):
                crystals = np.flatnonzero(chosen)
                if crystals.size:
                    distances[i, crystals] = self._match(height, case, crystals, grid)
        return distances

    def _match(self, height: Array, case: Case, crystals: NDArray[np.intp], grid: Grid) -> Array:
        """Distances from the centres of some crystals to the peaks assigned to them [m]."""
        separation = self.options.separation * float(case.radius.min())
        peaks = find_peaks(height, grid, crystals.size, separation)
        distance = np.hypot(
            case.x[crystals, None] - grid.x[peaks[:, 1]],
            case.z[crystals, None] - grid.z[peaks[:, 0]],
        )
        rows, columns = linear_sum_assignment(distance)
        matched = np.full(crystals.size, np.nan)
        matched[rows] = distance[rows, columns]
        return matched
