"""The torch layer: units, walls, symmetry, losses, reproducibility and resuming."""

import dataclasses
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import crystalsim
from crystalsim import Grid, SceneOptions, make_cases
from crystalsim.errors import OptionError, StoreError, UnsupportedError
from crystalsim.learning import heads, losses, transport
from crystalsim.learning.batches import FEATURES, features, prepare
from crystalsim.learning.losses import relative_l2, relative_strain, strain_of_velocity
from crystalsim.learning.options import SurrogateOptions
from crystalsim.learning.surrogate import TorchSurrogate
from crystalsim.options import make_options
from crystalsim.stokes.crystal_motion import crystal_motion
from crystalsim.stokes.isoviscous import IsoviscousOperator
from crystalsim.stokes.operators import divergence, strain_rate, velocity
from crystalsim.stokes.torch_isoviscous import TorchIsoviscousOperator, sine_matrix
from crystalsim.testing import example_cases


class TwoLayers(TorchSurrogate):
    """All that a torch model plugin has to write; dropout draws from torch's own generator."""

    def build_network(self, inputs, outputs):
        return nn.Sequential(
            nn.Conv2d(inputs, 8, 3, padding=1),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Conv2d(8, outputs, 3, padding=1),
        )


def make(**options):
    return TwoLayers(SurrogateOptions(**{"epochs": 4, "batch_size": 4, "device": "cpu"} | options))


@pytest.fixture(scope="module")
def solutions():
    cases = crystalsim.get("sampler", "random", cells=24).sample(10, seed=1)
    return crystalsim.get("solver", "builtin").solve(cases)


@pytest.fixture(scope="module", params=["stream_function", "velocity"])
def fitted(request, solutions):
    model = make(predicts=request.param)
    model.fit(solutions, solutions, seed=0)
    return model


def weights(model):
    return {name: tensor.clone() for name, tensor in model.network.state_dict().items()}


def assert_same_weights(first, second):
    for name, tensor in weights(first).items():
        assert torch.equal(tensor, weights(second)[name]), name


def scaled_cases(density=1.0, length=1.0, viscosity=1.0):
    """Two crystals in SI units, scaled."""
    options = SceneOptions(matrix_viscosity=1e20 * viscosity)
    grid = Grid(24, 20, *(length * wall for wall in (-1000.0, 1000.0, -800.0, 800.0)))
    crystals = [
        {
            "x": length * x,
            "z": length * z,
            "radius": length * radius,
            "density": 2700.0 + density * excess,
            "viscosity": 1e24 * viscosity,
        }
        for x, z, radius, excess in ((-300, 100, 150, 200), (400, -200, 120, 128))
    ]
    return make_cases([crystals], grid, options)


@pytest.mark.parametrize(
    ("scaling", "factor"),
    [
        ({"density": 8.0}, 8.0),
        ({"density": 10.0}, 10.0),
        ({"viscosity": 1e-7}, 1e7),
        ({"length": 1e-3}, 1e-6),
        ({"density": 3.0, "length": 50.0, "viscosity": 1e5}, 3.0 * 50.0**2 / 1e5),
    ],
    ids=str,
)
def test_units_and_densities_only_scale_the_flow(fitted, scaling, factor):
    """velocity ~ density contrast * length**2 / viscosity, to single precision's rounding."""
    plain, scaled = fitted.predict(scaled_cases()), fitted.predict(scaled_cases(**scaling))
    for name in ("velocity_x", "velocity_z"):
        expected = factor * plain[name].values
        gap = np.abs(scaled[name].values - expected).max()
        assert gap < 2e-6 * np.abs(expected).max()


def test_a_power_of_two_in_density_scales_exactly(fitted):
    plain, scaled = fitted.predict(scaled_cases()), fitted.predict(scaled_cases(density=8.0))
    np.testing.assert_array_equal(scaled.velocity_z.values, 8.0 * plain.velocity_z.values)


@pytest.mark.parametrize("cells", [(24, 20), (100, 60), (33, 64)])
def test_walls_and_divergence_on_unseen_grids(fitted, cells):
    prediction = fitted.predict(example_cases(cells))
    grid = Grid.from_dataset(prediction)
    vx, vz = prediction.velocity_x.values, prediction.velocity_z.values
    largest = np.abs(vz).max()
    assert largest > 0
    assert np.isfinite(vx).all()
    assert np.isfinite(vz).all()
    assert np.abs(vx[..., [0, -1]]).max() == 0
    assert np.abs(vz[:, [0, -1]]).max() == 0
    rate = np.abs(divergence(vx, vz, grid.hx, grid.hz)).max() * grid.hx / largest
    if fitted.options.predicts == "stream_function":
        assert rate < 1e-13
        assert "stream_function" in prediction
    else:
        assert "stream_function" not in prediction


