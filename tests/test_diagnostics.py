"""Derived quantities of flows that are known."""

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid, make_cases, make_solutions
from crystalsim.datasets.scenes import scenes
from crystalsim.stokes import diagnostics, operators

GRID = Grid(40, 30, -1000, 1000, -500, 1000)


def cellular_flow():
    """``psi = sin(k x) sin(l z)`` from wall to wall."""
    k, m = np.pi / GRID.width, np.pi / GRID.height
    x, z = GRID.x_face - GRID.x_min, (GRID.z_face - GRID.z_min)[:, None]
    psi = np.sin(k * x) * np.sin(m * z)
    velocity_x, velocity_z = operators.velocity(psi, GRID.hx, GRID.hz)
    fields = {"velocity_x": velocity_x[None], "velocity_z": velocity_z[None]}
    return make_solutions(make_cases([[]], GRID), fields), psi, (k, m)


def test_vorticity_and_strain_rate_of_a_cellular_flow():
    flow, psi, (k, m) = cellular_flow()
    vorticity = diagnostics.vorticity(flow)
    assert np.allclose(vorticity[0], (k**2 + m**2) * psi, atol=1e-3 * (k**2 + m**2))
    assert vorticity.attrs["units"] == "s-1"
    strain = diagnostics.strain_rate(flow)
    assert np.allclose(strain.strain_rate_xz[0], 0.5 * (k**2 - m**2) * psi, atol=1e-3 * m**2)
    x, z = GRID.x - GRID.x_min, (GRID.z - GRID.z_min)[:, None]
    exact = k * m * np.cos(k * x) * np.cos(m * z)
    assert np.allclose(strain.strain_rate_xx[0], exact, atol=2e-3 * k * m)


@pytest.mark.parametrize("contrast", [0.1, 1e4])
def test_walls_carry_the_weight_of_the_crystals(contrast):
    crystals = [
        {"x": -300, "z": 100, "radius": 120, "density": 3000, "viscosity": 1e20 * contrast},
        {"x": 400, "z": 500, "radius": 90, "density": 2600, "viscosity": 1e23},
    ]
    cases = make_cases([crystals, crystals[:1]], GRID)
    solution = crystalsim.get("solver", "builtin", tolerance=1e-10).solve(cases)
    forces = diagnostics.wall_forces(solution)
    carried = forces.sel(wall="top") - forces.sel(wall="bottom")
    weights = [
        9.81 * scene.density_face.sum() * GRID.hx * GRID.hz for _, scene in scenes(cases, GRID)
    ]
    assert np.allclose(carried, -np.array(weights), rtol=1e-6)
    exact = 9.81 * np.pi * (300 * 120**2 - 100 * 90**2)
    assert weights[0] == pytest.approx(exact, rel=1e-9)
    # Sideways nothing is driven.
    sideways = forces.sel(wall="right") - forces.sel(wall="left")
    assert np.abs(sideways).max() < 1e-6 * max(weights)
