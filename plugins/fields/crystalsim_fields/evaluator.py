"""Errors of whole fields."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crystalsim import iterate_cases
from crystalsim.scores import Metric, check_comparable, make_scores
from crystalsim.stokes.operators import stream_function_from_velocity

Array = NDArray[np.float64]

DEFINITIONS = {
    "relative_l2": Metric(
        "relative L2 error of the velocity",
        "1",
        "||v - v_ref|| / ||v_ref|| of the velocity vector on faces, each weighted by its control "
        "volume inside the walls",
    ),
    "relative_l2_speed": Metric(
        "relative L2 error of the speed",
        "1",
        "|| |v| - |v_ref| || / || |v_ref| || with the speed at cell centres from face means",
    ),
    "relative_l2_stream_function": Metric(
        "relative L2 error of the stream function",
        "1",
        "||psi - psi_ref|| / ||psi_ref|| on corners; psi is integrated from the velocity where the "
        "dataset has none",
    ),
    "maximum_error": Metric(
        "largest error of the velocity",
        "1",
        "max |v - v_ref| / max |v_ref| at cell centres from face means",
    ),
    "mse_stokes": Metric(
        "mean squared error over the Stokes velocity",
        "1",
        "mean of |v - v_ref|**2 over both components at cell centres, over the square of the Stokes "
        "velocity 2/9 drho g R**2 / eta of the first crystal (the prototype's unit)",
    ),
    "mae_stokes": Metric(
        "mean absolute error over the Stokes velocity",
        "1",
        "mean of |v - v_ref| over both components at cell centres, over the Stokes velocity of the "
        "first crystal",
    ),
    "mse_rms": Metric(
        "mean squared error over the rms velocity",
        "1",
        "mean of |v - v_ref|**2 over both components at cell centres, over the mean of |v_ref|**2",
    ),
    "mae_rms": Metric(
        "mean absolute error over the rms velocity",
        "1",
        "mean of |v - v_ref| over both components at cell centres, over the root mean square of "
        "v_ref",
    ),
    "r2": Metric(
        "coefficient of determination of the velocity",
        "1",
        "1 - sum |v - v_ref|**2 / sum |v_ref - mean(v_ref)|**2 with both components at cell centres "
        "pooled; 1 is perfect",
    ),
}


class FieldsEvaluator:
    """Errors of velocity, speed and stream function for each sample.

    Samples in which nothing moves, and units of a Stokes velocity where there is no crystal, give
    NaN.
    """

    def evaluate(self, reference: xr.Dataset, prediction: xr.Dataset) -> xr.Dataset:
        """Score each sample; see `crystalsim.contracts.Evaluator`."""
        grid = check_comparable(reference, prediction)
        found: dict[str, list[float]] = {name: [] for name in DEFINITIONS}
        for i, case in enumerate(iterate_cases(reference)):
            true, guess = (_Flow(d, i, grid.hx, grid.hz) for d in (reference, prediction))
            error = guess.centre - true.centre
            stokes = case.stokes_velocity
            spread = true.centre - true.centre.mean()
            values = {
                "relative_l2": _ratio(
                    _norm(guess.flux - true.flux, true.weight), _norm(true.flux, true.weight)
                ),
                "relative_l2_speed": _ratio(_norm(guess.speed - true.speed), _norm(true.speed)),
                "relative_l2_stream_function": _ratio(_norm(guess.psi - true.psi), _norm(true.psi)),
                "maximum_error": _ratio(np.hypot(*error).max(), true.speed.max()),
                "mse_stokes": _ratio((error**2).mean(), stokes**2),
                "mae_stokes": _ratio(np.abs(error).mean(), stokes),
                "mse_rms": _ratio((error**2).mean(), (true.centre**2).mean()),
                "mae_rms": _ratio(np.abs(error).mean(), np.sqrt((true.centre**2).mean())),
                "r2": 1.0 - _ratio((error**2).sum(), (spread**2).sum()),
            }
            for name, value in values.items():
                found[name].append(value)
        arrays = {name: np.array(values) for name, values in found.items()}
        return make_scores(reference, arrays, DEFINITIONS)


class _Flow:
    """One sample's flow in the forms that the scores need."""

    def __init__(self, dataset: xr.Dataset, index: int, hx: float, hz: float) -> None:
        velocity_x = dataset["velocity_x"].values[index].astype(np.float64)
        velocity_z = dataset["velocity_z"].values[index].astype(np.float64)
        self.flux = np.concatenate([velocity_x.ravel(), velocity_z.ravel()])
        weight_x, weight_z = np.ones_like(velocity_x), np.ones_like(velocity_z)
        weight_x[:, [0, -1]] = 0.5
        weight_z[[0, -1], :] = 0.5
        self.weight = np.concatenate([weight_x.ravel(), weight_z.ravel()])
        self.centre = np.stack(
            [
                0.5 * (velocity_x[:, 1:] + velocity_x[:, :-1]),
                0.5 * (velocity_z[1:] + velocity_z[:-1]),
            ]
        )
        self.speed = np.hypot(*self.centre)
        if "stream_function" in dataset:
            self.psi = dataset["stream_function"].values[index].astype(np.float64)
        else:
            self.psi = stream_function_from_velocity(velocity_x, velocity_z, hx, hz)


def _norm(values: Array, weight: Array | float = 1.0) -> float:
    # Velocities are near 1e-14 m/s: their squares would leave single precision, not double.
    return float(np.sqrt((weight * values**2).sum()))


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator > 0 else float("nan")