def test_nothing_moves_where_nothing_drives_a_flow(fitted):
    """Biases of a trained network must not move a sample without crystals."""
    prediction = fitted.predict(example_cases())
    assert np.abs(prediction.velocity_z.values[2]).max() == 0
    assert np.abs(prediction.velocity_z.values[0]).max() > 0


@pytest.mark.parametrize("background", ["none", "isoviscous", "dilute"])
def test_a_sample_without_flow_does_not_spoil_training(background):
    data = crystalsim.get("solver", "builtin").solve(example_cases())
    model = make(background=background, epochs=12, learning_rate=1e-2)
    history = model.fit(data, data, seed=0)
    errors = history.validation_relative_l2.values
    assert np.isfinite(history.training_loss.values).all()
    assert errors[-1] < errors[0]


def test_an_exact_background_gives_finite_slopes():
    """Without viscosity contrast the untrained network of a plugin is already right."""
    cases = example_cases()
    cases["crystal_viscosity"] = 1e20 + 0 * cases.crystal_viscosity
    data = crystalsim.get("solver", "builtin").solve(cases)
    history = crystalsim.get("model", "unet", width=2, levels=2, epochs=2, device="cpu").fit(
        data, data, seed=0
    )
    assert np.isfinite(history.training_loss.values).all()


def test_training_that_diverges_says_so(solutions):
    broken = solutions.assign(velocity_x=np.nan * solutions.velocity_x)
    with pytest.raises(OptionError, match=r"diverged in epoch 1 .*learning_rate"):
        make().fit(broken, solutions, seed=0)


@pytest.mark.parametrize("in_x", [False, True])
@pytest.mark.parametrize("in_z", [False, True])
def test_mirrored_batches_are_those_of_mirrored_samples(in_x, in_z):
    """Augmentation is exact: solve the mirrored sample and compare every tensor."""
    cases = crystalsim.get("sampler", "random", cells=20, count=2).sample(3, seed=4)
    mirrored = cases.copy(deep=True)
    if in_x:
        mirrored["crystal_x"] = -cases.crystal_x
    if in_z:
        mirrored["crystal_z"] = -cases.crystal_z
    solver = crystalsim.get("solver", "builtin", tolerance=1e-8)
    expected = prepare(solver.solve(mirrored), with_solution=True).batch
    found = prepare(solver.solve(cases), with_solution=True).batch.mirrored(in_x, in_z)
    for name, ours, theirs in zip(found._fields, found, expected, strict=True):
        gap = float((ours - theirs).abs().max() / theirs.abs().max())
        assert gap < 1e-4, name


def test_features_are_of_order_one(solutions):
    data = prepare(solutions, with_solution=False)
    lone = transport.response(*transport.dilute(data.batch, *data.spacing), *data.spacing)
    made = features(data.batch, -lone, *data.spacing)
    assert made.shape == (10, FEATURES, 25, 25)
    sizes = made.square().mean(dim=(0, 2, 3)).sqrt()
    assert torch.isfinite(made).all()
    assert float(sizes.min()) > 0.01
    assert float(sizes.max()) < 5.0


def test_relative_l2_of_known_fields():
    vx, vz = torch.randn(3, 8, 9), torch.randn(3, 9, 8)
    torch.testing.assert_close(relative_l2(1.1 * vx, 1.1 * vz, vx, vz), torch.full((3,), 0.1))
    torch.testing.assert_close(relative_l2(0 * vx, 0 * vz, vx, vz), torch.ones(3))
    three, four = torch.full((1, 2, 2), 3.0), torch.full((1, 2, 2), 4.0)
    none = torch.zeros(1, 2, 2)
    # The error is in one component, the norm in both: 4 / 5.
    torch.testing.assert_close(relative_l2(three, none, three, four), torch.tensor([0.8]))


def test_relative_strain_of_known_fields():
    psi = torch.zeros(2, 9, 11)
    psi[:, 1:-1, 1:-1] = torch.randn(2, 7, 9)
    vx, vz = velocity(psi, 0.1, 0.2)
    found = relative_strain(0.7 * vx, 0.7 * vz, vx, vz, 0.1, 0.2)
    torch.testing.assert_close(found, torch.full((2,), 0.3))
    for ours, theirs in zip(
        strain_of_velocity(vx, vz, 0.1, 0.2), strain_rate(psi, 0.1, 0.2), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)


