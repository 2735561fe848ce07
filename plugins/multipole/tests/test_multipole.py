"""The exact solver: contract, references that are not its own, estimate of the error, refusals."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim import Grid, make_cases
from crystalsim.errors import SchemaError, UnsupportedError
from crystalsim.stokes.crystal_motion import crystal_motion
from crystalsim.testing import SolverContract

GRID = Grid(16, 16)
DISCS = json.loads((Path(__file__).parent / "data" / "discs.json").read_text())["scenes"]
REFERENCE = Path(__file__).parents[3] / "tests" / "data" / "reference"


class TestContract(SolverContract):
    name = "multipole"
    # Motion is exact; measured in 24 x 20 cells it is within 4 %, spins 11 %.
    motion_tolerance = 0.15


def solver(**options):
    return crystalsim.get("solver", "multipole", **options)


def disc(x=0.0, z=0.0, radius=100.0, contrast=np.inf, drho=200.0):
    return {
        "x": x,
        "z": z,
        "radius": radius,
        "density": 2700.0 + drho,
        "viscosity": 1e20 * contrast,
    }


def velocity(motion, sample=0):
    """Complex velocities (crystal), spins (crystal)."""
    names = ("crystal_velocity_x", "crystal_velocity_z", "crystal_angular_velocity")
    x, z, spin = (motion[name].values[sample] for name in names)
    return x + 1j * z, spin


@pytest.mark.parametrize("name", DISCS)
def test_discs_of_any_contrast_move_as_an_independent_solution_says(name):
    crystals = np.array([[np.inf if v is None else v for v in c] for c in DISCS[name]]).T
    x, z, radius, drho, contrast, true_x, true_z, true_spin = crystals
    cases = make_cases(
        [[disc(*each) for each in zip(x, z, radius, contrast, drho, strict=True)]], GRID
    )
    motion = solver().motion(cases)
    found, spin = velocity(motion)
    speed = np.hypot(true_x, true_z).max()
    # What was asked for; the reference itself is good to 1e-7, and 1e-11 as it turns out.
    assert abs(found - true_x - 1j * true_z).max() < 1e-8 * speed
    assert abs((spin - true_spin) * radius).max() < 1e-8 * speed
    assert motion["converged"].values.all()
    if "0.1 m" not in name:  # which would take ten seconds
        tight, _ = velocity(solver(tolerance=1e-11).motion(cases))
        assert abs(tight - true_x - 1j * true_z).max() < 3e-11 * speed


@pytest.mark.parametrize("name", ["a", "a2", "b", "b2", "b3", "c"])
def test_finite_elements(name):
    reference = xr.load_dataset(REFERENCE / f"{name}.nc")
    crystals = [
        disc(
            *(float(reference[f"crystal_{n}"][i]) for n in ("x", "z", "radius")),
            contrast=1e4,
            drho=float(reference["crystal_density_contrast"][i]),
        )
        for i in range(reference.sizes["crystal"])
    ]
    cases = make_cases([crystals], Grid(64, 64))
    found, _ = velocity(solver().motion(cases))
    true = reference["crystal_velocity_x"].values + 1j * reference["crystal_velocity_z"].values
    assert abs(found - true).max() < 1e-7 * abs(true).max()  # the elements' own accuracy
    # Face averages on the grid of the reference are exact; the elements' are good to about 1e-5.
    solution = solver().solve(cases)
    gap = sum(((solution[n][0] - reference[n]) ** 2).sum() for n in ("velocity_x", "velocity_z"))
    whole = sum((reference[n] ** 2).sum() for n in ("velocity_x", "velocity_z"))
    assert float(np.sqrt(gap / whole)) < 2e-5
    # Where no edge passes, means over cells come from a finer grid.
    fine = solver().solve(make_cases([crystals], Grid(256, 256)))["pressure"].values[0]
    coarse = fine.reshape(64, 4, 64, 4).mean(axis=(1, 3))
    whole_cells = np.isin(solution["crystal_fraction"].values[0], (0.0, 1.0))
    pressure = reference["pressure"].values.astype(float)[whole_cells]
    gap = coarse[whole_cells] - pressure
    assert np.linalg.norm(gap - gap.mean()) < 5e-5 * np.linalg.norm(pressure)


SCENES = {
    "alone": [disc(120, -300, 90)],
    "weak beside stiff": [disc(-110, 30, 80, 0.01, -150), disc(75, -45, 100, 1e4, 300)],
    "pair 1 m apart": [disc(-70, 0, 70), disc(81, 0, 80, drho=100)],
    "1 m above the floor": [disc(500, -899, 100, 1e6)],
    "weak ones 3 m apart": [disc(-70, 0, 70, 1e-3), disc(63, 60, 73, 1e-2)],
    "in a corner": [disc(-895, -890, 100, 5.0), disc(-680, -880, 90)],
}


@pytest.mark.parametrize("name", SCENES)
def test_the_estimate_bounds_the_error(name):
    cases = make_cases([SCENES[name]], GRID)
    true, true_spin = velocity(solver(tolerance=1e-12).motion(cases))
    speed = abs(true).max()
    radius = cases["crystal_radius"].values[0]
    for tolerance in (1e-3, 1e-5, 1e-7):
        motion = solver(tolerance=tolerance).motion(cases)
        found, spin = velocity(motion)
        error = max(abs(found - true).max(), abs((spin - true_spin) * radius).max()) / speed
        residual = float(motion["residual"][0])
        assert error <= residual + 1e-13 <= tolerance + 1e-13
        assert bool(motion["converged"][0])


def test_modes_that_do_not_suffice_are_told():
    """The first guess of the modes fits into the maximum, what the estimate asks for does not."""
    cases = make_cases([SCENES["1 m above the floor"]], GRID)
    enough = solver(tolerance=1e-5).motion(cases)
    motion = solver(tolerance=1e-5, maximum_modes=50).motion(cases)
    assert bool(enough["converged"][0]) and not bool(motion["converged"][0])
    assert float(motion["residual"][0]) > 1e-5
    error = abs(velocity(motion)[0] - velocity(enough)[0]) / abs(velocity(enough)[0])
    assert error < float(motion["residual"][0])


def test_fields_and_motion_agree():
    """On fine grids the motion measured from the fields goes to that without fields."""
    crystals = [disc(-110, 30, 80, 0.01, -150), disc(175, -45, 100, 1e4, 300)]
    gaps = []
    for cells in (64, 256):
        cases = make_cases([crystals], Grid(cells, cells))
        exact, _ = velocity(solver().motion(cases))
        gaps.append(abs(velocity(crystal_motion(solver().solve(cases)))[0] - exact) / abs(exact))
    assert gaps[1].max() < 2e-3
    assert (gaps[1] < 0.2 * gaps[0]).all()


def test_motion_has_the_names_of_crystal_motion_and_no_fields():
    crystals = [[disc()], [], [disc(-300), disc(300, drho=-100)]]
    cases = make_cases(crystals, GRID).assign_coords(sample=[7, 8, 9])
    motion = solver().motion(cases)
    measured = crystal_motion(solver().solve(cases))
    for name in measured.data_vars:
        assert motion[name].dims == measured[name].dims
        assert motion[name].attrs == measured[name].attrs
        assert np.array_equal(np.isnan(motion[name]), np.isnan(measured[name]))
    assert set(motion.data_vars) == {*measured.data_vars, "converged", "residual", "wall_time"}
    assert motion["sample"].values.tolist() == [7, 8, 9]
    assert motion.coords["crystal_count"].values.tolist() == [1, 0, 2]
    # Samples do not see each other.
    part = solver().motion(cases.isel(sample=[2]))
    xr.testing.assert_identical(
        part.drop_vars("wall_time"), motion.isel(sample=[2]).drop_vars("wall_time")
    )


def test_nothing_drives_nothing_moves():
    cases = make_cases([[disc(drho=0.0), disc(300, drho=0.0)]], GRID)
    assert abs(velocity(solver().motion(cases))[0]).max() == 0.0
    solution = solver().solve(cases)
    assert abs(solution["velocity_z"]).max() == 0.0
    assert solution["converged"].values.all()


def refused(cases, **options):
    with pytest.raises(UnsupportedError) as told:
        solver(**options).motion(cases)
    with pytest.raises(UnsupportedError):
        solver(**options).solve(cases)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_what_it_cannot_do_is_refused_by_name():
    cases = make_cases([[disc(-400)], [disc(-100, radius=99.0), disc(100)]], GRID)
    given = cases.assign(viscosity=(("sample", "z", "x"), np.full((2, 16, 16), 1e20)))
    assert "cases give 'viscosity' on the grid" in refused(given)
    assert "walls = 'no_slip'" in refused(cases.assign_attrs(walls="no_slip"))
    # Without the check of the schema, which refuses overlaps when cases are made.
    over = cases.copy(deep=True)
    over["crystal_x"][1, 1] = 90.0
    message = refused(over)
    assert "sample 1 crystal 0: the gap to crystal 1 is -9 m; expected no overlap" in message
    with pytest.raises(SchemaError, match="overlap"):
        make_cases([[disc(-100), disc(90)]], GRID)
    over["crystal_x"][1] = [-400.0, 950.0]
    assert "sample 1 crystal 1: the gap to a wall is -50 m" in refused(over)


def test_gaps_too_small_are_refused_by_name():
    cases = make_cases([[disc(-100), disc(100)]], GRID)
    assert "the gap to crystal" in refused(cases)
    cases = make_cases([[disc(0, -899.99)]], GRID)
    message = refused(cases, maximum_modes=100)
    assert "sample 0 crystal 0: the gap to a wall is 0.01 m, which takes" in message
    assert "maximum_modes = 100" in message


def test_impossible_scales_are_refused_by_name():
    cases = make_cases([[disc()]], GRID)
    for gravity in (1e305, 1e-300):
        message = refused(cases.assign(gravity=cases["gravity"] * 0 + gravity))
        assert "neither over- nor underflows" in message
    thin = make_cases([[disc(0.5, 0.5e3, 0.2)]], Grid(8, 8, 0.0, 1.0, 0.0, 1e3))
    assert "a box of 1 x 1000 m" in refused(thin)


def test_no_cells_no_warning():
    near = [
        {"x": x, "z": 0, "radius": 100, "density": 2900, "viscosity": 1e24} for x in (-101.0, 101.0)
    ]
    cases = make_cases([near], Grid(16, 16))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solutions = crystalsim.get("solver", "multipole").solve(cases)
    assert solutions.resolved.values.all()
