"""Networks from elsewhere in ten lines: they train, resume, save and keep the contract."""

from __future__ import annotations

import importlib.util
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim.registry import registry
from crystalsim.testing import ModelContract, example_cases, example_solutions

torch = pytest.importorskip("torch")
needs_neuraloperator = pytest.mark.skipif(
    importlib.util.find_spec("neuralop") is None, reason="neuraloperator is not installed"
)

PLUGIN = """
from crystalsim import Plugin, hookimpl

@hookimpl
def crystalsim_models():
    return [
        Plugin("two_convolutions", "elsewhere_networks:TwoConvolutions", "the least there is"),
        Plugin("with_a_loss", "elsewhere_networks:WithALoss", "a term and a head of its own"),
    ]
"""
NETWORKS = """
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import nn

from crystalsim import Meta
from crystalsim.learning.heads import HEADS, Head
from crystalsim.learning.losses import LOSSES
from crystalsim.learning.options import SurrogateOptions
from crystalsim.learning.surrogate import TorchSurrogate


class TwoConvolutions(TorchSurrogate):
    def build_network(self, inputs, outputs):
        hidden = nn.Conv2d(inputs, 16, 3, padding=1)
        return nn.Sequential(hidden, nn.GELU(), nn.Conv2d(16, outputs, 3, padding=1))


@dataclass(frozen=True)
class WithALossOptions(SurrogateOptions):
    predicts: Annotated[
        Literal["stream_function", "doubled"], Meta(description="the second takes half the output")
    ] = "doubled"
    size_weight: Annotated[float, Meta(ge=0, description="weight: size of the velocity")] = 0.5


def size(flow, batch, spacing):
    return flow.velocity_x.square().mean(dim=(-2, -1))


def doubled(output, batch, hx, hz, background):
    return HEADS["stream_function"].flow(0.5 * output[:, :1], batch, hx, hz, background)


class WithALoss(TwoConvolutions):
    options_class = WithALossOptions
    heads = {**HEADS, "doubled": Head(2, doubled)}
    terms = {**LOSSES, "size": size}
"""
PAGE = Path(__file__).parents[1] / "docs" / "models_from_elsewhere.md"
FAST = {"epochs": 2, "device": "cpu"}


def block(name):
    """Code that the page shows for a file."""
    return re.search(rf"/{name}`.*?```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[1]


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory):
    """Install a distribution as an installer would leave it, for this process and its children."""
    site = tmp_path_factory.mktemp("site")
    (site / "elsewhere_plugin.py").write_text(textwrap.dedent(PLUGIN))
    (site / "elsewhere_networks.py").write_text(textwrap.dedent(NETWORKS))
    folder = site / "elsewhere-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[crystalsim]\nelsewhere = elsewhere_plugin\nfno = crystalsim_elsewhere.plugin\n"
    )
    package = site / "crystalsim_elsewhere"
    package.mkdir()
    for name in ("plugin.py", "model.py"):
        (package / name).write_text(block(name))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        patch.setenv("PYTHONPATH", str(site), prepend=":")
        registry.cache_clear()
        yield
    registry.cache_clear()


class TestTwoConvolutions(ModelContract):
    name = "two_convolutions"
    options = FAST


class TestWithALoss(ModelContract):
    name = "with_a_loss"
    options = FAST


@needs_neuraloperator
class TestNeuralOperator(ModelContract):
    name = "neuraloperator"
    options = FAST


def test_without_named_options_a_surrogate_has_those_of_all_surrogates():
    model = crystalsim.get("model", "two_convolutions", epochs=3, learning_rate=1e-3)
    assert "epochs=3" in repr(model)
    assert model.fit(example_solutions(), example_solutions()).sizes["epoch"] == 3


def test_a_term_of_its_own_counts():
    """With the weight of every other term zero, training on it alone makes the flow weaker."""
    weights = {"velocity_weight": 0.0, "strain_weight": 0.0, "epochs": 20, "background": "none"}
    data = example_solutions()

    def speed(**options):
        model = crystalsim.get("model", "with_a_loss", device="cpu", **weights, **options)
        history = model.fit(data, data, seed=1)
        velocity = model.predict(example_cases())["velocity_x"].values
        return float(np.abs(velocity).max()), history["training_loss"].values

    one, loss = speed()
    two, twice = speed(size_weight=1.0, learning_rate=2e-3)
    assert loss[-1] < 0.5 * loss[0]
    assert twice[0] > 1.9 * loss[0]
    assert max(one, two) < 0.5 * np.abs(data["velocity_x"].values).max()


@pytest.mark.parametrize(
    "name", ["two_convolutions", pytest.param("neuraloperator", marks=needs_neuraloperator)]
)
def test_training_goes_on_bit_for_bit(tmp_path, name):
    data = example_solutions()

    def model():
        return crystalsim.get("model", name, epochs=4, checkpoint_seconds=0, device="cpu")

    def stop(epoch, metrics):
        if epoch == 2:
            raise KeyboardInterrupt

    whole, resumed = model(), model()
    whole.fit(data, data, seed=1)
    with pytest.raises(KeyboardInterrupt):
        model().fit(data, data, seed=1, folder=tmp_path, on_epoch=stop)
    seen = []
    resumed.fit(data, data, seed=1, folder=tmp_path, on_epoch=lambda epoch, _: seen.append(epoch))
    assert seen == [3, 4]
    expected, found = (m.predict(example_cases()).drop_vars("wall_time") for m in (whole, resumed))
    xr.testing.assert_identical(found, expected)