def test_losses_have_finite_slopes_where_they_vanish():
    vx, vz = torch.randn(2, 8, 9), torch.randn(2, 9, 8)
    vx[1], vz[1] = 0.0, 0.0
    found_x, found_z = vx.clone().requires_grad_(), vz.clone().requires_grad_()
    loss = relative_l2(found_x, found_z, vx, vz)
    loss = loss + relative_strain(found_x, found_z, vx, vz, 0.1, 0.1)
    loss.sum().backward()
    assert torch.isfinite(found_x.grad).all()
    assert torch.isfinite(found_z.grad).all()


def exact_flow(count=2, contrast=1e4):
    """A flow whose extra stress is exact, with the batch it belongs to."""
    cases = crystalsim.get(
        "sampler", "random", cells=32, count=count, viscosity_contrast=contrast
    ).sample(3, seed=5)
    truth = crystalsim.get("solver", "builtin", tolerance=1e-9, extra_stress=True).solve(cases)
    data = prepare(truth, with_solution=True)
    stress = data.stress_scale[:, None, None]
    normal = truth.extra_stress_xx.values / stress
    shear = truth.extra_stress_xz.values[:, 1:-1, 1:-1] / stress
    normal, shear = (torch.from_numpy(t.astype(np.float32)) for t in (normal, shear))
    return heads.of_stress(normal, shear, data.batch, *data.spacing), data, truth


@pytest.mark.parametrize("contrast", [3.0, 1e4])
def test_every_loss_vanishes_for_the_exact_flow_and_not_for_another(contrast):
    exact, data, _ = exact_flow(contrast=contrast)
    nothing = heads.of_stress(0 * exact.normal, 0 * exact.shear, data.batch, *data.spacing)
    for name, loss in losses.LOSSES.items():
        found = loss(exact, data.batch, data.spacing)
        assert found.shape == (3,), name
        if name == "rigidity" and contrast < 100:
            continue
        # The strain inside stiff crystals is below single precision: see `momentum`.
        if not (name == "momentum" and contrast > 1e3):
            assert float(found.max()) < (0.02 if name == "rigidity" else 2e-3), name
        if name not in ("divergence", "mean_square"):
            assert float(loss(nothing, data.batch, data.spacing).max()) > 2e-3, name
    shaken = exact._replace(velocity_x=exact.velocity_x + 0.1)
    assert float(losses.mean_square(shaken, data.batch, data.spacing).min()) > 1e-5
    bent = exact._replace(velocity_x=exact.velocity_x * torch.linspace(0.5, 1.5, 33))
    assert float(losses.divergence(bent, data.batch, data.spacing).min()) > 1e-2


def test_extra_stress_gives_the_flow_of_the_solver():
    exact, data, truth = exact_flow()
    unit = data.velocity_scale[:, None, None]
    gap = np.abs(exact.velocity_z.numpy() * unit - truth.velocity_z.values).max()
    assert gap < 1e-4 * np.abs(truth.velocity_z.values).max()


def test_crystal_velocities_are_those_of_the_crystals():
    exact, data, truth = exact_flow()
    found = losses.crystal_velocities(
        exact.velocity_x, exact.velocity_z, data.batch, data.spacing
    ).numpy()
    expected = crystal_motion(truth).crystal_velocity_z.values / data.velocity_scale[:, None]
    assert np.abs(found[..., 1] - expected).max() < 0.05 * np.abs(expected).max()


def test_losses_are_composed_by_their_weights():
    exact, data, _ = exact_flow()
    other = exact._replace(velocity_x=1.1 * exact.velocity_x, velocity_z=1.1 * exact.velocity_z)
    options = SurrogateOptions(velocity_weight=2.0, strain_weight=0.0, divergence_weight=3.0)
    found = losses.total(other, data.batch, data.spacing, options)
    expected = 2 * losses.velocity(other, data.batch, data.spacing)
    expected += 3 * losses.divergence(other, data.batch, data.spacing)
    torch.testing.assert_close(found, expected)
    none = SurrogateOptions(velocity_weight=0.0, strain_weight=0.0)
    with pytest.raises(OptionError, match="all are zero"):
        losses.total(other, data.batch, data.spacing, none)
    velocity_alone = other._replace(normal=None, shear=None)
    stressed = SurrogateOptions(constitutive_weight=1.0)
    with pytest.raises(OptionError, match="predicts the extra stress"):
        losses.total(velocity_alone, data.batch, data.spacing, stressed)


