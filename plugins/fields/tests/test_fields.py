"""The evaluator of fields gives the numbers that its definitions promise."""

import warnings

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim import Grid, make_cases, make_solutions
from crystalsim.errors import SchemaError
from crystalsim.stokes.operators import velocity
from crystalsim.testing import EvaluatorContract

GRID = Grid(24, 16, -1000, 1000, -500, 1000)
DISC = {"x": 100.0, "z": 200.0, "radius": 90.0, "density": 2900.0, "viscosity": 1e24}


class TestContract(EvaluatorContract):
    name = "fields"
    perfect = {
        "relative_l2": 0,
        "relative_l2_speed": 0,
        "relative_l2_stream_function": 0,
        "maximum_error": 0,
        "mse_stokes": 0,
        "mae_stokes": 0,
        "mse_rms": 0,
        "mae_rms": 0,
        "r2": 1,
    }


def flow(amplitude=1.0, *, samples=1, stream_function=True):
    """One vortex: psi = amplitude sin sin, zero on the walls."""
    across = np.sin(np.pi * (GRID.x_face - GRID.x_min) / GRID.width)
    up = np.sin(np.pi * (GRID.z_face - GRID.z_min) / GRID.height)
    psi = np.stack([amplitude * 1e-11 * up[:, None] * across] * samples)
    vx, vz = velocity(psi, GRID.hx, GRID.hz)
    fields = {"velocity_x": vx, "velocity_z": vz}
    if stream_function:
        fields["stream_function"] = psi
    return make_solutions(make_cases([[DISC]] * samples, GRID), fields)


def scores(reference, prediction):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return crystalsim.get("evaluator", "fields").evaluate(reference, prediction)


def test_truth_has_no_error():
    found = scores(flow(), flow())
    assert float(found["r2"][0]) == 1.0
    for name in set(found.data_vars) - {"r2"}:
        assert float(found[name][0]) == 0.0, name


def test_ten_per_cent_too_fast():
    found = scores(flow(), flow(1.1)).isel(sample=0)
    for name in (
        "relative_l2",
        "relative_l2_speed",
        "relative_l2_stream_function",
        "maximum_error",
    ):
        assert float(found[name]) == pytest.approx(0.1), name
    assert float(found["mse_rms"]) == pytest.approx(0.01)
    # No flow through the walls: each component's mean is zero, and R2 is 1 - relative_l2**2.
    assert float(found["r2"]) == pytest.approx(0.99)


def test_errors_in_units_of_the_stokes_velocity_are_those_of_the_vertical_velocity():
    truth = flow()
    stokes = 2 / 9 * 200 * 9.81 * 90.0**2 / 1e20
    offset = truth.assign(
        velocity_x=truth["velocity_x"] + 7 * stokes, velocity_z=truth["velocity_z"] - 0.5 * stokes
    )
    found = scores(truth, offset).isel(sample=0)
    assert float(found["mse_stokes"]) == pytest.approx(0.25)
    assert float(found["mae_stokes"]) == pytest.approx(0.5)


def test_lengths_of_the_error_vector_over_the_rms_speed():
    still = flow(0.0)
    uniform = still.assign(velocity_x=still["velocity_x"] + 2.0, velocity_z=still["velocity_z"])
    wrong = still.assign(
        velocity_x=still["velocity_x"] + 2.0 + 0.3, velocity_z=still["velocity_z"] + 0.4
    )
    found = scores(uniform, wrong).isel(sample=0)
    assert float(found["mae_rms"]) == pytest.approx(0.5 / 2.0)
    assert float(found["maximum_error"]) == pytest.approx(0.5 / 2.0)
    assert float(found["relative_l2_speed"]) == pytest.approx((np.hypot(2.3, 0.4) - 2) / 2)


