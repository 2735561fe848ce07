"""The built-in solver against a direct solve of the staggered saddle-point system.

The direct solver is the example of a third-party package and shares no discretisation code with
the built-in one but the averages of viscosity and density.
"""

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid, make_cases

pytest.importorskip("crystalsim_direct")


def disc(x, z, radius, density, viscosity):
    return {"x": x, "z": z, "radius": radius, "density": density, "viscosity": viscosity}


CASES = {
    "one": (Grid(64, 64), [disc(0, 0, 100, 2900, 1e24)]),
    "three": (
        Grid(64, 64),
        [
            disc(-350, 100, 120, 2900, 1e24),
            disc(150, -250, 160, 2850, 1e22),
            disc(400, 450, 100, 2500, 1e26),
        ],
    ),
    "weak": (Grid(64, 64), [disc(-200, 50, 120, 2500, 1e17), disc(300, 200, 90, 2600, 1e19)]),
    "weak_and_viscous": (
        Grid(64, 64),
        [disc(-350, 100, 120, 2500, 1e17), disc(150, -250, 160, 2850, 1e24)],
    ),
    "rectangle": (
        Grid(48, 40, -1000, 500, -500, 500),
        [disc(-500, 100, 150, 2900, 1e23), disc(100, -100, 120, 3100, 1e21)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_the_direct_solve(name):
    grid, crystals = CASES[name]
    cases = make_cases([crystals], grid)
    iterative = crystalsim.get("solver", "builtin", tolerance=1e-10).solve(cases)
    direct = crystalsim.get("solver", "direct").solve(cases)
    assert iterative.converged.all()
    for field in ("velocity_x", "velocity_z"):
        difference = np.linalg.norm(iterative[field] - direct[field])
        assert difference < 1e-8 * np.linalg.norm(direct[field]), field
    # Inside crystals the direct solve loses digits of the pressure to the contrast.
    outside = iterative.crystal_fraction.values == 0
    gap = (iterative.pressure.values - direct.pressure.values)[outside]
    assert np.linalg.norm(gap - gap.mean()) < 1e-6 * np.linalg.norm(direct.pressure.values[outside])