def test_training_without_solutions_learns(solutions):
    """Only losses that need none: the velocity error falls all the same."""
    model = make(
        predicts="extra_stress",
        velocity_weight=0.0,
        strain_weight=0.0,
        constitutive_weight=1.0,
        epochs=12,
    )
    history = model.fit(solutions, solutions, seed=0)
    errors = history.validation_relative_l2.values
    assert errors[-1] < errors[0]
    prediction = model.predict(solutions)
    assert {"pressure", "extra_stress_xx", "stream_function"} <= set(prediction)
    gap = prediction.pressure - solutions.pressure
    assert float(np.abs(gap).mean()) < 0.3 * float(np.abs(solutions.pressure).mean())


def test_media_on_the_grid_are_refused(fitted, solutions):
    given = solutions.assign(viscosity=solutions.pressure * 0 + 1e20)
    with pytest.raises(UnsupportedError, match="variable 'viscosity'"):
        fitted.predict(given)


def test_training_on_several_grids(solutions):
    finer = crystalsim.get("solver", "builtin").solve(
        crystalsim.get("sampler", "random", cells=32).sample(6, seed=2)
    )
    model, again = make(), make()
    history = model.fit_parts([solutions, finer], [finer, solutions], seed=0)
    again.fit_parts([solutions, finer], [finer, solutions], seed=0)
    assert np.isfinite(history.training_loss.values).all()
    assert_same_weights(model, again)


def test_same_seed_same_weights_and_another_seed_others(solutions):
    first, second, other = make(), make(), make()
    first.fit(solutions, solutions, seed=3)
    second.fit(solutions, solutions, seed=3)
    other.fit(solutions, solutions, seed=4)
    assert_same_weights(first, second)
    assert not torch.equal(weights(first)["0.weight"], weights(other)["0.weight"])


def test_subset_equals_slice(fitted):
    """Whatever batch a sample falls into; to single precision's rounding."""
    cases = crystalsim.get("sampler", "random", cells=24).sample(21, seed=9)
    order = [20, 3, 17]
    whole, part = fitted.predict(cases).isel(sample=order), fitted.predict(cases.isel(sample=order))
    np.testing.assert_array_equal(part["sample"].values, whole["sample"].values)
    for name in ("velocity_x", "velocity_z"):
        gap = np.abs(whole[name].values - part[name].values).max()
        assert gap < 1e-5 * np.abs(whole[name].values).max()


class StoppedError(Exception):
    """Ends a training as a user would."""


def stop_after(epochs):
    def on_epoch(epoch, metrics):
        if epoch == epochs:
            raise StoppedError

    return on_epoch


@pytest.mark.parametrize("epochs", [1, 3])
def test_resumed_training_ends_with_the_same_bits(solutions, tmp_path, epochs):
    whole, cut, resumed = make(), make(), make()
    expected = whole.fit(solutions, solutions, seed=3)
    with pytest.raises(StoppedError):
        cut.fit(solutions, solutions, seed=3, folder=tmp_path, on_epoch=stop_after(epochs))
    torch.rand(7)  # another process has drawn otherwise
    seen = []
    history = resumed.fit(
        solutions, solutions, seed=3, folder=tmp_path, on_epoch=lambda epoch, _: seen.append(epoch)
    )
    assert seen == list(range(epochs + 1, 5))
    assert history.equals(expected)
    assert_same_weights(whole, resumed)


def test_training_resumes_with_options_left_at_the_same_defaults(solutions, tmp_path):
    """Defaults that an options table leaves out are the same options as those spelt out."""
    values = {"epochs": 4, "batch_size": 4, "device": "cpu"}
    cut = TwoLayers(make_options(SurrogateOptions, values, where="model"))
    with pytest.raises(StoppedError):
        cut.fit(solutions, solutions, seed=3, folder=tmp_path, on_epoch=stop_after(1))
    spelt_out = {**dataclasses.asdict(SurrogateOptions()), **values}
    resumed = TwoLayers(make_options(SurrogateOptions, spelt_out, where="model"))
    seen = []
    resumed.fit(
        solutions, solutions, seed=3, folder=tmp_path, on_epoch=lambda epoch, _: seen.append(epoch)
    )
    assert seen == [2, 3, 4]


@pytest.mark.parametrize("change", ["seed", "options", "order of the samples", "damage"])
def test_a_checkpoint_of_something_else_is_not_continued(solutions, tmp_path, change):
    with pytest.raises(StoppedError):
        make().fit(solutions, solutions, seed=3, folder=tmp_path, on_epoch=stop_after(2))
    seed, options, data = 3, {}, solutions
    if change == "seed":
        seed = 4
    elif change == "options":
        options = {"learning_rate": 1e-3}
    elif change == "order of the samples":
        data = solutions.isel(sample=slice(None, None, -1))
    else:
        (tmp_path / "training.pt").write_bytes(b"cut off")
    fresh, again = make(**options), make(**options)
    fresh.fit(data, solutions, seed=seed)
    again.fit(data, solutions, seed=seed, folder=tmp_path)
    assert_same_weights(fresh, again)


