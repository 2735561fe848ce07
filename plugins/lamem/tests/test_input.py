"""The input file, and what LaMEM cannot take."""

import re

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid, SceneOptions, iterate_cases, make_cases
from crystalsim.errors import OptionError, SchemaError, UnsupportedError
from crystalsim_lamem.failures import LamemError
from crystalsim_lamem.input_file import Version, multigrid_levels, write_input
from crystalsim_lamem.plugin import LamemOptions

GRID = Grid(64, 32, -1000, 1000, -500, 500)
V2, V3 = Version(2, 2, 1), Version(3, 1, 0)


def crystals(count, different=True):
    """Small crystals side by side."""
    return [
        {
            "x": -960 + 15 * k,
            "z": 0,
            "radius": 5,
            "density": 2800 + (k if different else 0),
            "viscosity": 1e24,
        }
        for k in range(count)
    ]


def keys(sample, version=V2, grid=GRID, **options):
    case = next(iterate_cases(make_cases([sample], grid)))
    text = write_input(case, grid, version, LamemOptions(**options))
    return text, dict(re.findall(r"^\s*(\w+) = (.*)$", text, re.MULTILINE))


def solve(cases):
    return crystalsim.get("solver", "lamem", executable="never-run").solve(cases)


def test_2x_has_one_cell_across_and_its_own_keys():
    text, found = keys(crystals(1))
    assert (found["nel_x"], found["nel_y"], found["nel_z"]) == ("64", "1", "32")
    low, high = map(float, found["coord_y"].split())
    assert high - low == pytest.approx(2 / 64)  # as wide as a cell
    assert found["SolverType"] == "direct"
    assert "-jp_pc_factor_mat_solver_type mumps" in text
    assert "SolverOptions" not in text


def test_3x_has_two_and_a_block_of_options():
    text, found = keys(crystals(1), V3)
    assert found["nel_y"] == "2"
    assert found["stokes_solver"] == "coupled_direct"
    assert float(found["linear_tolerances"].split()[0]) == 1e-9
    assert "SolverType" not in text and "PetscOptions" not in text


@pytest.mark.parametrize(
    ("version", "key", "value"),
    [(V2, "SolverType", "multigrid"), (V3, "stokes_solver", "coupled_mg")],
)
def test_multigrid(version, key, value):
    _, found = keys(crystals(1), version, method="multigrid", tolerance=1e-8)
    assert found[key] == value
    assert found.get("num_mg_levels", found.get("MGLevels")) == "3"


def test_multigrid_needs_grids_that_can_be_halved():
    assert multigrid_levels(Grid(256, 256)) == 6
    with pytest.raises(OptionError, match=r"solver.method = 'multigrid' on 65 x 64 cells"):
        multigrid_levels(Grid(65, 64))


def test_what_lamem_would_mix_into_viscosities_is_left_out():
    text, found = keys(crystals(1))
    assert "eta_min" not in text and "eta_max" not in text
    assert (found["FSSA"], found["init_guess"], found["rand_noise"]) == ("0", "0", "0")
    assert (found["nmark_x"], found["nmark_z"], found["act_p_shift"]) == ("4", "4", "1")


def test_equal_crystals_share_a_phase():
    text, _ = keys(crystals(40, different=False))
    assert text.count("<CylinderStart>") == 40
    assert text.count("<MaterialStart>") == 2
    text, _ = keys(crystals(31))
    assert text.count("<MaterialStart>") == 32


def test_a_crystal_of_magma_is_no_cylinder():
    sample = crystals(1)
    sample.append({"x": 300, "z": 0, "radius": 50, "density": 2700, "viscosity": 1e20})
    text, _ = keys(sample)
    assert text.count("<CylinderStart>") == 1


def test_units_follow_the_problem():
    """A thin liquid in a small box: neither the step nor the residual may be out of scale."""
    options = SceneOptions(matrix_density=1000, matrix_viscosity=1e-1)
    crystal = {"x": 0.05, "z": 0.05, "radius": 0.01, "density": 1100, "viscosity": 1e3}
    grid = Grid(16, 16, 0, 0.1, 0, 0.1)
    case = next(iterate_cases(make_cases([[crystal]], grid, options)))
    found = dict(
        re.findall(r"^\s*(\w+) = (.*)$", write_input(case, grid, V2, LamemOptions()), re.MULTILINE)
    )
    assert float(found["unit_length"]) == pytest.approx(0.05)
    assert float(found["unit_stress"]) == 10
    speed = 100 * 9.81 * 0.01**2 / 0.1
    assert float(found["dt"]) * 3.15576e13 * speed < 1e-4 * grid.hx


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (crystals(32), r"sample 1: 32 different pairs .* takes 31 at most"),
        (crystals(101, different=False), r"sample 1: 101 crystals; LaMEM takes 100 at most"),
        ([{**crystals(1)[0], "viscosity": np.inf}], r"sample 1 crystal 0: crystal_viscosity = inf"),
    ],
)
def test_limits_are_named_before_anything_runs(sample, message):
    with pytest.raises(LamemError, match=message):
        solve(make_cases([crystals(1), sample], GRID))


@pytest.mark.parametrize(
    ("name", "value"), [("crystal_viscosity", -1e24), ("crystal_radius", 0), ("crystal_x", 2000)]
)
def test_impossible_crystals_are_refused(name, value):
    """LaMEM would take a negative viscosity, and leave out a crystal outside the domain."""
    cases = make_cases([crystals(1)], GRID)
    cases[name][:] = value
    with pytest.raises(SchemaError, match="sample 0"):
        solve(cases)


def test_media_on_the_grid_are_refused():
    cases = make_cases([crystals(1)], GRID)
    field = np.full((1, 32, 64), 1e20)
    cases = cases.assign(viscosity=(("sample", "z", "x"), field, {"units": "Pa s"}))
    with pytest.raises(UnsupportedError, match="crystals alone; the cases hold 'viscosity'"):
        solve(cases)
