"""Base class of surrogates: a torch model plugin needs only `build_network`."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from .. import __version__
from ..contracts import OnEpoch
from ..errors import OptionError, StoreError
from ..options import make_options
from ..solutions import make_solutions
from ..stokes.operators import velocity
from ..store import write_text
from .batches import FEATURES, Batch, Prepared, background, features, prepare
from .heads import OUTPUTS, flow, stream_function_correction
from .losses import relative_l2, relative_strain
from .options import SurrogateOptions
from .training import Trainer, choose_device

PREDICTION_BATCH = 16


class TorchSurrogate:
    """A model that is a torch network on cell corners.

    Subclasses give `options_class` and `build_network`; everything else is here: features, heads,
    losses, training, prediction and checkpoints.

    Parameters
    ----------
    options
        Options of the model; the defaults if None.
    """

    options_class: ClassVar[type[SurrogateOptions]] = SurrogateOptions

    def __init__(self, options: Any = None) -> None:
        self.options: Any = options or self.options_class()
        self.network: nn.Module | None = None

    def build_network(self, inputs: int, outputs: int) -> nn.Module:
        """Make the network.

        Parameters
        ----------
        inputs, outputs
            Channels; the network maps (sample, inputs, nz + 1, nx + 1) to
            (sample, outputs, nz + 1, nx + 1) for grids of any size.
        """
        raise OptionError(f"{type(self).__name__} has no build_network")

    @property
    def parameter_count(self) -> int:
        """Number of trained parameters; zero before training."""
        return sum(p.numel() for p in self.network.parameters()) if self.network else 0

    def fit(
        self,
        training: xr.Dataset,
        validation: xr.Dataset,
        *,
        seed: int = 0,
        on_epoch: OnEpoch | None = None,
        folder: Path | None = None,
    ) -> xr.Dataset:
        """Train; see `crystalsim.contracts.Model`."""
        device = choose_device(self.options.device)
        torch.manual_seed(seed)
        self.network = self._new_network().to(device)
        data = [prepare(dataset, with_solution=True) for dataset in (training, validation)]
        if data[0].spacing != data[1].spacing:
            raise OptionError("training and validation samples are on different grids")
        hx, hz = data[0].spacing

        def loss(batch: Batch) -> tuple[Tensor, Tensor]:
            batch = batch.to(device)
            found = self._flow(batch, hx, hz)
            truth = batch.velocity_x, batch.velocity_z
            error = relative_l2(*found, *truth)
            if not self.options.strain_weight:
                return error, error
            strain = relative_strain(*found, *truth, hx, hz)
            return error + self.options.strain_weight * strain, error

        trainer = Trainer(self.network, loss, self.options, seed=seed, folder=folder)
        history = trainer.fit(data[0].batch, data[1].batch, on_epoch)
        self.network.to("cpu").eval()
        return history

    def predict(self, cases: xr.Dataset) -> xr.Dataset:
        """Predict all samples; see `crystalsim.contracts.Model`."""
        if self.network is None:
            raise OptionError(f"{type(self).__name__} is not trained: fit it or load a checkpoint")
        samples = cases.sizes["sample"]
        parts: list[dict[str, np.ndarray]] = []
        start = time.perf_counter()
        for first in range(0, samples, PREDICTION_BATCH):
            part = cases.isel(sample=slice(first, first + PREDICTION_BATCH))
            parts.append(self._predict_part(prepare(part, with_solution=False)))
        spent = (time.perf_counter() - start) / max(samples, 1)
        fields = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        fields["wall_time"] = np.full(samples, spent)
        source = f"crystalsim surrogate {type(self).__name__}"
        return make_solutions(cases, fields, attributes={"source": source})

    def _predict_part(self, data: Prepared) -> dict[str, np.ndarray]:
        device = choose_device(self.options.device)
        assert self.network is not None
        self.network.to(device).eval()
        hx, hz = data.spacing
        batch = data.batch.to(device)
        with torch.no_grad():
            if self.options.predicts == "stream_function":
                correction = stream_function_correction(self._output(batch, hx, hz))
                psi = correction.cpu().numpy().astype(np.float64)
                psi *= (data.velocity_scale * data.length)[:, None, None]
                psi += background(data, self.options.background)
                velocity_x, velocity_z = velocity(psi, data.grid.hx, data.grid.hz)
                fields = {"velocity_x": velocity_x, "velocity_z": velocity_z}
                return {**fields, "stream_function": psi}
            found = self._flow(batch, hx, hz)
        scale = data.velocity_scale[:, None, None]
        velocity_x, velocity_z = (v.cpu().numpy().astype(np.float64) * scale for v in found)
        return {"velocity_x": velocity_x, "velocity_z": velocity_z}

    def _output(self, batch: Batch, hx: float, hz: float) -> Tensor:
        """Apply the network; nothing where nothing drives a flow, whatever its biases are."""
        assert self.network is not None
        output: Tensor = self.network(features(batch, hx, hz))
        return output * batch.moving

    def _flow(self, batch: Batch, hx: float, hz: float) -> tuple[Tensor, Tensor]:
        return flow(
            self._output(batch, hx, hz),
            batch,
            hx,
            hz,
            predicts=self.options.predicts,
            background=self.options.background,
        )

    def _new_network(self) -> nn.Module:
        return self.build_network(FEATURES, OUTPUTS[self.options.predicts])

    def save(self, folder: Path) -> None:
        """Write `config.json` and `weights.pt` into a folder."""
        if self.network is None:
            raise OptionError(f"{type(self).__name__} is not trained: there is nothing to save")
        config = {
            "crystalsim_version": __version__,
            "features": FEATURES,
            "options": dataclasses.asdict(self.options),
        }
        aside = folder / ".weights.pt.tmp"
        torch.save(self.network.state_dict(), aside)
        aside.replace(folder / "weights.pt")
        write_text(folder / "config.json", json.dumps(config, indent=2))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; weights are loaded without pickle's code.

        Raises
        ------
        StoreError
            If a file is missing or damaged; the message names it.
        """
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            options = dict(config["options"])
            count = int(config["features"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{folder / 'config.json'}: not readable: {error}") from None
        if count != FEATURES:
            raise StoreError(
                f"{folder}: trained with {count} input features, this version has {FEATURES}"
            )
        model = cls(make_options(cls.options_class, options, where="model"))
        model.network = model._new_network()
        try:
            weights = torch.load(folder / "weights.pt", weights_only=True, map_location="cpu")
            model.network.load_state_dict(weights)
        except Exception as error:
            text = " ".join(str(error).split())[:200]
            raise StoreError(f"{folder / 'weights.pt'}: not readable: {text}") from None
        model.network.eval()
        return model
