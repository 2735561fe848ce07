"""Viscosity and density given on the grid, in place of crystals."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim import Grid, SceneOptions, make_cases
from crystalsim.datasets.schema import attributes
from crystalsim.errors import SchemaError
from crystalsim.scene.painting import rasterise
from crystalsim.stokes.analytic import SolCx

LAMEM = Path(__file__).parent / "data" / "lamem" / "single_64.nc"


def with_fields(cases, **fields):
    """Cases with fields of their one sample."""
    dims = {name: crystalsim.datasets.schema.VARIABLES[name].dims for name in fields}
    return cases.assign(
        {
            name: (dims[name], np.asarray(values, dtype=float)[None], attributes(name))
            for name, values in fields.items()
        }
    )


def solve(cases, solver="builtin", **options):
    crystalsim.validate(cases, "cases")
    return crystalsim.get("solver", solver, **options).solve(cases)


def to_nodes(velocity, axis):
    """Mean of the faces on both sides of a node, mirrored at walls."""
    pad = [(0, 0), (0, 0)]
    pad[axis] = (1, 1)
    padded = np.pad(velocity, pad, mode="edge")
    return 0.5 * (np.delete(padded, 0, axis) + np.delete(padded, -1, axis))


def test_lamem_is_reproduced_from_its_own_coefficients():
    lamem = xr.load_dataset(LAMEM)
    cases = with_fields(
        make_cases([[]], Grid(64, 64)),
        viscosity=lamem.viscosity,
        viscosity_corner=lamem.viscosity_node_stress,
        density=lamem.density,
    )
    solution = solve(cases, tolerance=1e-8)
    error = np.hypot(
        np.linalg.norm(to_nodes(solution.velocity_x.values[0], 0) - lamem.velocity_x_node),
        np.linalg.norm(to_nodes(solution.velocity_z.values[0], 1) - lamem.velocity_z_node),
    )
    size = np.hypot(np.linalg.norm(lamem.velocity_x_node), np.linalg.norm(lamem.velocity_z_node))
    assert error < 1e-6 * size


@pytest.mark.parametrize("solver", ["builtin", "direct"])
def test_solcx_through_the_solver(solver):
    """Second order for a jump of viscosity that no crystal describes."""
    solcx = SolCx(contrast=1e4)
    options = dataclasses.replace(SceneOptions(), matrix_viscosity=1.0, gravity=1.0)
    errors = []
    for cells in (16, 32):
        grid = Grid(cells, cells, 0, 1, 0, 1)
        exact = solcx.fields(grid)
        cases = with_fields(
            make_cases([[]], grid, options),
            viscosity=exact.viscosity_cell,
            density_face=2700 + exact.density_face,
        )
        found = solve(cases, solver, tolerance=1e-6).velocity_x.values[0]
        errors.append(np.linalg.norm(found - exact.velocity_x) / np.linalg.norm(exact.velocity_x))
    assert np.log2(errors[0] / errors[1]) > 1.9


def test_fields_of_a_crystal_give_the_flow_of_the_crystal():
    crystal = {"x": 100, "z": -200, "radius": 150, "density": 2900, "viscosity": 1e23}
    cases = make_cases([[crystal]], Grid(32, 32))
    scene = rasterise(next(crystalsim.iterate_cases(cases)), Grid(32, 32))
    given = with_fields(
        make_cases([[]], Grid(32, 32)),
        viscosity=scene.viscosity_cell,
        viscosity_corner=scene.viscosity_corner,
        density_face=2700 + scene.density_face,
    )
    expected = solve(cases, tolerance=1e-10).velocity_z.values
    found = solve(given, tolerance=1e-10).velocity_z.values
    assert np.abs(found - expected).max() < 1e-10 * np.abs(expected).max()


def test_fields_come_back_with_the_solution_and_survive_a_file(tmp_path):
    cases = with_fields(make_cases([[]], Grid(8, 8)), viscosity=np.full((8, 8), 1e20))
    solution = solve(cases)
    assert (solution.viscosity == 1e20).all()
    crystalsim.save(solution, tmp_path / "solution.nc")
    xr.testing.assert_identical(crystalsim.open(tmp_path / "solution.nc"), solution)


def test_impossible_fields_are_named():
    viscosity = np.full((8, 8), 1e20)
    viscosity[2, 3] = -1
    with pytest.raises(SchemaError, match=r"sample 0: viscosity = -1 Pa s; expected a positive"):
        crystalsim.validate(with_fields(make_cases([[]], Grid(8, 8)), viscosity=viscosity), "cases")


def test_rigid_crystals():
    """Infinite viscosity is the limit of high ones."""
    crystal = {"x": 0, "z": 0, "radius": 200, "density": 2900}
    flows = [
        solve(make_cases([[{**crystal, "viscosity": eta}]], Grid(32, 32)), tolerance=1e-8)
        for eta in (1e30, np.inf)
    ]
    gap = np.abs(flows[0].velocity_z - flows[1].velocity_z).max()
    # The exponent of the mean tends to that of rigid crystals with the root of the contrast.
    assert gap < 2e-6 * np.abs(flows[1].velocity_z).max()
