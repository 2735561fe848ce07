"""The U-Net keeps the contract, maps grids of any size and starts from its background."""

import numpy as np
import pytest
import torch

import crystalsim
from crystalsim.testing import ModelContract, example_cases
from crystalsim_unet.model import UNetNetwork


class TestUNet(ModelContract):
    name = "unet"
    options = {"width": 4, "levels": 3, "epochs": 3, "device": "cpu"}


class TestUNetPrototype(ModelContract):
    name = "unet_prototype"
    options = {"width": 4, "levels": 3, "epochs": 3, "device": "cpu"}


@pytest.mark.parametrize("shape", [(65, 65), (61, 101), (9, 12), (30, 17)])
def test_any_shape_comes_back(shape):
    network = UNetNetwork(inputs=3, outputs=2, width=4, levels=4)
    assert network(torch.randn(2, 3, *shape)).shape == (2, 2, *shape)


def test_untrained_network_is_the_background():
    network = UNetNetwork(inputs=3, outputs=1, width=4, levels=3)
    assert torch.count_nonzero(network(torch.randn(1, 3, 17, 17))) == 0


def test_mirrored_kernels_map_mirrored_inputs_to_mirrored_outputs():
    """Nested corners: no stride or interpolation prefers a side, on grids that halve evenly."""
    torch.manual_seed(0)
    network = UNetNetwork(inputs=2, outputs=1, width=4, levels=4).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.3)
            if parameter.ndim == 4:
                parameter.copy_(0.5 * (parameter + parameter.flip(-1)))
    x = torch.randn(1, 2, 33, 33, dtype=torch.float64)
    torch.testing.assert_close(network(x.flip(-1)), network(x).flip(-1))


@pytest.mark.slow
def test_learns_what_the_background_misses():
    sampler = crystalsim.get("sampler", "random", cells=32)
    training, held_out = (
        crystalsim.get("solver", "builtin").solve(sampler.sample(count, seed=seed))
        for count, seed in ((160, 1), (30, 2))
    )

    def mean_error(model):
        scores = crystalsim.get("evaluator", "fields").evaluate(held_out, model.predict(held_out))
        return float(scores["relative_l2"].mean())

    baseline = mean_error(crystalsim.get("model", "isoviscous"))
    model = crystalsim.get("model", "unet", background="isoviscous", epochs=12, device="cpu")
    model.fit(training, held_out, seed=0)
    assert mean_error(model) < 0.6 * baseline


def test_prediction_is_finite_for_many_crystals():
    cases = example_cases((100, 60))
    model = crystalsim.get("model", "unet", width=4, epochs=1, device="cpu")
    solutions = crystalsim.get("solver", "builtin").solve(cases)
    model.fit(solutions, solutions, seed=0)
    assert np.isfinite(model.predict(cases)["velocity_z"].values).all()
