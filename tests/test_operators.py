"""The discrete operators fit together: exactly, not approximately."""

import numpy as np
import pytest

from crystalsim import Grid
from crystalsim.stokes import operators
from crystalsim.stokes.isoviscous import IsoviscousOperator

GRID = Grid(20, 13, 0.0, 2.0, 0.0, 1.1)
HX, HZ = GRID.hx, GRID.hz


@pytest.fixture
def psi():
    interior = np.random.default_rng(0).standard_normal((3, GRID.nz - 1, GRID.nx - 1))
    return operators.pad_walls(interior)


def test_velocity_is_divergence_free_and_stays_inside(psi):
    velocity_x, velocity_z = operators.velocity(psi, HX, HZ)
    divergence = operators.divergence(velocity_x, velocity_z, HX, HZ)
    assert np.abs(divergence).max() < 1e-13 * np.abs(velocity_x).max() / HX
    assert np.abs(velocity_x[..., [0, -1]]).max() == 0
    assert np.abs(velocity_z[..., [0, -1], :]).max() == 0


def test_stream_function_comes_back_from_the_velocity(psi):
    velocity = operators.velocity(psi, HX, HZ)
    found = operators.stream_function_from_velocity(*velocity, HX, HZ)
    assert np.abs(found - psi).max() < 1e-13 * np.abs(psi).max()


def test_adjoint_of_the_strain_rate(psi):
    rng = np.random.default_rng(1)
    normal, shear = operators.strain_rate(psi, HX, HZ)
    t, s = rng.standard_normal(normal.shape), rng.standard_normal(shear.shape)
    forward = (normal * t).sum() + (shear * s).sum()
    backward = (psi[..., 1:-1, 1:-1] * operators.strain_rate_adjoint(t, s, HX, HZ)).sum()
    assert forward == pytest.approx(backward, rel=1e-12)


def test_isoviscous_operator_inverts_the_discrete_biharmonic(psi):
    rhs = operators.strain_rate_adjoint(*operators.strain_rate(psi, HX, HZ), HX, HZ)
    found = IsoviscousOperator(GRID).solve(rhs)
    assert np.abs(found - psi[..., 1:-1, 1:-1]).max() < 1e-10 * np.abs(psi).max()


def test_strain_rate_is_that_of_the_velocity(psi):
    velocity_x, velocity_z = operators.velocity(psi, HX, HZ)
    normal, shear = operators.strain_rate(psi, HX, HZ)
    assert np.allclose(normal, 2 * np.diff(velocity_x, axis=-1) / HX)
    expected = (
        np.diff(velocity_x[..., 1:-1], axis=-2) / HZ
        + np.diff(velocity_z[..., 1:-1, :], axis=-1) / HX
    )
    assert np.allclose(shear, expected)
    turn = operators.vorticity(psi, HX, HZ)
    expected = (
        np.diff(velocity_z[..., 1:-1, :], axis=-1) / HX
        - np.diff(velocity_x[..., 1:-1], axis=-2) / HZ
    )
    assert np.allclose(turn, expected)


def test_pressure_balances_a_gradient():
    pressure = np.random.default_rng(2).standard_normal((GRID.nz, GRID.nx))
    pressure -= pressure.mean()
    gradient = np.diff(pressure, axis=1) / HX, np.diff(pressure, axis=0) / HZ
    assert np.allclose(IsoviscousOperator(GRID).pressure(*gradient), pressure)


def test_buoyancy_does_the_work_of_its_curl(psi):
    density = np.random.default_rng(3).standard_normal((GRID.nz + 1, GRID.nx))
    _, velocity_z = operators.velocity(psi[0], HX, HZ)
    work = -(density * velocity_z)[1:-1].sum()
    curl = -operators.buoyancy_curl(density, HX)
    assert work == pytest.approx((curl * psi[0, 1:-1, 1:-1]).sum(), rel=1e-12)


@pytest.mark.parametrize("name", ["velocity", "strain_rate"])
def test_torch_tensors_give_the_same(psi, name):
    torch = pytest.importorskip("torch")
    ours = getattr(operators, name)(psi, HX, HZ)
    theirs = getattr(operators, name)(torch.from_numpy(psi), HX, HZ)
    for a, b in zip(ours, theirs, strict=True):
        assert np.array_equal(a, b.numpy())
    adjoint = operators.strain_rate_adjoint(
        *operators.strain_rate(torch.from_numpy(psi), HX, HZ), HX, HZ
    )
    expected = operators.strain_rate_adjoint(*operators.strain_rate(psi, HX, HZ), HX, HZ)
    assert np.allclose(adjoint.numpy(), expected)
