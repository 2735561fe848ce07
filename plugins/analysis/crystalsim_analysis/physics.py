"""Whether a flow obeys the equations, whatever the reference says."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crystalsim import Configured, Grid
from crystalsim.datasets.scenes import scenes
from crystalsim.datasets.solutions import require_free_slip
from crystalsim.evaluation.scores import check_comparable, make_scores, ratio
from crystalsim.metrics import PERCENT, Metric
from crystalsim.options import NoOptions
from crystalsim.scene.case import Case
from crystalsim.scene.painting import Scene
from crystalsim.scene.shapes import case_discs
from crystalsim.stokes import operators
from crystalsim.stokes.diagnostics import wall_forces
from crystalsim.stokes.isoviscous import isoviscous_operator

from .flows import Velocity, at_centres, velocity

Array = NDArray[np.float64]

_FAR = 3.0
"""Radii from every centre beyond which the flow is called far."""

_RIGID = (
    "root mean square of v - (V + w x r) over that of v in the faces wholly inside the crystal, "
    "with the rigid motion V, w that fits best, in the {}; missing for fewer than four such faces"
)
_DECAY = (
    "slope of log |v| against log (distance to the nearest centre over that crystal's radius) over "
    "cells from two radii outwards, by least squares, in the {}"
)

METRICS = {
    "divergence": Metric(
        "divergence of the prediction",
        "1",
        "max |div v| h / max |v|, div v in each cell from its faces, h the shorter cell size",
        "low",
    ),
    "wall_leak": Metric(
        "flow through the walls", "1", "max |v_n| on the walls / max |v| in the prediction", "low"
    ),
    "momentum_residual": Metric(
        "residual of the momentum equation",
        "1",
        "||curl K0**-1 (S' eta S psi - f)|| / ||v|| of the prediction: the velocity by which one "
        "isoviscous solve would correct it, with the stress S' t of the extra stress where the "
        "dataset has it. Inside stiff crystals viscosity amplifies every error of a velocity",
        "low",
    ),
    "constitutive_misfit": Metric(
        "misfit of the extra stress",
        "1",
        "||S psi - t / (eta - eta_0)|| / ||S psi|| over cells and corners whose viscosity is not "
        "that of the magma; missing without an extra stress or where nothing is sheared",
        "low",
    ),
    "dissipation_error": Metric(
        "dissipation less work over work",
        "1",
        "|sum stress : strain rate - work| / |work| with the work -g sum drho v_z of gravity, in "
        "the prediction; the stress as in momentum_residual",
        "low",
    ),
    "wall_force_error": Metric(
        "error of the weight that the walls carry",
        "1",
        "|force of top wall - force of bottom wall + weight of the crystals in the magma| over "
        "that weight, in the prediction; missing without a pressure",
        "low",
    ),
    "rigidity": Metric(
        "deformation of the crystal",
        "1",
        _RIGID.format("prediction"),
        "low",
        PERCENT,
        beside="rigidity_reference",
    ),
    "rigidity_reference": Metric(
        "deformation of the crystal in the reference",
        "1",
        _RIGID.format("reference"),
        "none",
        PERCENT,
    ),
    "far_field_error": Metric(
        "relative L2 error far from crystals",
        "1",
        "||v - v_ref|| / ||v_ref|| over cells farther than three radii from every centre",
        "low",
        PERCENT,
    ),
    "far_field_decay": Metric(
        "decay of the far field",
        "1",
        _DECAY.format("prediction"),
        "none",
        beside="far_field_decay_reference",
    ),
    "far_field_decay_reference": Metric(
        "decay of the far field in the reference", "1", _DECAY.format("reference"), "none"
    ),
    "mirror_asymmetry": Metric(
        "asymmetry of a flow that should be symmetric",
        "1",
        "||v - v_mirrored|| / ||v|| of the prediction, mirrored in x; missing for samples that are "
        "not their own mirror image",
        "low",
    ),
}


class PhysicsEvaluator(Configured[NoOptions]):
    """Laws that a flow of crystals keeps: mass, momentum, energy, balance of forces, rigidity."""

    metrics = METRICS

    def evaluate(self, reference: xr.Dataset, prediction: xr.Dataset) -> xr.Dataset:
        """Score each sample; see `crystalsim.contracts.Evaluator`.

        Raises
        ------
        UnsupportedError
            If walls are not free-slip.
        """
        grid = check_comparable(reference, prediction)
        require_free_slip(reference, "evaluator 'physics'")
        shape = reference.sizes["sample"], reference.sizes["crystal"]
        values = {n: np.full(shape[0], np.nan) for n in METRICS}
        for name in ("rigidity", "rigidity_reference"):
            values[name] = np.full(shape, np.nan)
        forces = wall_forces(prediction).values if "pressure" in prediction else None
        for i, (case, scene) in enumerate(scenes(reference, grid)):
            true, guess = (velocity(dataset, i) for dataset in (reference, prediction))
            # A rigid crystal has no stress that follows from its strain rate: not a number.
            with np.errstate(invalid="ignore"):
                scores = _momentum(prediction, i, guess, case, scene, grid)
            scores |= _kinematics(guess, grid)
            scores |= _far_field(true, guess, case, grid)
            weight = case.gravity * scene.density_face[1:-1].sum() * grid.hx * grid.hz
            if forces is not None and weight:
                carried = forces[i, 3] - forces[i, 2]
                scores["wall_force_error"] = abs(carried + weight) / abs(weight)
            if _own_mirror_image(case, grid):
                scores["mirror_asymmetry"] = _asymmetry(guess)
            for name, value in scores.items():
                values[name][i] = value
            values["rigidity"][i, : case.x.size] = _deformation(guess, case, grid)
            values["rigidity_reference"][i, : case.x.size] = _deformation(true, case, grid)
        return make_scores(reference, values, METRICS)


def _kinematics(flow: Velocity, grid: Grid) -> dict[str, float]:
    vx, vz = flow
    speed = max(np.abs(vx).max(), np.abs(vz).max())
    leak = max(np.abs(vx[:, [0, -1]]).max(), np.abs(vz[[0, -1]]).max())
    divergence = np.abs(operators.divergence(vx, vz, grid.hx, grid.hz)).max() * min(
        grid.hx, grid.hz
    )
    return {"divergence": _float(divergence, speed), "wall_leak": _float(leak, speed)}


def _momentum(
    prediction: xr.Dataset,
    index: int,
    flow: Velocity,
    case: Case,
    scene: Scene,
    grid: Grid,
) -> dict[str, float]:
    """Residuals of momentum, constitution and energy."""
    eta = case.matrix_viscosity
    psi = operators.stream_function_from_velocity(*flow, grid.hx, grid.hz)
    normal, shear = operators.strain_rate(psi, grid.hx, grid.hz)
    excess = scene.viscosity_cell - eta, scene.viscosity_corner[1:-1, 1:-1] - eta
    scores = {}
    extra = excess[0] * normal, excess[1] * shear
    if "extra_stress_xx" in prediction:
        extra = (
            prediction["extra_stress_xx"].values[index].astype(float),
            prediction["extra_stress_xz"].values[index].astype(float)[1:-1, 1:-1],
        )
        scores["constitutive_misfit"] = _misfit((normal, shear), extra, excess)
    stress = eta * normal + extra[0], eta * shear + extra[1]
    curl = operators.strain_rate_adjoint(*stress, grid.hx, grid.hz)
    curl += case.gravity * operators.buoyancy_curl(scene.density_face, grid.hx)
    correction = operators.pad_walls(isoviscous_operator(grid).solve(curl / eta))
    change = operators.velocity(correction, grid.hx, grid.hz)
    scores["momentum_residual"] = _float(_norm(change), _norm(flow))
    dissipation = (stress[0] * normal).sum() + (stress[1] * shear).sum()
    work = -case.gravity * (scene.density_face * flow[1]).sum()
    scores["dissipation_error"] = _float(abs(dissipation - work), abs(work))
    return scores


def _misfit(
    rates: tuple[Array, Array], extra: tuple[Array, Array], excess: tuple[Array, Array]
) -> float:
    """Relative misfit of the constitutive law where the viscosity is not that of the magma."""
    above = below = 0.0
    for rate, stress, difference in zip(rates, extra, excess, strict=True):
        here = difference != 0
        above += float(((rate[here] - stress[here] / difference[here]) ** 2).sum())
        below += float((rate[here] ** 2).sum())
    return _float(np.sqrt(above), np.sqrt(below))


def _deformation(flow: Velocity, case: Case, grid: Grid) -> Array:
    """What is left of the velocity inside each crystal when a rigid motion is taken away."""
    deformation = np.full(case.x.size, np.nan)
    for k, disc in enumerate(case_discs(case, grid)):
        inside_x, inside_z = disc.x_face > 1 - 1e-9, disc.z_face > 1 - 1e-9
        count = inside_x.sum(), inside_z.sum()
        if sum(count) < 4:
            continue
        x = (grid.x[disc.z_faces[1]] - case.x[k]) * np.ones_like(disc.z_face)
        z = (grid.z[disc.x_faces[0]] - case.z[k])[:, None] * np.ones_like(disc.x_face)
        size = case.radius[k]
        moves = np.zeros((sum(count), 3))
        moves[: count[0], 0], moves[count[0] :, 1] = 1.0, 1.0
        moves[: count[0], 2], moves[count[0] :, 2] = -z[inside_x] / size, x[inside_z] / size
        values = np.concatenate([flow[0][disc.x_faces][inside_x], flow[1][disc.z_faces][inside_z]])
        rigid = moves @ np.linalg.lstsq(moves, values, rcond=None)[0]
        deformation[k] = _float(np.linalg.norm(values - rigid), np.linalg.norm(values))
    return deformation


def _far_field(true: Velocity, guess: Velocity, case: Case, grid: Grid) -> dict[str, float]:
    """Error far from all crystals, and how the speed decays outwards."""
    if not case.x.size:
        return {}
    distance = (
        np.hypot(grid.x - case.x[:, None, None], grid.z[:, None] - case.z[:, None, None])
        / case.radius[:, None, None]
    )
    nearest = distance.min(axis=0)
    old, new = at_centres(true), at_centres(guess)
    far = nearest > _FAR
    scores = {"far_field_error": _float(_norm((new - old)[:, far]), _norm(old[:, far]))}
    outside = nearest >= 2.0
    for name, flow in (("far_field_decay", new), ("far_field_decay_reference", old)):
        speed = np.hypot(*flow)[outside]
        if speed.size > 8 and speed.min() > 0:
            scores[name] = float(np.polyfit(np.log(nearest[outside]), np.log(speed), 1)[0])
    return scores


def _own_mirror_image(case: Case, grid: Grid) -> bool:
    """Whether the crystals are mirrored onto each other about the middle of the domain."""
    if not case.x.size:
        return False
    kinds = [case.z, case.radius, case.density, case.viscosity]
    here = np.stack([case.x, *kinds], axis=1)
    there = np.stack([grid.x_min + grid.x_max - case.x, *kinds], axis=1)
    close = np.isclose(here[:, None], there, rtol=1e-9, atol=1e-9 * grid.width)
    return bool(np.all(np.any(np.all(close, axis=-1), axis=1)))


def _asymmetry(flow: Velocity) -> float:
    vx, vz = flow
    return _float(_norm((vx + vx[:, ::-1], vz - vz[:, ::-1])), _norm(flow))


def _norm(parts: tuple[Array, ...] | Array) -> float:
    return float(np.sqrt(sum((part**2).sum() for part in parts)))


def _float(above: Any, below: Any) -> float:
    return float(ratio(above, below))
