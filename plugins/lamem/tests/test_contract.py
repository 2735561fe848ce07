"""The contract suite with a fake LaMEM that solves the equations, and what follows from it."""

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid, make_cases
from crystalsim.testing import SolverContract, example_cases
from crystalsim_lamem.coefficients import coefficients, lamem_cases

LARGE = {"count": (1, 4), "radius": (0.5, 1.0)}
"""Crystals that hold markers, and whose pressure shows beside the weight of the magma: LaMEM writes
the sum of both in single precision."""


class TestLamem2(SolverContract):
    name = "lamem"
    drawn = LARGE

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def program(cls, fakes):
        cls.options = {"executable": fakes["2.2.1"]}


@pytest.mark.slow
class TestLamem3(SolverContract):
    name = "lamem"
    drawn = LARGE

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def program(cls, fakes):
        cls.options = {"executable": fakes["3.1.0"]}


@pytest.mark.parametrize("version", ["2.2.1", "3.1.0"])
def test_another_solver_gives_the_same_from_the_coefficients(fakes, version):
    """Wider than high, different crystals, one of them weak: as the model says."""
    cases = example_cases().isel(sample=[1])
    cases["crystal_viscosity"][:] = [[1e24, 1e19]]
    found = crystalsim.get("solver", "lamem", executable=fakes[version]).solve(cases)
    assert found.attrs["source"] == f"LaMEM {version}, direct"
    solver = crystalsim.get("solver", "builtin", tolerance=1e-9)
    expected = solver.solve(lamem_cases(cases))
    for name, bound in (("velocity_x", 5e-7), ("velocity_z", 5e-7), ("pressure", 2e-3)):
        error = np.linalg.norm(found[name] - expected[name]) / np.linalg.norm(expected[name])
        assert error < bound, name


def test_two_markers(fake):
    cases = example_cases().isel(sample=[0])
    found = crystalsim.get("solver", "lamem", executable=fake, markers=2).solve(cases)
    solver = crystalsim.get("solver", "builtin", tolerance=1e-9)
    two, four = (solver.solve(lamem_cases(cases, n)).velocity_z for n in (2, 4))
    size = np.linalg.norm(two)
    assert np.linalg.norm(found.velocity_z - two) < 1e-6 * size
    assert np.linalg.norm(found.velocity_z - four) > 1e-3 * size


def test_pieces_of_several_processes(fake, mpiexec, tmp_path):
    cases = example_cases().isel(sample=[0])
    options = {"executable": fake, "mpiexec": mpiexec, "keep_files": str(tmp_path / "kept")}
    parallel = crystalsim.get("solver", "lamem", processes=3, **options).solve(cases)
    alone = crystalsim.get("solver", "lamem", executable=fake).solve(cases)
    assert len(list(tmp_path.glob("kept/*/Timestep_00000001_*/*.vtr"))) == 3
    assert np.array_equal(parallel.velocity_z, alone.velocity_z)


def test_coefficients_of_a_crystal_by_hand():
    """A quarter of the markers of one cell: those of the upper right corner's control volume."""
    crystal = {"x": 75, "z": 75, "radius": 20, "density": 3100, "viscosity": 9e20}
    grid = Grid(8, 8, 0, 800, 0, 800)
    case = next(crystalsim.iterate_cases(make_cases([[crystal]], grid)))
    found = coefficients(case, grid, markers=4)
    # Offsets 1/8, 3/8, 5/8, 7/8; distances from the centre 3/8, 1/8, so weights 5/8, 7/8.
    share = 0.25
    assert found.density[0, 0] == pytest.approx(2700 + 400 * share)
    assert found.viscosity[0, 0] == pytest.approx(1e20 + 8e20 * share)
    # Corner (1, 1) has all four of them, a quarter of its sixteen by symmetry of the weights.
    assert found.viscosity_corner[1, 1] == pytest.approx(1e20 + 8e20 * 0.25)
    assert found.viscosity_corner[0, 0] == found.viscosity_corner[2, 2] == 1e20


def test_odd_markers_are_refused():
    case = next(crystalsim.iterate_cases(make_cases([[]], Grid(8, 8))))
    with pytest.raises(ValueError, match="markers = 3: expected an even number"):
        coefficients(case, Grid(8, 8), markers=3)


def test_nothing_heavier_than_the_magma_needs_no_lamem():
    """At rest, exactly, without a run."""
    cases = make_cases([[]], Grid(8, 8))
    solution = crystalsim.get("solver", "lamem", executable="/no/such/program").solve(cases)
    assert bool(solution.converged) and not solution.velocity_z.values.any()
    assert np.allclose(solution.viscosity_node, 1e20, rtol=1e-12)
    assert np.allclose(solution.density_node, 2700, rtol=1e-12)