def test_faces_at_walls_count_half():
    reference = flow()
    for wall, inside in ((0, 5), (-1, 7)):
        errors = []
        for column in (wall, inside):
            wrong = reference.copy(deep=True)
            wrong["velocity_x"][0, 3, column] += 1e-14
            errors.append(float(scores(reference, wrong)["relative_l2"][0]))
        assert errors[0] == pytest.approx(errors[1] / np.sqrt(2))


def test_a_missing_stream_function_is_integrated():
    found = scores(flow(), flow(0.8, stream_function=False))
    assert float(found["relative_l2_stream_function"][0]) == pytest.approx(0.2)


def mirrored(solutions):
    """Mirror image in x of a solution on a symmetric grid."""
    return solutions.assign(
        crystal_x=-solutions["crystal_x"],
        velocity_x=solutions["velocity_x"].copy(data=-solutions["velocity_x"].values[..., ::-1]),
        velocity_z=solutions["velocity_z"].copy(data=solutions["velocity_z"].values[..., ::-1]),
        stream_function=solutions["stream_function"].copy(
            data=-solutions["stream_function"].values[..., ::-1]
        ),
    )


def test_scores_do_not_change_in_a_mirror():
    generator = np.random.default_rng(1)
    reference = flow()
    psi = reference["stream_function"].values * generator.uniform(0.5, 1.5, (1, 17, 25))
    vx, vz = velocity(psi, GRID.hx, GRID.hz)
    guess = make_solutions(reference, {"velocity_x": vx, "velocity_z": vz, "stream_function": psi})
    straight, turned = scores(reference, guess), scores(mirrored(reference), mirrored(guess))
    xr.testing.assert_allclose(straight, turned)
    assert 0.1 < float(straight["relative_l2"][0]) < 10


def test_a_shifted_wave():
    """Two waves of equal energy, a quarter of a wave length apart, are orthogonal."""
    still = flow(0.0)
    phase = 2 * np.pi * 2 * (GRID.x - GRID.x_min) / GRID.width
    waves = [
        still.assign(velocity_z=still["velocity_z"] + wave(phase)) for wave in (np.sin, np.cos)
    ]
    found = scores(*waves).isel(sample=0)
    assert float(found["relative_l2"]) == pytest.approx(np.sqrt(2))
    assert float(found["r2"]) == pytest.approx(-1.0)


def test_single_precision_does_not_underflow():
    slow, fast = (
        flow(amplitude).map(lambda array: array.astype(np.float32))
        for amplitude in (1e-8, 1.1e-8)  # velocities near 1e-22 m/s: squares near 1e-44
    )
    found = scores(slow, fast).isel(sample=0)
    assert float(found["relative_l2"]) == pytest.approx(0.1, rel=1e-4)
    assert float(found["r2"]) == pytest.approx(0.99, rel=1e-4)


def test_nothing_moves_and_no_crystals_give_nan_in_silence():
    still = scores(flow(0.0), flow(0.0)).isel(sample=0)
    assert np.isnan(still["relative_l2"])
    assert np.isnan(still["r2"])
    assert np.isnan(still["mse_rms"])
    assert float(still["mse_stokes"]) == 0.0
    empty = make_cases([[]], GRID)
    moving = flow()
    fields = {n: moving[n].values for n in ("velocity_x", "velocity_z")}
    found = scores(make_solutions(empty, fields), make_solutions(empty, fields)).isel(sample=0)
    assert np.isnan(found["mse_stokes"])
    assert np.isnan(found["mae_stokes"])
    assert float(found["relative_l2"]) == 0.0


def test_scores_say_what_they_are():
    found = scores(flow(samples=3), flow(samples=3))
    assert found["crystal_count"].dims == ("sample",)
    assert "crystal_count" in found.coords
    assert list(found["sample"].values) == [0, 1, 2]
    for name, array in found.data_vars.items():
        assert array.dims == ("sample",)
        assert len(array.attrs["description"]) > 30, name
        assert array.attrs["units"] == "1"


def test_other_samples_are_refused():
    with pytest.raises(SchemaError, match="1 samples, the prediction 2"):
        scores(flow(), flow(samples=2))
