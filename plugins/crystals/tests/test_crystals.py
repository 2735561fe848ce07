"""The evaluator of crystals, and the velocities that it compares."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim import Grid, make_cases, make_solutions
from crystalsim.stokes.crystal_motion import crystal_motion
from crystalsim.testing import EvaluatorContract

REFERENCE = Path(__file__).parents[3] / "tests" / "data" / "reference"
GRID = Grid(40, 40)


class TestContract(EvaluatorContract):
    name = "crystals"
    perfect = {"crystal_velocity_error": 0, "crystal_velocity_error_scaled": 0}


def disc(x=0.0, z=0.0, radius=100.0, density=2900.0):
    return {"x": x, "z": z, "radius": radius, "density": density, "viscosity": 1e24}


def solution(crystals, velocity_x=None, velocity_z=None):
    """One sample with the given fields, at rest where there are none."""
    fields = {
        "velocity_x": np.zeros((1, GRID.nz, GRID.nx + 1)),
        "velocity_z": np.zeros((1, GRID.nz + 1, GRID.nx)),
    }
    for name, values in (("velocity_x", velocity_x), ("velocity_z", velocity_z)):
        if values is not None:
            fields[name][0] = values
    return make_solutions(make_cases([crystals], GRID), fields)


def wells(*places, depth=1e-13, width=120.0):
    """Vertical velocity with a minimum at each (x, z, share of the depth)."""
    field = np.zeros((GRID.nz + 1, GRID.nx))
    for x, z, share in places:
        distance = np.hypot(GRID.x - x, GRID.z_face[:, None] - z)
        field -= share * depth * np.exp(-((distance / width) ** 2))
    return field


def scores(reference, prediction, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return crystalsim.get("evaluator", "crystals", **options).evaluate(reference, prediction)


def cell(column, row):
    return float(GRID.x[column]), float(GRID.z[row])


def test_rigid_motion_is_found_exactly_where_the_grid_is_symmetric():
    x, z = 100.0, -50.0  # a corner of the grid
    velocity_x = np.broadcast_to(3.0 - 0.02 * (GRID.z[:, None] - z), (GRID.nz, GRID.nx + 1))
    velocity_z = np.broadcast_to(-4.0 + 0.02 * (GRID.x - x), (GRID.nz + 1, GRID.nx))
    motion = crystal_motion(solution([disc(x, z)], velocity_x, velocity_z)).isel(sample=0)
    assert float(motion["crystal_velocity_x"][0]) == pytest.approx(3.0, abs=1e-12)
    assert float(motion["crystal_velocity_z"][0]) == pytest.approx(-4.0, abs=1e-12)
    assert float(motion["crystal_angular_velocity"][0]) == pytest.approx(0.02, rel=1e-12)


def test_a_crystal_that_only_translates_does_not_spin():
    """Wherever it lies on the grid, whose control volumes are not symmetric about it."""
    sinking = np.full((GRID.nz + 1, GRID.nx), -4.0)
    drifting = np.full((GRID.nz, GRID.nx + 1), 3.0)
    motion = crystal_motion(solution([disc(113.0, -61.0, 37.0)], drifting, sinking))
    assert float(motion["crystal_velocity_z"][0, 0]) == pytest.approx(-4.0)
    assert float(motion["crystal_angular_velocity"][0, 0]) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("name", ["a", "a2", "b", "b2", "b3", "c"])
def test_face_averages_of_finite_elements_give_the_crystals_velocities(name):
    """To first order in the cell size: cut faces move partly with the magma."""
    reference = xr.load_dataset(REFERENCE / f"{name}.nc")
    crystals = [
        disc(*(float(reference[f"crystal_{n}"][i]) for n in ("x", "z", "radius")))
        for i in range(reference.sizes["crystal"])
    ]
    cases = make_cases([crystals], Grid(64, 64))
    fields = {n: reference[n].values[None] for n in ("velocity_x", "velocity_z")}
    motion = crystal_motion(make_solutions(cases, fields)).isel(sample=0)
    speed = np.hypot(reference["crystal_velocity_x"], reference["crystal_velocity_z"]).values
    error = np.hypot(
        motion["crystal_velocity_x"] - reference["crystal_velocity_x"],
        motion["crystal_velocity_z"] - reference["crystal_velocity_z"],
    )
    assert float(error.max()) < 0.014 * speed.max()
    spin = motion["crystal_angular_velocity"] - reference["crystal_angular_velocity"]
    rim = np.abs(spin * reference["crystal_radius"])
    assert float(rim.max()) < 0.014 * speed.max()


def test_motion_is_padded_and_knows_the_count():
    crystals = [[disc()], [disc(-300), disc(300)], []]
    cases = make_cases(crystals, GRID)
    fields = {
        "velocity_x": np.ones((3, GRID.nz, GRID.nx + 1)),
        "velocity_z": np.ones((3, GRID.nz + 1, GRID.nx)),
    }
    motion = crystal_motion(make_solutions(cases, fields))
    assert np.isfinite(motion["crystal_velocity_z"].values).sum(axis=1).tolist() == [1, 2, 0]
    assert motion["crystal_count"].values.tolist() == [1, 2, 0]
    assert "crystal_count" in motion.coords


def test_velocity_errors():
    crystals = [disc(-400, 0), disc(400, 0)]
    slow = np.where(GRID.x < 0, -1.0, -4.0)  # the second crystal is four times as fast
    reference = solution(crystals, None, np.broadcast_to(slow, (GRID.nz + 1, GRID.nx)))
    wrong = np.where(GRID.x < 0, -1.5, -4.0)
    prediction = solution(crystals, None, np.broadcast_to(wrong, (GRID.nz + 1, GRID.nx)))
    found = scores(reference, prediction).isel(sample=0)
    np.testing.assert_allclose(found["crystal_velocity_error"], [0.5, 0.0], atol=1e-12)
    np.testing.assert_allclose(found["crystal_velocity_error_scaled"], [0.125, 0.0], atol=1e-12)
    np.testing.assert_allclose(found["crystal_speed_reference"], [1.0, 4.0])
    np.testing.assert_allclose(found["crystal_speed_prediction"], [1.5, 4.0])
    sideways = solution(
        crystals,
        np.full((GRID.nz, GRID.nx + 1), 0.4),
        np.broadcast_to(slow, (GRID.nz + 1, GRID.nx)),
    )
    found = scores(reference, sideways).isel(sample=0)
    np.testing.assert_allclose(found["crystal_velocity_error"], [0.4, 0.1])


def test_extrema_are_assigned_by_distance_and_not_by_depth():
    left, right = cell(10, 20), cell(30, 22)
    crystals = [disc(*left), disc(*right)]
    reference = solution(crystals, None, wells((*left, 1.0), (*right, 0.5)))
    # The order of depth is reversed, and the left minimum lies two cells higher.
    shifted = (left[0], left[1] + 2 * GRID.hz)
    prediction = solution(crystals, None, wells((*shifted, 0.5), (*right, 1.0)))
    found = scores(reference, prediction).isel(sample=0)
    np.testing.assert_allclose(found["alignment_distance_reference"], [0, 0], atol=1e-9)
    np.testing.assert_allclose(found["alignment_distance"], [100.0, 0], atol=1e-9)
    assert float(found["detection_rate"]) == 1.0  # exactly one radius away
    strict = scores(reference, prediction, detection_distance=0.9).isel(sample=0)
    assert float(strict["detection_rate"]) == 0.5
    assert float(strict["reference_detection_rate"]) == 1.0


def test_two_extrema_within_one_crystal_count_once():
    left, right = cell(10, 20), cell(30, 20)
    crystals = [disc(*left), disc(*right)]
    beside = (left[0] + 2 * GRID.hx, left[1])  # 100 m from the first
    field = wells((*left, 1.0), (*beside, 0.95), (*right, 0.5), width=40.0)
    flow = solution(crystals, None, field)
    apart = scores(flow, flow, separation=1.5).isel(sample=0)
    np.testing.assert_allclose(apart["alignment_distance"], [0, 0], atol=1e-9)
    near = scores(flow, flow, separation=0.5).isel(sample=0)
    assert float(near["alignment_distance"].max()) > 500
    assert float(near["detection_rate"]) == 0.5


def test_light_crystals_are_sought_at_maxima():
    left, right = cell(10, 20), cell(30, 20)
    crystals = [disc(*left), disc(*right, density=2500.0)]
    flow = solution(crystals, None, wells((*left, 1.0), (*right, -1.0)))
    found = scores(flow, flow).isel(sample=0)
    np.testing.assert_allclose(found["alignment_distance"], [0, 0], atol=1e-9)
    assert float(found["detection_rate"]) == 1.0


def test_too_few_extrema_leave_a_crystal_undetected():
    left, right = cell(10, 20), cell(30, 20)
    crystals = [disc(*left), disc(*right)]
    still = solution(crystals)
    found = scores(solution(crystals, None, wells((*left, 1.0), (*right, 1.0))), still)
    assert np.isnan(found["alignment_distance"]).all()
    assert float(found["detection_rate"][0]) == 0.0


def test_scores_do_not_change_in_a_mirror():
    crystals = [disc(-400, 30), disc(310, -60, 80.0, 3000.0)]
    cases = make_cases([crystals], GRID)
    reference = crystalsim.get("solver", "builtin").solve(cases)
    prediction = crystalsim.get("model", "isoviscous").predict(cases)
    straight = scores(reference, prediction)
    turned = scores(*map(mirrored, (reference, prediction)))
    xr.testing.assert_allclose(straight, turned, rtol=1e-6)
    assert 0.01 < float(straight["crystal_velocity_error"].max()) < 1.0


def mirrored(solutions):
    fields = {
        "velocity_x": -solutions["velocity_x"].values[..., ::-1],
        "velocity_z": solutions["velocity_z"].values[..., ::-1],
    }
    return make_solutions(solutions.assign(crystal_x=-solutions["crystal_x"]), fields)


def test_alignment_of_an_exact_solution_is_not_zero():
    """A rigid crystal has no minimum at its centre: both distances must be shown."""
    reference = crystalsim.get("solver", "builtin").solve(make_cases([[disc(13, 7)]], GRID))
    found = scores(reference, reference).isel(sample=0)
    assert float(found["crystal_velocity_error"][0]) == 0.0
    assert float(found["alignment_distance"][0]) > 0.1 * 100.0
    xr.testing.assert_equal(
        found["alignment_distance"].drop_attrs(),
        found["alignment_distance_reference"].rename("alignment_distance").drop_attrs(),
    )


def test_no_crystals_and_no_flow_give_nan_in_silence():
    empty = scores(solution([]), solution([])).isel(sample=0)
    for name, values in empty.data_vars.items():
        assert np.isnan(values).all(), name
    still = scores(solution([disc()]), solution([disc()])).isel(sample=0)
    assert np.isnan(still["crystal_velocity_error"]).all()
    assert float(still["crystal_speed_reference"][0]) == 0.0


def test_scores_say_what_they_are():
    found = scores(solution([disc()]), solution([disc()]))
    assert "crystal_count" in found.coords
    for name, array in found.data_vars.items():
        assert len(array.attrs["description"]) > 20, name
    units = {name: array.attrs["units"] for name, array in found.data_vars.items()}
    assert units["alignment_distance"] == units["alignment_distance_reference"] == "m"
    assert units["crystal_speed_reference"] == "m s-1"
