"""Crystals keep their distance, distributions are what they say, impossible wishes fail."""

import numpy as np
import pytest

import crystalsim
from crystalsim.errors import OptionError, PlacementError
from crystalsim.testing import SamplerContract


class TestContract(SamplerContract):
    name = "random"


class TestContractDense(SamplerContract):
    name = "random"
    options = {"count": (8, 20), "minimum_gap": 5.0, "cells": 16}


def draw(samples, **options):
    return crystalsim.get("sampler", "random", cells=16, **options).sample(samples, seed=1)


def test_gaps_are_kept():
    cases = draw(60, count=12, minimum_gap=30, minimum_wall_gap=70)
    x, z, r = (cases[f"crystal_{n}"].values for n in ("x", "z", "radius"))
    gap = np.hypot(x[:, :, None] - x[:, None], z[:, :, None] - z[:, None])
    gap -= r[:, :, None] + r[:, None]
    assert gap[:, ~np.eye(12, dtype=bool)].min() >= 30
    assert (1000 - np.maximum(abs(x), abs(z)) - r).min() >= 70


def test_counts_are_equally_likely():
    counts = draw(900).crystal_count.values
    assert set(counts) == {1, 2, 3}
    assert np.bincount(counts)[1:].min() > 250


def test_distributions():
    cases = draw(
        400,
        count=3,
        viscosity_contrast=(10, 1e6),
        radius=(20, 80),
        radius_distribution="log_uniform",
    )
    viscosity = np.log10(cases.crystal_viscosity.values / 1e20)
    assert 1 <= viscosity.min() < 1.05
    assert 5.95 < viscosity.max() <= 6
    assert viscosity.mean() == pytest.approx(3.5, abs=0.15)
    assert np.median(cases.crystal_radius) == pytest.approx(40, rel=0.05)
    contrast = cases.crystal_density.values - 2700
    assert contrast.mean() == pytest.approx(300, rel=0.03)


def test_equal_properties():
    cases = draw(
        5,
        count=4,
        equal_radii=True,
        equal_densities=True,
        equal_viscosities=True,
        viscosity_contrast=(1e2, 1e5),
    )
    for name in ("radius", "density", "viscosity"):
        values = cases[f"crystal_{name}"].values
        assert np.ptp(values, axis=1).max() == 0
        assert np.ptp(values[:, 0]) > 0


def test_rising_crystals():
    assert (draw(5, density_contrast=(-300, -100)).crystal_density.values[:, 0] < 2700).all()


def test_hundreds_of_crystals():
    assert draw(1, count=300, radius=(15, 35), minimum_gap=2).crystal_count == 300


def test_no_crystals():
    assert draw(2, count=0).crystal_count.values.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"count": 60, "radius": 100, "maximum_restarts": 3},
            r"sample 0: 60 crystals.*at most \d+",
        ),
        ({"count": 100, "radius": 100}, "which no arrangement can hold"),
    ],
)
def test_infeasible_constraints_are_named(options, text):
    with pytest.raises(PlacementError, match=text):
        draw(1, **options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"radius": 1200}, "radius of at most 950"),
        ({"radius": (50, 40)}, "lower bound first"),
        ({"radius": float("nan")}, "expected finite numbers"),
        ({"density_contrast": (0, float("inf"))}, "expected finite numbers"),
        ({"viscosity_contrast": (0, 10)}, "viscosity_contrast = 0: expected a positive"),
        ({"radius": 0}, "expected a positive number"),
        ({"density_contrast": (-10, 5), "density_distribution": "log_uniform"}, "log-uniformly"),
        ({"density_contrast": -2700}, "lighter than nothing"),
        ({"cells": 4}, "8 or more"),
        ({"count": "three"}, "sampler.count = 'three'"),
        ({"x_range": (1.0, -1.0)}, "x_range"),
    ],
)
def test_wrong_options_are_named(options, text):
    with pytest.raises(OptionError, match=text):
        crystalsim.get("sampler", "random", **options)
