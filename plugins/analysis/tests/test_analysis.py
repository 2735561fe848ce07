"""Every evaluator gives what a case with a known answer demands."""

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim import Grid, make_cases
from crystalsim.errors import UnsupportedError
from crystalsim.testing import EvaluatorContract

GRID = Grid(40, 32, -1000, 1000, -800, 800)
HEAVY = {"x": -300.0, "z": 100.0, "radius": 200.0, "density": 3000.0, "viscosity": 1e24}
TWIN = {**HEAVY, "x": 300.0}
LIGHT = {"x": 500.0, "z": -400.0, "radius": 120.0, "density": 2500.0, "viscosity": 1e22}


class TestPhysics(EvaluatorContract):
    name = "physics"
    perfect = {"far_field_error": 0, "divergence": 0, "wall_leak": 0}
    sometimes = frozenset({"mirror_asymmetry", "constitutive_misfit", "wall_force_error"})

    def fast(self):
        """Shifted by a cell, so that the flow leaks through a wall."""
        faster = super().fast()
        return faster.assign(velocity_x=faster["velocity_x"].roll(x_face=1))


class TestSpectrum(EvaluatorContract):
    name = "spectrum"
    perfect = {"spectral_error": 0, "spectral_error_relative": 0}


class TestStrata(EvaluatorContract):
    name = "strata"
    perfect = {"local_error": 0}


class TestInteraction(EvaluatorContract):
    name = "interaction"
    perfect = {"interaction_error": 0}


class TestCost(EvaluatorContract):
    name = "cost"
    perfect = {"prediction_error": 0}
    sometimes = frozenset(
        {"prediction_time", "solver_time_same_error", "speedup_same_error", "excess_error"}
    )
    measured = frozenset({"solver_time", "early_stopped_time"})


def solved(*crystals, tolerance=1e-8):
    return crystalsim.get("solver", "builtin", tolerance=tolerance).solve(
        make_cases([list(sample) for sample in crystals], GRID)
    )


def scaled(solutions, factor):
    names = ("velocity_x", "velocity_z")
    made = {n: solutions[n].copy(data=factor * solutions[n].values) for n in names}
    return solutions.assign(made).drop_vars(("extra_stress_xx", "extra_stress_xz"), errors="ignore")


def evaluate(evaluator, reference, prediction=None, **options):
    made = crystalsim.get("evaluator", evaluator, **options)
    return made.evaluate(reference, reference if prediction is None else prediction)


def test_an_exact_solution_obeys_all_laws():
    reference = solved([HEAVY, TWIN, LIGHT])
    scores = evaluate("physics", reference)
    for name in ("divergence", "wall_leak", "momentum_residual", "wall_force_error"):
        assert scores[name].item() < 1e-5, name
    assert scores["dissipation_error"].item() < 1e-5
    # Crystals 1e4 and 100 times as viscous as the magma hardly deform.
    assert scores["rigidity"].values.max() < 0.02
    np.testing.assert_array_equal(scores["rigidity"], scores["rigidity_reference"])
    assert scores["far_field_decay"].item() < -0.3


def test_a_flow_that_is_too_fast_breaks_the_balance_of_energy():
    reference = solved([HEAVY])
    scores = evaluate("physics", reference, scaled(reference, 1.1))
    # Dissipation grows with the square of the velocity, work with the velocity itself.
    assert scores["dissipation_error"].item() == pytest.approx(0.1, rel=1e-3)
    assert scores["far_field_error"].item() == pytest.approx(0.1, rel=1e-9)
    assert scores["momentum_residual"].item() > 0.05


def test_a_crystal_that_is_no_stiffer_deforms():
    soft = solved([{**HEAVY, "viscosity": 1e20}])
    assert evaluate("physics", soft)["rigidity"].item() > 0.05


def test_the_constitutive_law_is_judged_where_the_stress_is_known():
    cases = make_cases([[HEAVY]], GRID)
    good = crystalsim.get("solver", "builtin", tolerance=1e-10, extra_stress=True).solve(cases)
    assert evaluate("physics", good)["constitutive_misfit"].item() < 1e-4
    bad = good.assign(extra_stress_xx=1.1 * good["extra_stress_xx"])
    assert evaluate("physics", good, bad)["constitutive_misfit"].item() > 0.01


def test_symmetry_is_judged_where_the_crystals_are_symmetric():
    reference = solved([HEAVY, TWIN], [HEAVY, LIGHT])
    scores = evaluate("physics", reference)
    assert scores["mirror_asymmetry"].values[0] < 1e-6
    assert np.isnan(scores["mirror_asymmetry"].values[1])
    shifted = reference.assign(velocity_z=reference["velocity_z"].roll(x=2))
    assert evaluate("physics", reference, shifted)["mirror_asymmetry"].values[0] > 0.1


