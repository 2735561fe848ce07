"""Velocities and spins of crystals without their flow."""

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim.stokes.crystal_motion import crystal_motion
from crystalsim.testing import example_cases


def solver(**options):
    return crystalsim.get("solver", "builtin", **options)


@pytest.mark.parametrize("walls", ["free_slip", "no_slip", "periodic_sides"])
@pytest.mark.parametrize("tolerance", [1.5e-2, 1e-6])
def test_it_is_the_motion_of_the_flow(walls, tolerance):
    cases = example_cases()
    motion = solver(walls=walls, tolerance=tolerance).motion(cases)
    expected = crystal_motion(solver(walls=walls, tolerance=tolerance).solve(cases))
    for name in expected.data_vars:
        scale = np.nanmax(np.abs(expected[name]))
        xr.testing.assert_allclose(motion[name], expected[name], rtol=1e-9, atol=1e-12 * scale)
        assert motion[name].attrs == expected[name].attrs
    assert set(motion.coords) == set(expected.coords)


@pytest.mark.parametrize("cells", [24, 48])
def test_a_sample_does_not_see_the_others(cells):
    """Bit by bit, in stacks of every size."""
    cases = crystalsim.get("sampler", "random", cells=cells, count=(1, 6)).sample(21, seed=2)
    whole = solver().motion(cases)
    for chosen in ([0], [20], [3, 7], list(range(5, 19))):
        part = solver().motion(cases.isel(sample=chosen))
        for name in whole.data_vars:
            assert np.array_equal(part[name], whole[name].isel(sample=chosen), equal_nan=True)


def test_fields_do_not_depend_on_the_stack():
    cases = crystalsim.get("sampler", "random", cells=32, count=(1, 6)).sample(20, seed=3)
    whole = solver().solve(cases)
    for chosen in ([0], [19, 4]):
        part = solver().solve(cases.isel(sample=chosen))
        for name in ("velocity_x", "velocity_z", "pressure", "iterations", "error_estimate"):
            assert np.array_equal(part[name], whole[name].isel(sample=chosen)), name


def test_cases_are_left_as_they_were():
    cases = example_cases()
    solver().motion(cases)
    xr.testing.assert_identical(cases, example_cases())


def test_in_batches_too(monkeypatch):
    pytest.importorskip("torch")
    from crystalsim_builtin.solver import BuiltinSolver

    cases = crystalsim.get("sampler", "random", cells=24).sample(5)
    expected = solver(tolerance=1e-8).motion(cases)
    monkeypatch.setattr(BuiltinSolver, "_device", lambda self, plain: "cpu")
    motion = solver(batch=3, tolerance=1e-8).motion(cases)
    for name in expected.data_vars:
        scale = np.nanmax(np.abs(expected[name]))
        xr.testing.assert_allclose(motion[name], expected[name], rtol=1e-6, atol=1e-7 * scale)