def test_history_is_described(solutions):
    history = make().fit(solutions, solutions, seed=0)
    assert history.sizes == {"epoch": 4}
    assert list(history.epoch.values) == [1, 2, 3, 4]
    for array in history.data_vars.values():
        assert array.attrs["units"] == "1"
        assert array.attrs["long_name"]
        assert array.attrs["description"]


def test_best_weights_are_kept(solutions):
    """The weights in the end have the smallest validation error of all epochs."""
    model = make(learning_rate=0.6, warm_up=0, epochs=6)
    history = model.fit(solutions, solutions, seed=0)
    errors = history.validation_relative_l2.values
    assert errors.argmin() != errors.size - 1, "the last epoch is the best: the test says nothing"
    found, truth = (prepare(d, with_solution=True) for d in (model.predict(solutions), solutions))
    error = relative_l2(*found.batch[-2:], *truth.batch[-2:]).mean()
    assert float(error) == pytest.approx(errors.min(), rel=1e-3)


class Harmful:
    """A pickle that would run code."""

    def __reduce__(self):
        return (print, ("code was run",))


@pytest.mark.parametrize("how", ["missing", "cut off", "pickle", "other shape"])
def test_damaged_weights_are_one_clear_error(solutions, tmp_path, how, capsys):
    model = make(epochs=1)
    model.fit(solutions, solutions, seed=0)
    model.save(tmp_path)
    file = tmp_path / "weights.pt"
    if how == "missing":
        file.unlink()
    elif how == "cut off":
        file.write_bytes(file.read_bytes()[:100])
    elif how == "pickle":
        file.write_bytes(pickle.dumps(Harmful()))
    else:
        torch.save({"0.weight": torch.zeros(1)}, file)
    with pytest.raises(StoreError, match=r"weights\.pt"):
        TwoLayers.load(tmp_path)
    assert "code was run" not in capsys.readouterr().out


def test_untrained_models_say_so(tmp_path):
    with pytest.raises(OptionError, match="not trained"):
        make().predict(example_cases())
    with pytest.raises(OptionError, match="not trained"):
        make().save(tmp_path)


@pytest.mark.parametrize("cells", [(64, 64), (100, 60), (7, 12)])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_torch_operator_agrees_with_scipy(cells, dtype, bound):
    grid = Grid(*cells, 0.0, 2.0 * cells[0] / cells[1], 0.0, 2.0)
    rhs = np.random.default_rng(0).standard_normal((2, 3, cells[1] - 1, cells[0] - 1))
    expected = IsoviscousOperator(grid).solve(rhs)
    found = TorchIsoviscousOperator(grid, dtype=dtype).solve(torch.from_numpy(rhs).to(dtype))
    assert found.dtype == dtype
    assert np.abs(found.numpy() - expected).max() < bound * np.abs(expected).max()


def test_sine_matrix_is_its_own_inverse():
    matrix = sine_matrix(65)
    torch.testing.assert_close(matrix @ matrix, torch.eye(64, dtype=torch.float64))


def test_torch_operator_has_its_own_adjoint_as_gradient():
    """K0 is symmetric: the gradient of <a, K0^-1 f> in f is K0^-1 a."""
    operator = TorchIsoviscousOperator(Grid(12, 10, 0.0, 2.4, 0.0, 2.0), dtype=torch.float64)
    rhs = torch.randn(9, 11, dtype=torch.float64, requires_grad=True)
    other = torch.randn(9, 11, dtype=torch.float64)
    (other * operator.solve(rhs)).sum().backward()
    torch.testing.assert_close(rhs.grad, operator.solve(other))


def test_options_of_models_import_no_torch():
    code = (
        "import sys, crystalsim.learning.options, crystalsim_unet.plugin, crystalsim_fno.plugin;"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_missing_is_one_clear_error(solutions):
    with pytest.raises(OptionError, match="finds no GPU"):
        make(device="cuda").fit(solutions, solutions, seed=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_gpu_predicts_what_the_cpu_predicts(solutions, tmp_path):
    model = make(device="cuda")
    model.fit(solutions, solutions, seed=0)
    model.save(tmp_path)
    on_gpu = model.predict(solutions).velocity_z.values
    model.options = SurrogateOptions(device="cpu")
    on_cpu = model.predict(solutions).velocity_z.values
    assert np.abs(on_gpu - on_cpu).max() < 1e-4 * np.abs(on_cpu).max()
