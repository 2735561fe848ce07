"""The model keeps the contract, and the symmetries and laws that it claims are exact."""

import numpy as np
import pytest
import torch

import crystalsim
from crystalsim import Grid, SceneOptions, make_cases
from crystalsim.errors import UnsupportedError
from crystalsim.learning import transport
from crystalsim.learning.batches import prepare
from crystalsim.learning.losses import relative_l2
from crystalsim.stokes.operators import velocity
from crystalsim.testing import ModelContract
from crystalsim_polarization.model import Polarization
from crystalsim_polarization.plugin import PolarizationOptions
from crystalsim_polarization.support import GEOMETRY_PARITY, Support

SMALL = {"width": 4, "geometry_width": 4, "layers": 1, "steps": 2, "epochs": 2, "device": "cpu"}


class TestPolarization(ModelContract):
    name = "polarization"
    options = SMALL
    drawn = {"viscosity_contrast": (1.0, 1e5)}  # refuses weaker crystals


def sample(samples, cells=32, seed=1, **options):
    return crystalsim.get("sampler", "random", cells=cells, **options).sample(samples, seed=seed)


@pytest.fixture(scope="module")
def solutions():
    return crystalsim.get("solver", "builtin").solve(sample(12))


def shaken(**options):
    """An untrained model with random weights everywhere: symmetries must not need training."""
    model = Polarization(PolarizationOptions(**{**SMALL, **options}))
    torch.manual_seed(0)
    model.network = model._new_network()
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.normal_(std=0.2)
    return model


@pytest.mark.parametrize("mirror", [(-1, 1), (1, -1), (-1, -1)])
def test_mirrored_samples_have_mirrored_flows(mirror):
    cases = sample(3, count=(2, 3))
    turned = cases.copy()
    for name, sign in zip(("crystal_x", "crystal_z"), mirror, strict=True):
        turned[name] = (cases[name].dims, sign * cases[name].values, cases[name].attrs)
    model = shaken(symmetric=True)
    plain, other = model.predict(cases).velocity_z.values, model.predict(turned).velocity_z.values
    back = other[:, :: mirror[1], :: mirror[0]]
    assert np.abs(back - plain).max() < 2e-5 * np.abs(plain).max()


def test_without_averaging_the_mirror_is_not_exact():
    """Or the test above would say nothing."""
    cases = sample(3, count=(2, 3))
    turned = cases.copy()
    turned["crystal_x"] = (cases.crystal_x.dims, -cases.crystal_x.values, cases.crystal_x.attrs)
    model = shaken(symmetric=False)
    plain, other = (model.predict(c).velocity_z.values for c in (cases, turned))
    assert np.abs(other[..., ::-1] - plain).max() > 1e-3 * np.abs(plain).max()


def test_crystals_may_come_in_any_order():
    cases = sample(2, count=3)
    order = [2, 0, 1]
    names = [name for name in cases.data_vars if "crystal" in cases[name].dims]
    other = cases.assign(
        {n: (cases[n].dims, cases[n].values[:, order], cases[n].attrs) for n in names}
    )
    model = shaken()
    plain, turned = (model.predict(c).velocity_z.values for c in (cases, other))
    assert np.abs(turned - plain).max() < 1e-5 * np.abs(plain).max()


@pytest.mark.parametrize("factor", [-3.0, 1e-3, 50.0])
def test_density_contrasts_scale_and_turn_the_flow(factor):
    cases = sample(2, density_contrast=(10.0, 20.0))
    other = cases.copy()
    contrast = cases.crystal_density.values - 2700.0
    values = 2700.0 + factor * contrast
    other["crystal_density"] = (cases.crystal_density.dims, values, cases.crystal_density.attrs)
    model = shaken()
    plain, scaled = (model.predict(c).velocity_z.values for c in (cases, other))
    assert np.abs(scaled - factor * plain).max() < 1e-5 * np.abs(factor * plain).max()


def test_a_network_step_is_linear_in_the_flow():
    """The geometry alone decides the map; only the lengths of the steps know the flow."""
    cases = sample(2, count=3)
    data = prepare(cases, with_solution=False)
    model = shaken()
    support = Support(data.batch, data.spacing)
    step = model.network[0]
    first, second = torch.randn(2, support.size)
    both = step(2.0 * first - 3.0 * second, support, 0)
    parts = 2.0 * step(first, support, 0) - 3.0 * step(second, support, 0)
    torch.testing.assert_close(both, parts, rtol=1e-3, atol=1e-3 * float(parts.abs().max()))


@pytest.mark.parametrize("steps", [1, 4])
def test_the_energy_falls_with_every_step_whatever_the_weights(steps):
    """1/2 t A t - t b with A = 1/D + Gamma; zero stress has zero energy."""
    data = prepare(sample(3), with_solution=False)
    energies = []
    for count in range(1, steps + 1):
        found = shaken(steps=count).flow(data.batch, data.spacing)
        support = Support(data.batch, data.spacing)
        stress = support.gather(found.normal, found.shear)
        image = support.compliance * stress + support.strain_rate(support.response(stress))
        b = support.strain_rate(data.batch.isoviscous)
        energies.append(0.5 * support.dot(stress, image) - support.dot(stress, b))
    before = torch.zeros(3)
    for energy in energies:
        assert (energy < before).all()
        before = energy


