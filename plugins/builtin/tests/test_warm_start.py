"""Starting from a flow that is known, and what that saves."""

import numpy as np
import pytest

import crystalsim
import crystalsim.datasets.scenes
import crystalsim.stokes.diagnostics
from crystalsim.errors import OptionError

MIXED = [1e-2, 1e4]


def cases(**options):
    return crystalsim.get("sampler", "random", cells=32, **options).sample(4, seed=3)


def solver(**options):
    return crystalsim.get("solver", "builtin", extra_stress=True, **options)


@pytest.mark.parametrize("contrast", [1e4, MIXED])
def test_from_its_own_solution_no_iteration_is_left(contrast):
    asked = cases(viscosity_contrast=contrast)
    cold = solver(tolerance=1e-6).solve(asked)
    warm = solver(tolerance=2e-6).solve_from(asked, cold)
    assert cold.iterations.values.min() > 0
    assert warm.iterations.values.max() == 0
    gap = np.abs(warm.velocity_z - cold.velocity_z).max()
    assert gap < 1e-12 * np.abs(cold.velocity_z).max()
    assert warm.converged.all()


def test_a_rough_start_saves_iterations_and_ends_within_the_tolerance():
    asked = cases()
    exact = solver(tolerance=1e-8).solve(asked)
    rough = solver(tolerance=0.05).solve(asked)
    cold = solver(tolerance=1e-3).solve(asked)
    warm = solver(tolerance=1e-3).solve_from(asked, rough)
    assert (warm.iterations <= cold.iterations).all()
    assert warm.iterations.sum() < cold.iterations.sum()
    gap = np.abs(warm.velocity_z - exact.velocity_z).max()
    assert gap < 1e-3 * np.abs(exact.velocity_z).max()


def test_a_start_without_extra_stress_is_a_start_from_nothing():
    asked = cases()
    cold = solver().solve(asked)
    bare = cold.drop_vars(["extra_stress_xx", "extra_stress_xz"])
    assert solver().solve_from(asked, bare).iterations.equals(cold.iterations)


def test_a_start_of_other_samples_is_refused():
    other = crystalsim.get("sampler", "random", cells=32).sample(4, seed=9)
    with pytest.raises(OptionError, match="other samples"):
        solver().solve_from(cases(), solver().solve(other))


def test_extra_stress_is_that_beyond_the_magma():
    """(viscosity - matrix viscosity) times twice the strain rate, where that is well defined."""
    asked = cases(viscosity_contrast=[0.1, 10.0])
    found = solver(tolerance=1e-10).solve(asked)
    rates = crystalsim.stokes.diagnostics.strain_rate(found)
    for i, (case, scene) in enumerate(
        crystalsim.datasets.scenes.scenes(asked, crystalsim.Grid.from_dataset(asked))
    ):
        expected = 2 * (scene.viscosity_cell - case.matrix_viscosity)
        expected = expected * rates.strain_rate_xx.values[i]
        gap = np.abs(found.extra_stress_xx.values[i] - expected).max()
        assert gap < 1e-6 * np.abs(expected).max()
