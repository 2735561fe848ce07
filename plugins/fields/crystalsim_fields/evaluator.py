"""Errors of whole fields."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crystalsim import Configured, Grid, iterate_cases
from crystalsim.evaluation.scores import check_comparable, make_scores
from crystalsim.metrics import PERCENT, Column, Metric, ScoreFigure
from crystalsim.options import NoOptions
from crystalsim.stokes.operators import at_centres, stream_function_from_velocity

Array = NDArray[np.float64]

_PROTOTYPE = "prototype (quoted)"
"""The Julia prototype that crystalsim replaces: one crystal, 256 x 256 cells, labels by LaMEM."""

METRICS = {
    "relative_l2": Metric(
        "relative L2 error of the velocity",
        "1",
        "||v - v_ref|| / ||v_ref|| of the velocity vector on faces, each weighted by its control "
        "volume inside the walls",
        "low",
        PERCENT,
        Column("rel. L2", statistics=("mean", "p95", "worst")),
        role="primary",
    ),
    "r2": Metric(
        "coefficient of determination of the velocity",
        "1",
        "1 - sum |v - v_ref|**2 / sum |v_ref - mean(v_ref)|**2 with both components on faces "
        "pooled, weights as in relative_l2 and a mean for each component; 1 is perfect",
        "high",
        column=Column("R2", ".7f"),
        quoted={_PROTOTYPE: 0.944},
    ),
    "mse_stokes": Metric(
        "mean squared error over the Stokes velocity",
        "1",
        "mean of (v_z - v_z_ref)**2 at cell centres from face means, velocity_z alone, over the "
        "square of the Stokes velocity 2/9 drho g R**2 / eta of the first crystal",
        "low",
        column=Column("MSE vz/Vs2", ".1e"),
        quoted={_PROTOTYPE: 1.5e-3},
    ),
    "mae_stokes": Metric(
        "mean absolute error over the Stokes velocity",
        "1",
        "mean of |v_z - v_z_ref| at cell centres from face means, velocity_z alone, over the "
        "Stokes velocity 2/9 drho g R**2 / eta of the first crystal",
        "low",
        PERCENT,
    ),
    "mse_rms": Metric(
        "mean squared error over the rms speed",
        "1",
        "mean of |v - v_ref|**2 over the mean of |v_ref|**2, lengths of the velocity vector at "
        "cell centres from face means",
        "low",
    ),
    "mae_rms": Metric(
        "mean absolute error over the rms speed",
        "1",
        "mean of |v - v_ref| over the root of the mean of |v_ref|**2, lengths of the velocity "
        "vector at cell centres from face means",
        "low",
        PERCENT,
    ),
    "relative_l2_speed": Metric(
        "relative L2 error of the speed",
        "1",
        "|| |v| - |v_ref| || / || |v_ref| || with the speed at cell centres from face means",
        "low",
        PERCENT,
    ),
    "relative_l2_stream_function": Metric(
        "relative L2 error of the stream function",
        "1",
        "||psi - psi_ref|| / ||psi_ref|| on corners; psi is integrated from the velocity where the "
        "dataset has none",
        "low",
        PERCENT,
    ),
    "maximum_error": Metric(
        "largest error of the velocity",
        "1",
        "max |v - v_ref| / max |v_ref| at cell centres from face means",
        "low",
        PERCENT,
    ),
}

FIGURES = (
    ScoreFigure(
        "relative_l2_by_count",
        "crystalsim.plotting:plot_scores_by_count",
        "relative_l2",
        "Error of the velocity by number of crystals; bands: 95 % confidence of the mean.",
        order=20,
    ),
)


class FieldsEvaluator(Configured[NoOptions]):
    """Errors of velocity, speed and stream function for each sample.

    Samples in which nothing moves, and units of a Stokes velocity where there is no crystal, give
    NaN.
    """

    metrics = METRICS
    figures = FIGURES

    def evaluate(self, reference: xr.Dataset, prediction: xr.Dataset) -> xr.Dataset:
        """Score each sample; see `crystalsim.contracts.Evaluator`."""
        grid = check_comparable(reference, prediction)
        values: dict[str, list[float]] = {name: [] for name in METRICS}
        for i, case in enumerate(iterate_cases(reference)):
            true, guess = (_Flow(d, i, grid) for d in (reference, prediction))
            for name, value in _compare(true, guess, case.stokes_velocity).items():
                values[name].append(value)
        arrays = {name: np.array(each) for name, each in values.items()}
        return make_scores(reference, arrays, METRICS, figures=FIGURES)


class _Flow:
    """One sample's flow in the forms that the scores need.

    Attributes
    ----------
    faces
        `velocity_x` (z, x_face) and `velocity_z` (z_face, x).
    centre
        Both components at cell centres (component, z, x).
    speed
        At cell centres (z, x).
    psi
        Stream function on corners (z_face, x_face).
    """

    def __init__(self, dataset: xr.Dataset, index: int, grid: Grid) -> None:
        # Squares of slow velocities, below about 1e-19 m/s, leave the range of single precision.
        velocity_x, velocity_z = (
            dataset.variables[name][index].values.astype(np.float64)
            for name in ("velocity_x", "velocity_z")
        )
        self.faces = (velocity_x, velocity_z)
        self.centre = np.stack(at_centres(velocity_x, velocity_z))
        self.speed = np.hypot(*self.centre)
        if "stream_function" in dataset:
            self.psi = dataset.variables["stream_function"][index].values.astype(np.float64)
        else:
            self.psi = stream_function_from_velocity(velocity_x, velocity_z, grid.hx, grid.hz)


def _compare(true: _Flow, guess: _Flow, stokes: float) -> dict[str, float]:
    """All scores of one sample, as defined in `METRICS`."""
    weights = _face_weights(true.faces)
    misfit = sum(
        (w * (b - a) ** 2).sum() for w, a, b in zip(weights, true.faces, guess.faces, strict=True)
    )
    energy = sum((w * a**2).sum() for w, a in zip(weights, true.faces, strict=True))
    spread = sum(
        (w * (a - np.average(a, weights=w)) ** 2).sum()
        for w, a in zip(weights, true.faces, strict=True)
    )
    error = guess.centre - true.centre
    length = np.hypot(*error)
    rms = np.sqrt((true.speed**2).mean())
    return {
        "relative_l2": _ratio(np.sqrt(misfit), np.sqrt(energy)),
        "relative_l2_speed": _ratio(_norm(guess.speed - true.speed), _norm(true.speed)),
        "relative_l2_stream_function": _ratio(_norm(guess.psi - true.psi), _norm(true.psi)),
        "maximum_error": _ratio(length.max(), true.speed.max()),
        "mse_stokes": _ratio((error[1] ** 2).mean(), stokes**2),
        "mae_stokes": _ratio(np.abs(error[1]).mean(), stokes),
        "mse_rms": _ratio((length**2).mean(), rms**2),
        "mae_rms": _ratio(length.mean(), rms),
        "r2": 1.0 - _ratio(misfit, spread),
    }


def _face_weights(faces: tuple[Array, Array]) -> tuple[Array, Array]:
    """Areas of the faces' control volumes over a cell's: one, and half at walls."""
    weight_x, weight_z = np.ones_like(faces[0]), np.ones_like(faces[1])
    weight_x[:, [0, -1]] = 0.5
    weight_z[[0, -1], :] = 0.5
    return weight_x, weight_z


def _norm(values: Array) -> float:
    return float(np.sqrt((values**2).sum()))


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator > 0 else float("nan")