def test_untrained_steps_are_those_of_conjugate_gradients(solutions):
    """With zero weights the directions are the residuals with the diagonal preconditioner."""
    model = Polarization(PolarizationOptions(**{**SMALL, "steps": 4}))
    model.network = model._new_network()
    found = model.predict(solutions)
    solver = crystalsim.get("solver", "builtin", tolerance=2e-3, maximum_iterations=4)
    expected = solver.solve(solutions)
    gap = np.abs(found.velocity_z.values - expected.velocity_z.values).max()
    assert gap < 1e-4 * np.abs(expected.velocity_z.values).max()
    pressure = np.abs(found.pressure.values - expected.pressure.values).max()
    assert pressure < 1e-3 * np.abs(expected.pressure.values).max()


def test_neighbours_are_where_they_should_be():
    data = prepare(sample(2, cells=24), with_solution=False)
    support = Support(data.batch, data.spacing)
    nz, nx = 24, 24
    place = torch.arange(nz * nx, dtype=torch.float64).reshape(1, nz, nx).expand(2, -1, -1)
    corner = torch.arange((nz - 1) * (nx - 1), dtype=torch.float64).reshape(1, nz - 1, nx - 1)
    numbers = support.gather(place, corner.expand(2, -1, -1))
    numbers = torch.cat([numbers, numbers.new_full((1,), float("nan"))])
    around = numbers[support.neighbours[0]]
    own = around[:, 0]
    assert torch.equal(own, numbers[: support.cell_count])
    for column, step in ((1, 1), (2, -1), (3, nx), (4, -nx), (8, -nx - 1)):
        there = ~around[:, column].isnan()
        assert there.any()
        assert torch.equal(around[there, column], own[there] + step)
    # The corner (0, 0) of cell (j, i) is the interior corner (j - 1, i - 1).
    row, line = own.long() // nx, own.long() % nx
    lower_left = around[:, 9]
    there = ~lower_left.isnan()
    expected = (row - 1) * (nx - 1) + line - 1
    assert torch.equal(lower_left[there].long(), expected[there])
    assert support.geometry.shape == (support.size, len(GEOMETRY_PARITY))
    assert torch.isfinite(support.geometry).all()


def test_response_and_strain_rate_are_symmetric(solutions):
    """<a, Gamma b> = <Gamma a, b>: what makes conjugate directions work."""
    data = prepare(solutions, with_solution=False)
    support = Support(data.batch, data.spacing)
    first, second = torch.randn(2, support.size)
    images = [support.strain_rate(support.response(v)) for v in (first, second)]
    torch.testing.assert_close(
        support.dot(first, images[1]), support.dot(second, images[0]), rtol=1e-3, atol=1e-3
    )


def test_weak_crystals_are_refused_by_name(solutions):
    weak = sample(1, viscosity_contrast=0.5)
    with pytest.raises(UnsupportedError, match="less viscous than the magma"):
        shaken().predict(weak)


def test_contrast_of_one_and_rigid_crystals():
    crystal = {"x": 0.0, "z": 100.0, "radius": 200.0, "density": 2900.0}
    model = shaken()
    grid = Grid(32, 32)
    still, rigid, stiff = (
        model.predict(make_cases([[{**crystal, "viscosity": eta}]], grid, SceneOptions()))
        for eta in (1e20, np.inf, 1e28)
    )
    assert np.isfinite(rigid.velocity_z.values).all()
    gap = np.abs(rigid.velocity_z.values - stiff.velocity_z.values).max()
    assert gap < 1e-4 * np.abs(rigid.velocity_z.values).max()
    isoviscous = crystalsim.get("model", "isoviscous").predict(still)
    assert np.allclose(still.velocity_z, isoviscous.velocity_z, rtol=1e-6)


def test_refining_reaches_the_solver(solutions):
    """A prediction brings its extra stress; a solver starts from it."""
    tight = crystalsim.get("solver", "builtin", tolerance=1e-5)
    exact, refined = (
        tight.solve(solutions),
        tight.solve_from(solutions, shaken(steps=4).predict(solutions)),
    )
    gap = np.abs(refined.velocity_z.values - exact.velocity_z.values).max()
    assert gap < 1e-4 * np.abs(exact.velocity_z.values).max()


@pytest.mark.slow
def test_learns_far_below_the_error_of_the_grid():
    """In half a minute: 0.1 % for 1-3 crystals, 0.4 % for ten that it has never seen."""
    solver = crystalsim.get("solver", "builtin", tolerance=1e-3)
    training, held_out = solver.solve(sample(400, seed=5)), solver.solve(sample(40, seed=6))
    ten = solver.solve(sample(20, seed=7, count=10))
    model = crystalsim.get("model", "polarization", epochs=8, device="cpu")
    model.fit(training, held_out, seed=0)
    for truth, bound in ((held_out, 1e-3), (ten, 4e-3)):
        scores = crystalsim.get("evaluator", "fields").evaluate(truth, model.predict(truth))
        assert float(scores.relative_l2.mean()) < bound


def test_transport_is_the_solve_of_the_flow(solutions):
    """Dilute stress through `transport` is the baseline `dilute`."""
    data = prepare(solutions, with_solution=True)
    lone = transport.response(*transport.dilute(data.batch, *data.spacing), *data.spacing)
    found = velocity(data.batch.isoviscous - lone, *data.spacing)
    expected = crystalsim.get("model", "dilute").predict(solutions)
    over = torch.from_numpy(data.velocity_scale)[:, None, None]
    truth = [torch.from_numpy(expected[n].values) / over for n in ("velocity_x", "velocity_z")]
    assert float(relative_l2(*found, *(t.float() for t in truth)).max()) < 1e-5
