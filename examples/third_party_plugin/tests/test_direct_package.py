"""The contract suites, and one number that is known."""

import numpy as np

import crystalsim
from crystalsim.testing import EvaluatorContract, SolverContract, example_solutions


class TestDirectSolver(SolverContract):
    name = "direct"
    # The factorisation leaves the divergence that rounding leaves in its pivots.
    divergence_bound = 1e-9


class TestEnergyEvaluator(EvaluatorContract):
    name = "energy"
    perfect = {"energy_error": 0.0}


def test_energy_of_a_flow_that_is_too_fast():
    reference = example_solutions()
    fast = reference.assign({n: 1.1 * reference[n] for n in ("velocity_x", "velocity_z")})
    scores = crystalsim.get("evaluator", "energy").evaluate(reference, fast)
    assert np.allclose(scores.energy_error[[0, 1, 3]], 0.21)
    assert np.isnan(scores.energy_error[2])
