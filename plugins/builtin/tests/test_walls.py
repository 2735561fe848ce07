"""Walls that hold the magma."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sparse
import scipy.sparse.linalg

import crystalsim
from crystalsim import Grid, SceneOptions, iterate_cases, make_cases
from crystalsim.errors import UnsupportedError
from crystalsim.scene import rasterise
from crystalsim.schema import VARIABLES, attributes
from crystalsim.stokes import diagnostics, operators

CRYSTALS = [
    {"x": -300, "z": 100, "radius": 150, "density": 2900, "viscosity": 1e24},
    {"x": 350, "z": -200, "radius": 120, "density": 2600, "viscosity": 1e21},
]


def solve(cases, **options):
    return crystalsim.get("solver", "builtin", walls="no_slip", **options).solve(cases)


def manufactured(cells):
    """``psi = sin(pi x)**2 sin(pi z)**2``, at rest on the walls of the unit square."""
    grid = Grid(cells, cells, 0, 1, 0, 1)
    x, z = np.pi * grid.x_face, np.pi * grid.z_face[:, None]

    def derivatives(t):
        wave = np.cos(2 * t)
        return np.sin(t) ** 2, 2 * np.pi**2 * wave, -8 * np.pi**4 * wave

    (a, a2, a4), (b, b2, b4) = derivatives(x), derivatives(z)
    curl = a4 * b + 2 * a2 * b2 + a * b4
    density = np.pad(-grid.hx * np.cumsum(curl[:, 1:-1], axis=1), ((0, 0), (1, 0)))
    options = dataclasses.replace(SceneOptions(), matrix_viscosity=1.0, gravity=1.0)
    field = (VARIABLES["density_face"].dims, 2700 + density[None], attributes("density_face"))
    cases = make_cases([[]], grid, options).assign(density_face=field)
    return cases, operators.velocity(a * b, grid.hx, grid.hz)


def test_second_order_against_a_closed_form():
    errors = []
    for cells in (16, 32, 64):
        cases, exact = manufactured(cells)
        found = solve(cases, tolerance=1e-8)
        gap = np.hypot(
            np.linalg.norm(found.velocity_x.values[0] - exact[0]),
            np.linalg.norm(found.velocity_z.values[0] - exact[1]),
        )
        errors.append(gap / np.hypot(*(np.linalg.norm(e) for e in exact)))
    assert errors[-1] < 2e-3
    assert np.log2(np.array(errors[:-1]) / np.array(errors[1:])).min() > 1.95


@pytest.mark.parametrize("shape", [(24, 24), (30, 20)])
def test_against_a_direct_solve(shape):
    """``S' eta S`` with half a cell of sheared magma at each wall, assembled column by column."""
    grid = Grid(*shape, -1000, 1000, -700, 800)
    cases = make_cases([CRYSTALS], grid)
    case = next(iterate_cases(cases))
    scene = rasterise(case, grid)
    count = (grid.nz - 1) * (grid.nx - 1)
    columns = []
    for unit in np.eye(count).reshape(count, grid.nz - 1, grid.nx - 1):
        # Ghost corners beyond a wall mirror those inside: the face beyond moves the other way.
        psi = np.pad(operators.pad_walls(unit), 1)
        psi[0], psi[-1] = psi[2], psi[-3]
        psi[:, 0], psi[:, -1] = psi[:, 2], psi[:, -3]
        normal, shear = operators.strain_rate(psi, grid.hx, grid.hz)
        columns.append(np.concatenate([normal[1:-1, 1:-1].ravel(), shear.ravel()]))
    strain = sparse.csc_array(np.array(columns).T)
    corner = scene.viscosity_corner.copy()
    corner[[0, -1]] *= 0.5
    corner[:, [0, -1]] *= 0.5
    weights = np.concatenate([scene.viscosity_cell.ravel(), corner.ravel()])
    matrix = (strain.T @ sparse.diags_array(weights) @ strain).tocsc()
    rhs = -case.gravity * operators.buoyancy_curl(scene.density_face, grid.hx).ravel()
    psi = scipy.sparse.linalg.spsolve(matrix, rhs).reshape(grid.nz - 1, grid.nx - 1)
    found = solve(cases, tolerance=1e-10).stream_function.values[0, 1:-1, 1:-1]
    assert np.abs(found - psi).max() < 1e-7 * np.abs(psi).max()


def test_walls_slow_the_flow_and_hold_the_magma():
    grid = Grid(64, 64)
    cases = make_cases([CRYSTALS], grid)
    held, free = solve(cases), crystalsim.get("solver", "builtin").solve(cases)
    assert np.abs(held.velocity_z).max() < 0.95 * np.abs(free.velocity_z).max()
    beside = [np.abs(s.velocity_z.values[0, :, 0]).max() for s in (held, free)]
    assert beside[0] < 0.3 * beside[1]
    assert held.attrs["walls"] == "no_slip"


def test_pressure_balances_the_forces():
    """Where the flow has converged, div(stress) - grad p + buoyancy is a gradient of nothing."""
    cases, _ = manufactured(32)
    found = solve(cases, tolerance=1e-10)
    grid = Grid.from_dataset(cases)
    psi = found.stream_function.values[0]
    normal, inner = operators.strain_rate(psi, grid.hx, grid.hz)
    shear = operators.pad_walls(inner)
    shear[0], shear[-1] = 2 * psi[1] / grid.hz**2, 2 * psi[-2] / grid.hz**2
    shear[:, 0], shear[:, -1] = -2 * psi[:, 1] / grid.hx**2, -2 * psi[:, -2] / grid.hx**2
    density = cases.density_face.values[0] - 2700.0
    force_x, force_z = operators.force(normal, shear, density, 1.0, grid.hx, grid.hz)
    pressure = found.pressure.values[0]
    gap_x = force_x - np.diff(pressure, axis=1) / grid.hx
    gap_z = force_z - np.diff(pressure, axis=0) / grid.hz
    size = max(np.abs(force_x).max(), np.abs(force_z).max())
    assert max(np.abs(gap_x).max(), np.abs(gap_z).max()) < 1e-6 * size


def test_few_more_iterations_than_with_free_slip():
    cases = crystalsim.get("sampler", "random", cells=96).sample(5, seed=1)
    held, free = solve(cases), crystalsim.get("solver", "builtin").solve(cases)
    assert held.converged.all()
    assert (held.iterations <= free.iterations + 8).all()


def test_other_walls_are_refused_where_only_free_slip_is_known():
    solution = solve(make_cases([CRYSTALS], Grid(16, 16)))
    with pytest.raises(UnsupportedError, match="walls = 'no_slip'"):
        diagnostics.vorticity(solution)
    with pytest.raises(UnsupportedError, match="walls = 'no_slip'"):
        crystalsim.get("model", "unet", epochs=1, device="cpu").fit(solution, solution)
