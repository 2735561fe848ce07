"""The baselines keep the contract; the dilute one is what a single crystal needs."""

import numpy as np

import crystalsim
from crystalsim.testing import ModelContract, example_cases


class TestIsoviscous(ModelContract):
    name = "isoviscous"
    subset_tolerance = 0.0


class TestDilute(ModelContract):
    name = "dilute"
    subset_tolerance = 0.0


def errors(name, cases):
    truth = crystalsim.get("solver", "builtin", tolerance=1e-6).solve(cases)
    prediction = crystalsim.get("model", name).predict(cases)
    return crystalsim.get("evaluator", "fields").evaluate(truth, prediction).relative_l2.values


def test_isoviscous_is_exact_without_contrast():
    cases = example_cases()
    cases["crystal_viscosity"] = 1e20 + 0 * cases.crystal_viscosity
    assert np.nanmax(errors("isoviscous", cases)) < 1e-12


def test_dilute_is_much_nearer_for_viscous_crystals():
    cases = crystalsim.get("sampler", "random", cells=48).sample(20)
    assert np.nanmean(errors("dilute", cases)) < 0.35 * np.nanmean(errors("isoviscous", cases))
