"""The real LaMEM, where there is one: the same answers as from its recorded folders."""

import os
import shutil

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid, make_cases
from crystalsim.testing import SolverContract
from crystalsim_lamem.coefficients import lamem_cases

# Read at import, because tests run without the variable.
LAMEM = shutil.which(os.environ.get("CRYSTALSIM_LAMEM") or "LaMEM")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        LAMEM is None, reason="LaMEM is not installed (set CRYSTALSIM_LAMEM to its path)"
    ),
]

CRYSTALS = [
    {"x": -300, "z": 400, "radius": 150, "density": 2900, "viscosity": 1e24},
    {"x": 350, "z": -200, "radius": 120, "density": 2800, "viscosity": 1e22},
]


class TestLive(SolverContract):
    name = "lamem"
    options = {"executable": LAMEM or ""}


def agree(found, cases, bound=1e-6):
    expected = crystalsim.get("solver", "builtin", tolerance=1e-9).solve(lamem_cases(cases))
    for name in ("velocity_x", "velocity_z"):
        size = np.linalg.norm(expected[name])
        assert np.linalg.norm(found[name] - expected[name]) < bound * size, name


@pytest.mark.parametrize("cells", [16, 32, 64])
def test_velocities_are_those_of_the_coefficients(cells):
    cases = make_cases([CRYSTALS, CRYSTALS[:1]], Grid(cells, cells))
    found = crystalsim.get("solver", "lamem", executable=LAMEM).solve(cases)
    assert found.converged.all()
    agree(found, cases)


def test_multigrid_agrees_or_says_that_it_failed():
    cases = make_cases([CRYSTALS[:1]], Grid(64, 64))
    options = {"executable": LAMEM, "method": "multigrid"}
    found = crystalsim.get("solver", "lamem", **options).solve(cases)
    if found.converged.all():
        agree(found, cases, bound=1e-4)
    else:
        assert np.isnan(found.velocity_z).all()


def test_two_processes():
    if shutil.which("mpiexec") is None:
        pytest.skip("mpiexec is not on the PATH")
    cases = make_cases([CRYSTALS], Grid(32, 32))
    found = crystalsim.get("solver", "lamem", executable=LAMEM, processes=2).solve(cases)
    assert found.converged.all()
    agree(found, cases)
