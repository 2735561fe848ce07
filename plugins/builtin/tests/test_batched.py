"""Batches in torch give what one sample after the other gives in NumPy."""

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid
from crystalsim.datasets.scenes import scenes
from crystalsim.errors import OptionError
from crystalsim.stokes.isoviscous import IsoviscousOperator
from crystalsim.testing import example_cases

torch = pytest.importorskip("torch")

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU on this machine"))]  # fmt: skip


def solve_batch(cases, device, precision, tolerance):
    from crystalsim_builtin.batched import solve_batch

    grid = Grid.from_dataset(cases)
    painted = list(scenes(cases, grid))
    return solve_batch(
        [scene for _, scene in painted],
        [case.gravity for case, _ in painted],
        grid,
        tolerance=tolerance,
        maximum_iterations=2000,
        device=device,
        dtype={"double": torch.float64, "single": torch.float32}[precision],
    )


def mixed_cases():
    """One crystal, several, none, a weak one, a rigid one, of different gravity."""
    cases = example_cases((32, 28))
    cases.crystal_viscosity[3, 0] = 1e18
    cases.crystal_viscosity[0, 0] = np.inf
    cases.gravity[1] = 3.0
    return cases


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("precision", "bound"), [("double", 5e-8), ("single", 2e-4)])
def test_agrees_with_one_by_one(device, precision, bound):
    cases = mixed_cases()
    tolerance = {"double": 1e-9, "single": 1e-3}[precision]
    found = solve_batch(cases, device, precision, tolerance)
    exact = crystalsim.get("solver", "builtin", tolerance=1e-9).solve(cases)
    for i in range(4):
        for name in ("stream_function", "pressure"):
            expected = exact[name].values[i]
            difference = getattr(found, name)[i] - expected
            if name == "pressure":
                # Inside rigid crystals it is not determined, in stiff ones hardly.
                difference = difference[exact.crystal_fraction.values[i] == 0]
            assert np.linalg.norm(difference) <= bound * np.linalg.norm(expected), (i, name)
    assert (found.error <= tolerance).all()


def test_iterates_as_one_by_one():
    """With the preconditioner that both have, at a tolerance that takes double precision."""
    cases = mixed_cases()
    found = solve_batch(cases, "cpu", "double", 4e-3)
    expected = crystalsim.get("solver", "builtin", tolerance=4e-3).solve(cases)
    assert found.iterations.tolist() == expected.iterations.values.tolist()
    assert np.allclose(found.error, expected.error_estimate, rtol=1e-3, atol=1e-12)


def test_samples_of_a_batch_do_not_see_each_other():
    cases = mixed_cases()
    whole = solve_batch(cases, "cpu", "double", 1e-6)
    alone = solve_batch(cases.isel(sample=[1]), "cpu", "double", 1e-6)
    gap = np.abs(whole.stream_function[1] - alone.stream_function[0]).max()
    assert gap < 1e-12 * np.abs(alone.stream_function).max()
    assert whole.iterations[1] == alone.iterations[0]


def test_pressure_is_that_of_the_cosine_transform():
    from crystalsim.stokes.torch_isoviscous import TorchIsoviscousOperator

    grid = Grid(12, 9, 0.0, 2.0, 0.0, 1.0)
    rng = np.random.default_rng(0)
    force = rng.standard_normal((2, 9, 11)), rng.standard_normal((2, 8, 12))
    expected = IsoviscousOperator(grid).pressure(*force)
    operator = TorchIsoviscousOperator(grid, dtype=torch.float64)
    found = operator.pressure(*(torch.from_numpy(f) for f in force))
    assert np.allclose(found.numpy(), expected, atol=1e-12)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU on this machine")
def test_without_a_gpu():
    cases = example_cases((16, 16))
    with pytest.raises(OptionError, match="torch finds no GPU"):
        crystalsim.get("solver", "builtin", device="cuda").solve(cases)
    automatic = crystalsim.get("solver", "builtin", device="auto").solve(cases)
    assert automatic.converged.all()


def test_the_solver_goes_through_batches(monkeypatch):
    """Seven samples in batches of three, in order."""
    from crystalsim_builtin.solver import BuiltinSolver

    monkeypatch.setattr(BuiltinSolver, "_device", lambda self, plain: "cpu")
    cases = crystalsim.get("sampler", "random", cells=24).sample(7)
    batched = crystalsim.get("solver", "builtin", batch=3, tolerance=1e-8).solve(cases)
    monkeypatch.undo()
    single = crystalsim.get("solver", "builtin", tolerance=1e-8).solve(cases)
    gap = np.abs(batched.velocity_z - single.velocity_z).max()
    assert gap < 1e-7 * np.abs(single.velocity_z).max()
    crystalsim.validate(batched, "solutions")
