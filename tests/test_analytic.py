"""Against solutions that do not come from a grid: order of convergence."""

import numpy as np
import pytest

from crystalsim import Grid, iterate_cases, make_cases
from crystalsim.scene.painting import Scene
from crystalsim.stokes.analytic import SolCx, SolVi, isoviscous_discs
from crystalsim.stokes.extra_stress import ExtraStressSystem
from crystalsim.stokes.isoviscous import solve_isoviscous
from crystalsim.stokes.operators import pad_walls, velocity

strategy = pytest.importorskip("crystalsim_builtin.strategy")


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def orders(errors):
    return np.log2(np.array(errors[:-1]) / np.array(errors[1:]))


def test_isoviscous_discs_converge_to_the_fourier_series():
    errors = []
    for cells in (32, 64, 128):
        grid = Grid(cells, cells)
        crystals = [
            {"x": 120, "z": -70, "radius": 150, "density": 2900, "viscosity": 1e20},
            {"x": -300, "z": 370, "radius": 80, "density": 3000, "viscosity": 1e20},
        ]
        cases = make_cases([crystals], grid)
        exact = isoviscous_discs(next(iterate_cases(cases)), grid)
        ours, _ = solve_isoviscous(cases)
        fluxes = [
            np.concatenate([v.ravel() for v in velocity(psi, grid.hx, grid.hz)])
            for psi in (ours[0], exact)
        ]
        errors.append(relative(*fluxes))
    assert errors[-1] < 6e-4
    assert orders(errors).min() > 1.9


def solve_solcx(solution, cells_x, cells_z):
    grid = Grid(cells_x, cells_z, 0, 1, 0, 1)
    exact = solution.fields(grid)
    empty = np.zeros((grid.nz, grid.nx))
    scene = Scene(
        empty,
        empty.astype(np.int16),
        exact.viscosity_cell,
        exact.viscosity_corner,
        exact.density_face,
    )
    system = ExtraStressSystem(scene, grid, reference_viscosity=1.0, gravity=1.0)
    [result] = strategy.solve_systems([system], 1e-8, 5000, [None])
    units = system.scales
    psi = pad_walls(result.stream_function) * units.velocity * units.length
    pressure = system.pressure(result.stream_function, result.extra_stress) * units.stress
    velocity_x, velocity_z = velocity(psi, grid.hx, grid.hz)
    return (
        relative(velocity_x, exact.velocity_x),
        relative(velocity_z, exact.velocity_z),
        relative(pressure, exact.pressure),
    )


@pytest.mark.parametrize(("contrast", "m"), [(1e6, np.pi), (1e3, 3 * np.pi), (10.0, 2 * np.pi)])
def test_solcx_is_second_order(contrast, m):
    solution = SolCx(contrast=contrast, m=m)
    errors = np.array([solve_solcx(solution, n, n) for n in (32, 64, 128)])
    for name, column in zip(("velocity_x", "velocity_z", "pressure"), errors.T, strict=True):
        assert orders(column).min() > 1.9, (name, column)


def test_solcx_with_cells_that_are_not_square():
    coarse, fine = (np.array(solve_solcx(SolCx(), nx, nz)) for nx, nz in ((32, 48), (64, 96)))
    assert np.log2(coarse / fine).min() > 1.9


def test_solcx_satisfies_the_momentum_equation():
    """The closed form itself, by finite differences of high order away from the jump."""
    solution = SolCx(contrast=7.0)
    x = np.array([0.21, 0.77])
    eta = np.array([1.0, 7.0])
    k, m = solution.k, solution.m
    left = eta * (
        solution.profile(x, 4) - 2 * k**2 * solution.profile(x, 2) + k**4 * solution.profile(x)
    )
    assert left == pytest.approx(m * np.sin(m * x), rel=1e-9)
    step = 1e-4
    numeric = (solution.profile(x + step) - solution.profile(x - step)) / (2 * step)
    assert numeric == pytest.approx(solution.profile(x, 1), rel=1e-6)


@pytest.mark.parametrize("contrast", [1e-2, 7.0, 1e4])
def test_solvi_satisfies_the_equations(contrast):
    """Velocity and traction continuous at the disc, biharmonic around it, driven as stated."""
    known = SolVi(contrast)
    angle = np.linspace(0.1, 1.4, 7)
    x, z = np.cos(angle), np.sin(angle)

    def psi(r):
        return known.stream_function(known.centre[0] + r * x, known.centre[1] + r * z)

    step = 2e-3
    # In e(r, theta) = (psi_rr - psi_r / r + 4 psi / r**2) / 2; one-sided, exact for these powers.
    tractions, gradients = [], []
    for sign, eta in ((-1, contrast), (1, 1.0)):
        r = known.radius + sign * step * np.arange(7)
        values = np.array([psi(one) for one in r])
        fit = np.polynomial.polynomial.polyfit((r - known.radius) / step, values, 6)
        first, second = fit[1] / step, 2 * fit[2] / step**2
        gradients.append(first)
        tractions.append(eta * (second - first / known.radius + 4 * fit[0] / known.radius**2))
    np.testing.assert_allclose(*gradients, rtol=1e-5)
    np.testing.assert_allclose(*tractions, rtol=1e-3)

    h = 4e-3
    offsets = h * np.arange(-3, 4)
    weights = np.array([2, -27, 270, -490, 270, -27, 2]) / (180 * h**2)

    def laplace(function, x, z):
        along_x = sum(w * function(x + d, z) for w, d in zip(weights, offsets, strict=True))
        return along_x + sum(w * function(x, z + d) for w, d in zip(weights, offsets, strict=True))

    for r in (0.5 * (known.radius + known.inner), 0.45, 0.6, 0.8):
        at = known.centre[0] + r * x, known.centre[1] + r * z
        found = laplace(lambda a, b: laplace(known.stream_function, a, b), *at)
        # The largest curl is some 1800.
        assert found == pytest.approx(known.force_curl(*at), abs=5.0)
    assert np.abs(psi(known.outer)).max() < 1e-9
