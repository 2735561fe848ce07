"""The baselines keep the contract, and are what they say."""

import numpy as np

import crystalsim
from crystalsim.testing import ModelContract


class TestEarlyStopped(ModelContract):
    name = "early_stopped"
    subset_tolerance = 0.0


class TestHalfGrid(ModelContract):
    name = "half_grid"
    subset_tolerance = 0.0


class TestSuperposition(ModelContract):
    name = "superposition"
    subset_tolerance = 0.0


def cases(count, cells=32):
    return crystalsim.get("sampler", "random", cells=cells, count=count).sample(6, seed=3)


def error(name, asked, **options):
    truth = crystalsim.get("solver", "builtin", tolerance=1e-4).solve(asked)
    found = crystalsim.get("model", name, **options).predict(asked)
    scores = crystalsim.get("evaluator", "fields").evaluate(truth, found)
    return scores.relative_l2.values


def test_superposition_is_exact_for_one_crystal_and_not_for_many():
    # What the default tolerance of the solver leaves, against a tight truth.
    assert error("superposition", cases(1)).max() < 4e-3
    assert error("superposition", cases(8)).mean() > 0.02


def test_more_iterations_are_better():
    few, more = (error("early_stopped", cases(3), iterations=k).mean() for k in (1, 6))
    assert more < 0.5 * few


def test_half_the_grid_errs_as_a_coarse_grid_does():
    found = [error("half_grid", cases(2, cells)).mean() for cells in (32, 64)]
    assert 1e-3 < found[1] < found[0] < 0.2


def test_walls_are_streamlines():
    psi = crystalsim.get("model", "half_grid").predict(cases(2)).stream_function.values
    assert np.abs(psi[:, [0, -1]]).max() == np.abs(psi[..., [0, -1]]).max() == 0
