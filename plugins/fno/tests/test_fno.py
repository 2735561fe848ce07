"""The Fourier neural operator keeps the contract, and its series are what they say."""

import math

import pytest
import torch

from crystalsim.testing import ModelContract
from crystalsim_fno.model import FNONetwork, SpectralLayer, series


class TestFNO(ModelContract):
    name = "fno"
    options = {"width": 4, "modes": 6, "layers": 2, "epochs": 3, "device": "cpu"}


class TestFNOPrototype(ModelContract):
    name = "fno_prototype"
    options = {"width": 4, "modes": 6, "layers": 2, "epochs": 3, "device": "cpu"}


@pytest.mark.parametrize("shape", [(65, 65), (61, 101), (9, 12)])
def test_any_shape_comes_back(shape):
    network = FNONetwork(inputs=3, outputs=2, width=4, modes=10, layers=2)
    assert network(torch.randn(2, 3, *shape)).shape == (2, 2, *shape)


def test_untrained_network_is_the_background():
    network = FNONetwork(inputs=3, outputs=1, width=4, modes=5, layers=2)
    assert torch.count_nonzero(network(torch.randn(1, 3, 17, 17))) == 0


def test_series_are_cosines_from_zero_and_sines_from_one():
    cosines, sines = series(9, 3, torch.device("cpu"))
    at = torch.linspace(0.0, math.pi, 9)
    torch.testing.assert_close(cosines[0], torch.ones(9))
    torch.testing.assert_close(cosines[2], torch.cos(2 * at))
    torch.testing.assert_close(sines[0], torch.sin(at))
    assert sines[:, [0, -1]].abs().max() < 1e-6


def test_a_spectral_layer_means_the_same_on_a_finer_grid():
    """A smooth function has nearly the same image on any grid: an operator, not a stencil."""
    torch.manual_seed(0)
    layer = SpectralLayer(width=1, modes=6)

    def image(points):
        at = torch.linspace(0.0, math.pi, points)
        x = torch.cos(2 * at)[:, None] * torch.cos(at) + 0.3 * torch.sin(at)[:, None]
        return layer(x[None, None])[0, 0]

    coarse, fine = image(65), image(257)[::4, ::4]
    assert (coarse - fine).abs().max() < 0.05 * fine.abs().max()


def test_spectral_weights_are_real():
    """So that checkpoints hold no complex numbers."""
    network = FNONetwork(inputs=3, outputs=1, width=4, modes=5, layers=2)
    assert not any(p.is_complex() for p in network.parameters())
