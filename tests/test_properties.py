"""What holds for any grid, magma and crystals, with cases that nobody thought of."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim import Grid, SceneOptions, iterate_cases, make_cases
from crystalsim.datasets.schema import INPUTS, VARIABLES
from crystalsim.errors import SchemaError
from crystalsim.scene.shapes import case_discs
from crystalsim.testing import example_solutions

pytest.importorskip("hypothesis", reason="hypothesis is in requirements-dev.txt")

from hypothesis import strategies as st

from crystalsim.testing.strategies import (
    cases,
    crystal_lists,
    for_all,
    grids,
    powers_of_ten,
    scenes,
)

FIELDS = ("x", "z", "radius", "density", "viscosity")
COUNT = "crystal_count"


def test_what_is_made_is_read():
    def check(drawn):
        grid, samples = drawn
        made = make_cases(samples, grid)
        assert Grid.from_dataset(made) == grid
        for case, sample in zip(iterate_cases(made), samples, strict=True):
            for name in FIELDS:
                assert getattr(case, name).tolist() == [crystal[name] for crystal in sample]

    both = grids().flatmap(lambda grid: st.tuples(st.just(grid), crystal_lists(grid, rigid=True)))
    for_all(both, check, 40)


def test_a_subset_of_cases_is_valid_and_spoilt_ones_are_refused():
    def check(drawn):
        dataset, name = drawn
        for i in range(dataset.sizes["sample"]):
            crystalsim.validate(dataset.isel(sample=[i]), "cases")
        worse = dataset.copy(deep=True)
        worse[name] = worse[name].where(worse["sample"] > 0, 1000 if name == COUNT else -np.inf)
        furlongs = dataset[name].assign_attrs(units="furlong")
        for bad in (dataset.drop_vars(name), dataset.assign({name: furlongs}), worse):
            with pytest.raises(SchemaError, match=name):
                crystalsim.validate(bad, "cases")

    needed = [name for name in INPUTS if "cases" in VARIABLES[name].kinds]
    drawn = st.tuples(cases(count=(1, 4)), st.sampled_from(needed))
    for_all(drawn, check, 40)


def test_painting_conserves_area_and_weight():
    def check(drawn):
        case, grid, scene = drawn
        cell = grid.hx * grid.hz
        discs = case_discs(case, grid)
        areas = np.pi * case.radius**2
        for disc, area in zip(discs, areas, strict=True):
            for name in ("cell", "corner", "x_face", "z_face"):
                fraction = getattr(disc, name)
                assert fraction.sum() * cell == pytest.approx(area, rel=1e-9), name
                assert (fraction >= 0).all() and (fraction <= 1).all(), name
        assert scene.fraction.sum() * cell == pytest.approx(areas.sum(), rel=1e-9)
        weight, size = (areas * case.density_contrast).sum(), (areas * case.density).sum()
        assert scene.density_face.sum() * cell == pytest.approx(weight, rel=0, abs=1e-9 * size)
        # A mean lies between the least and the largest of what it is a mean of.
        all_viscosities = [case.matrix_viscosity, *case.viscosity]
        for painted in (scene.viscosity_cell, scene.viscosity_corner):
            assert painted.min() >= min(all_viscosities) * (1 - 1e-9)
            assert painted.max() <= max(all_viscosities) * (1 + 1e-9)

    for_all(scenes(count=(0, 4)), check, 60)


def test_files_give_back_what_was_written():
    def check(drawn):
        for dataset in (drawn, example_solutions(drawn)):
            with TemporaryDirectory() as folder:
                path = Path(folder) / "dataset.nc"
                crystalsim.save(dataset, path)
                xr.testing.assert_identical(crystalsim.open(path), dataset)
                xr.testing.assert_identical(xr.load_dataset(path), dataset)

    for_all(cases(rigid=True), check, 15)


SOLVERS = [("direct", {}), ("builtin", {"tolerance": 1e-8})]
"""One without iterations, and one that leaves 1e-8 of the residual."""

BOUND = 1e-6
"""Relative L2 that stopping and rounding may leave of an identity."""

SMALL = {"samples": (1, 1), "count": (1, 4), "viscosity_contrast": (1e-1, 1e4)}


def velocities(solver, dataset):
    """Both components of the first sample (z, x_face) and (z_face, x) [m s-1]."""
    name, options = solver
    solved = crystalsim.get("solver", name, **options).solve(dataset)
    assert solved["converged"].all()
    return solved["velocity_x"].values[0], solved["velocity_z"].values[0]


def assert_equal_flow(flow, expected):
    """Compare two flows in relative L2."""
    misfit = np.sqrt(sum(((a - b) ** 2).sum() for a, b in zip(flow, expected, strict=True)))
    assert misfit <= BOUND * np.sqrt(sum((a**2).sum() for a in expected))


def changed(dataset, grid=None, **factors):
    """The same crystals with some of their properties, or those of the magma, multiplied."""
    (case,) = iterate_cases(dataset)
    matrix = SceneOptions(
        matrix_density=case.matrix_density,
        matrix_viscosity=case.matrix_viscosity * factors.get("viscosity", 1.0),
        gravity=case.gravity * factors.get("gravity", 1.0),
    )
    length = factors.get("length", 1.0)
    crystals = [
        {
            "x": case.x[k] * factors.get("x", length),
            "z": case.z[k] * factors.get("z", length),
            "radius": case.radius[k] * length,
            "density": case.matrix_density
            + case.density_contrast[k]
            * np.broadcast_to(factors.get("weight", 1.0), case.x.shape)[k],
            "viscosity": case.viscosity[k] * factors.get("viscosity", 1.0),
        }
        for k in range(case.x.size)
    ]
    return make_cases([crystals], grid or Grid.from_dataset(dataset), matrix)


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: solver[0])
def test_mirrored_crystals_have_the_mirrored_flow(solver):
    def check(dataset):
        grid = Grid.from_dataset(dataset)
        vx, vz = velocities(solver, dataset)
        aside = Grid(grid.nx, grid.nz, -grid.x_max, -grid.x_min, grid.z_min, grid.z_max)
        assert_equal_flow(
            velocities(solver, changed(dataset, aside, x=-1.0)), (-vx[:, ::-1], vz[:, ::-1])
        )
        # Upside down what was heavy is light, so that it still moves the same way, mirrored.
        over = Grid(grid.nx, grid.nz, grid.x_min, grid.x_max, -grid.z_max, -grid.z_min)
        assert_equal_flow(
            velocities(solver, changed(dataset, over, z=-1.0, weight=-1.0)), (vx[::-1], -vz[::-1])
        )

    for_all(cases(**SMALL), check, 6)


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: solver[0])
def test_velocity_scales_as_weight_and_size_squared_over_viscosity(solver):
    def check(drawn):
        dataset, (length, viscosity, gravity) = drawn
        grid = Grid.from_dataset(dataset)
        vx, vz = velocities(solver, dataset)
        walls = (grid.x_min, grid.x_max, grid.z_min, grid.z_max)
        scaled = Grid(grid.nx, grid.nz, *(length * wall for wall in walls))
        other = changed(dataset, scaled, length=length, viscosity=viscosity, gravity=gravity)
        factor = gravity * length**2 / viscosity
        assert_equal_flow(velocities(solver, other), (factor * vx, factor * vz))

    factors = st.tuples(powers_of_ten(-1, 1), powers_of_ten(-8, 2), powers_of_ten(-1, 1))
    for_all(st.tuples(cases(**SMALL), factors), check, 6)


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: solver[0])
def test_flows_of_single_weights_add_up(solver):
    """The viscosity of all crystals is there in each part; only one of them is heavy."""

    def check(dataset):
        (case,) = iterate_cases(dataset)
        parts = [
            velocities(solver, changed(dataset, weight=np.arange(case.x.size) == k))
            for k in range(case.x.size)
        ]
        total = [sum(component) for component in zip(*parts, strict=True)]
        assert_equal_flow(total, velocities(solver, dataset))

    for_all(cases(**{**SMALL, "count": (2, 3)}), check, 6)