def test_no_slip_walls_are_refused_by_name():
    cases = make_cases([[HEAVY]], GRID)
    reference = crystalsim.get("solver", "builtin", walls="no_slip").solve(cases)
    for name in ("physics", "interaction"):
        with pytest.raises(UnsupportedError, match=f"evaluator '{name}'.*no_slip"):
            evaluate(name, reference)


def test_errors_by_wave_number_add_up_to_the_whole():
    reference = solved([HEAVY, LIGHT], [TWIN])
    rng = np.random.default_rng(1)
    prediction = scaled(reference, 1.0)
    for name in ("velocity_x", "velocity_z"):
        noise = 0.1 * np.abs(reference[name].values).max() * rng.normal(size=reference[name].shape)
        noise[..., [0, -1]] *= name == "velocity_z"
        noise[..., [0, -1], :] *= name == "velocity_x"
        prediction[name] = reference[name] + noise
    whole = evaluate("fields", reference, prediction)["relative_l2"].values
    bands = evaluate("spectrum", reference, prediction)["spectral_error"].values
    np.testing.assert_allclose(np.sqrt((bands**2).sum(axis=1)), whole, rtol=1e-9)


def test_a_single_mode_is_in_its_octave():
    reference = solved([HEAVY])
    along = np.sin(3 * np.pi * (GRID.x_face - GRID.x_min) / GRID.width)
    up = np.cos(2 * np.pi * (GRID.z - GRID.z_min) / GRID.height)
    wave = xr.zeros_like(reference["velocity_x"]) + 1e-9 * up[:, None] * along
    prediction = reference.assign(velocity_x=reference["velocity_x"] + wave)
    scores = evaluate("spectrum", reference, prediction)
    error = scores["spectral_error"].isel(sample=0)
    wave_number = np.hypot(1.5 / GRID.width, 1.0 / GRID.height)
    octave = int(np.abs(np.log2(scores["wave_number"].values / wave_number)).argmin())
    assert error.values[octave] == pytest.approx(np.sqrt((error.values**2).sum()), rel=1e-9)


def test_strata_are_the_geometry():
    reference = solved([HEAVY, TWIN, LIGHT], [LIGHT])
    scores = evaluate("strata", reference, scaled(reference, 0.9))
    np.testing.assert_allclose(scores["local_error"].values[0], 0.1, rtol=1e-9)
    gap = np.hypot(200.0, 500.0) - 320.0
    np.testing.assert_allclose(scores["stratum_gap"].values[0], [200.0, 200.0, gap])
    assert np.isnan(scores["stratum_gap"].values[1]).all()
    np.testing.assert_allclose(scores["stratum_wall_distance"].values[0], [500.0, 500.0, 280.0])
    np.testing.assert_allclose(scores["stratum_viscosity_contrast"].values[0], [1e4, 1e4, 100.0])
    np.testing.assert_allclose(scores["stratum_density_contrast"].values[0], [300, 300, -200])


def test_crystals_far_apart_hardly_interact():
    near, far = ({**HEAVY, "radius": 40.0, "x": x} for x in (-50.0, -900.0))
    other = {**near, "x": 50.0}
    distant = {**near, "x": 900.0, "z": -700.0}
    scores = evaluate("interaction", solved([near, other], [far, distant]))
    assert scores["interaction_reference"].values[0].min() > 0.4
    assert scores["interaction_reference"].values[1].max() < 0.15
    # Twins disturb each other alike.
    assert scores["interaction_asymmetry_reference"].values[0] < 1e-3


def test_a_prediction_without_neighbours_misses_the_whole_interaction():
    reference = solved([HEAVY, TWIN])
    alone = [solved([crystal]) for crystal in (HEAVY, TWIN)]
    # Left half as if the left crystal were alone, right half as if the right one were.
    made = {}
    for name, middle in (("velocity_x", GRID.nx // 2 + 1), ("velocity_z", GRID.nx // 2)):
        halves = [a[name].values for a in alone]
        values = np.concatenate([halves[0][..., :middle], halves[1][..., middle:]], axis=-1)
        made[name] = reference[name].copy(data=values)
    scores = evaluate("interaction", reference, reference.assign(made))
    # The evaluator solves for each crystal alone at the solver's default tolerance.
    np.testing.assert_allclose(scores["interaction_error"].values, 1.0, rtol=5e-3)
    np.testing.assert_allclose(scores["interaction_prediction"].values, 0.0, atol=5e-3)


def test_the_cost_of_a_stopped_solver_is_its_own():
    reference = solved([HEAVY, LIGHT], [TWIN], [LIGHT])
    prediction = crystalsim.get("model", "early_stopped", iterations=3).predict(reference)
    scores = evaluate("cost", reference, prediction, samples=2)
    same = scores["early_stopped_error"].sel(iterations=3).values
    np.testing.assert_allclose(scores["prediction_error"].values[:2], same[:2], rtol=1e-6)
    assert np.isnan(scores["prediction_error"].values[2])
    assert (np.diff(scores["early_stopped_error"].values[:2]) < 1e-9).all()
    assert (scores["solver_time_same_error"].values[:2] > 0).all()
