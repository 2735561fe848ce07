"""The contract suites, and what is known of the flow without another solver."""

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid, iterate_cases, make_cases
from crystalsim.errors import SchemaError
from crystalsim.scene.painting import rasterise
from crystalsim.stokes.operators import strain_rate
from crystalsim.testing import EvaluatorContract, SolverContract, example_cases, example_solutions


class TestDirectSolver(SolverContract):
    name = "direct"


class TestEnergyEvaluator(EvaluatorContract):
    name = "energy"
    perfect = {"energy_error": 0.0}


def test_energy_of_a_flow_that_is_too_fast():
    reference = example_solutions()
    fast = reference.assign({n: 1.1 * reference[n] for n in ("velocity_x", "velocity_z")})
    scores = crystalsim.get("evaluator", "energy").evaluate(reference, fast)
    assert np.allclose(scores.energy_error[[0, 1, 3]], 0.21)
    assert np.isnan(scores.energy_error[2])


def solve(cases, **options):
    return crystalsim.get("solver", "direct", **options).solve(cases)


def disc(viscosity):
    return {"x": -200, "z": 150, "radius": 150, "density": 2900, "viscosity": viscosity}


def test_without_viscosity_contrast_it_is_the_isoviscous_flow():
    """Sine and cosine transforms solve the same equations exactly."""
    cases = example_cases()
    cases["crystal_viscosity"][:] = cases["crystal_viscosity"] * 0 + 1e20
    direct, exact = solve(cases), example_solutions(cases)
    for name in ("velocity_x", "velocity_z", "pressure", "stream_function"):
        bound = 1e-11 * float(abs(exact[name]).max())
        assert np.allclose(direct[name], exact[name], rtol=0, atol=bound), name


@pytest.mark.parametrize("contrast", [1e2, 1e4, 1e6])
def test_dissipation_equals_the_work_of_gravity(contrast):
    grid = Grid(32, 24, -1000, 1000, -800, 800)
    solution = solve(make_cases([[disc(1e20 * contrast)]], grid))
    scene = rasterise(next(iterate_cases(solution)), grid)
    normal, shear = strain_rate(solution.stream_function.values[0], grid.hx, grid.hz)
    dissipation = (scene.viscosity_cell * normal**2).sum()
    dissipation += (scene.viscosity_corner[1:-1, 1:-1] * shear**2).sum()
    work = -9.81 * (scene.density_face * solution.velocity_z.values[0]).sum()
    assert dissipation == pytest.approx(work, rel=1e-6)


def test_lost_digits_are_reported():
    cases = make_cases([[disc(1e24)], [disc(1e32)]], Grid(24, 24))
    assert solve(cases).converged.values.tolist() == [True, False]


def test_rigid_crystals_are_refused_by_name():
    cases = make_cases([[disc(1e24)], [disc(1e24)]], Grid(16, 16))
    cases["crystal_viscosity"][1] = np.inf
    with pytest.raises(SchemaError, match="sample 1: crystal_viscosity = inf"):
        solve(cases)


def test_no_samples():
    assert solve(example_cases().isel(sample=[])).sizes["sample"] == 0
