"""Base class of surrogates: a torch model plugin needs only `build_network`."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..contracts import OnEpoch, Pretrained
from ..datasets.scenes import one_average
from ..datasets.solutions import make_solutions
from ..errors import OptionError, StoreError
from ..options import Configured, make_options
from ..runtime.log import logger
from ..scene.means import DEFAULT_AVERAGE, Average
from ..storage.files import write_text
from . import losses, transport
from .batches import FEATURES, Batch, Prepared, features, prepare
from .distributed import team
from .heads import HEADS, Flow, Head
from .options import SurrogateOptions
from .products import to_fields
from .reach import Reach
from .state import save_state, weights
from .streaming import Spacing, hold_on_device, make_groups
from .training import Trainer, choose_device

__all__ = ["TorchSurrogate"]

PREDICTION_BATCH = 16


class TorchSurrogate(Configured[Any]):
    """A model that is a torch network on cell corners.

    Subclasses give `build_network` and, for options of their own, `options_class`; everything else
    is here: features, heads, losses, training, prediction and checkpoints.

    Parameters
    ----------
    options
        Options of the model; the defaults if None.

    Attributes
    ----------
    options_class
        Frozen dataclass of the options, a subclass of `SurrogateOptions`.
    heads
        What networks may give out, by the values of the option `predicts`. A subclass adds one with
        ``heads = {**HEADS, "mine": Head(...)}`` and names it in its options.
    terms
        Terms of the loss by name. A subclass adds one with ``terms = {**LOSSES, "mine": function}``
        and has an option `mine_weight`.
    prediction_options
        Options that may be chosen for the weights that a `Pretrained` model brings along.
    network
        The network once there is one: after `fit` or `load`.
    reach
        What the network was trained for.
    training
        How weights that come along were trained, for provenance; empty for others.
    """

    options_class: ClassVar[type[SurrogateOptions]] = SurrogateOptions
    heads: ClassVar[Mapping[str, Head]] = HEADS
    terms: ClassVar[Mapping[str, losses.Term]] = losses.LOSSES
    prediction_options: ClassVar[tuple[str, ...]] = ("device", "precision")

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.network: nn.Module | None = None
        self.reach: Reach | None = None
        self.training: Mapping[str, Any] = {}
        self.average: Average = DEFAULT_AVERAGE
        self._warned = False
        self._brought: Self | None = None

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

    def facts(self) -> dict[str, str]:
        """Number of parameters, and what they were trained for."""
        reach = {"trained for": str(self.reach)} if self.reach else {}
        return {"parameters": str(self.parameter_count), **reach} if self.network else {}

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
        return self.fit_parts([training], [validation], seed=seed, on_epoch=on_epoch, folder=folder)

    def fit_parts(
        self,
        training: Sequence[xr.Dataset],
        validation: Sequence[xr.Dataset],
        *,
        seed: int = 0,
        on_epoch: OnEpoch | None = None,
        folder: Path | None = None,
    ) -> xr.Dataset:
        """Train on data in parts; see `crystalsim.contracts.Streaming`."""
        device = choose_device(self.options.device)
        torch.manual_seed(seed)
        self.network = self._new_network().to(device)
        self.reach = Reach.of(training)
        self.average = one_average([*training, *validation])
        memory = self.options.memory
        seen = make_groups(training, folder, memory, "training")
        held_out = make_groups(validation, folder, memory, "validation")

        def loss(batch: Batch, spacing: Spacing) -> tuple[Tensor, Tensor]:
            batch = batch.to(device)
            found = self.flow(batch, spacing)
            whole = losses.total(found, batch, spacing, self.options, self.terms)
            return whole, losses.velocity(found, batch, spacing)

        with team(device) as together:
            trainer = Trainer(
                self.network, loss, self.options, seed=seed, folder=folder, team=together
            )
            history = trainer.fit(
                hold_on_device(seen, device), hold_on_device(held_out, device), on_epoch
            )
        self.network.to("cpu").eval()
        return history

    def check_solutions(self, solutions: xr.Dataset) -> None:
        """Refuse solutions to train on; see `crystalsim.contracts.ChecksSolutions`."""
        prepare(solutions, with_solution=True)

    def predict(self, cases: xr.Dataset) -> xr.Dataset:
        """Predict all samples; see `crystalsim.contracts.Model`.

        Raises
        ------
        OptionError
            If the model is not trained and brings no weights for its options along.
        """
        if self.network is None:
            return self._with_weights().predict(cases)
        self._warn_beyond(cases)
        samples = cases.sizes["sample"]
        parts: list[dict[str, np.ndarray]] = []
        start = time.perf_counter()
        for first in range(0, samples, PREDICTION_BATCH):
            part = cases.isel(sample=slice(first, first + PREDICTION_BATCH))
            data = prepare(part, with_solution=False, average=self.average)
            parts.append(self._predict_part(data))
        spent = (time.perf_counter() - start) / max(samples, 1)
        fields = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        fields["wall_time"] = np.full(samples, spent)
        attributes = {
            "source": f"crystalsim surrogate {type(self).__name__}",
            "viscosity_average": self.average,
        }
        return make_solutions(cases, fields, attributes=attributes)

    def _with_weights(self) -> Self:
        """Give the model with the weights that come along, for one that is not trained."""
        name = type(self).__name__
        if not isinstance(self, Pretrained):
            raise OptionError(f"{name} is not trained: fit it or load a checkpoint")
        if self._brought is None:
            chosen = {option: getattr(self.options, option) for option in self.prediction_options}
            if self.options != dataclasses.replace(self.options_class(), **chosen):
                raise OptionError(
                    f"{name} with options of its own is not trained: fit it or load a checkpoint; "
                    f"the weights that come along allow only {', '.join(chosen)}"
                )
            self._brought = self.pretrained()
            self._brought.options = dataclasses.replace(self._brought.options, **chosen)
        return self._brought

    def flow(self, batch: Batch, spacing: Spacing) -> Flow:
        """Predict a batch; a subclass may give any flow instead of that of a network on corners.

        Parameters
        ----------
        batch
            The samples, on the device of the network.
        spacing
            Cell sizes ``(hx, hz)`` in units of half the height.
        """
        assert self.network is not None
        options = self.options
        if options.inputs == "phase":
            seen = batch.rigidity_corner[:, None]
        else:
            lone = transport.response(*transport.dilute(batch, *spacing), *spacing)
            seen = features(batch, -lone, *spacing)
        output = self.call(self.network, seen)
        # Nothing where nothing drives a flow, whatever the network's biases are.
        output = output * batch.moving
        if options.unit == "stokes":
            output = output * batch.stokes_velocity[:, None, None, None]
        return self.heads[options.predicts].flow(output, batch, *spacing, options.background)

    def call(self, network: nn.Module, *inputs: Any) -> Tensor:
        """Call a network, in mixed precision if that is asked for; what comes out is single."""
        mixed = self.options.precision == "mixed"
        device = next(network.parameters()).device.type
        with torch.autocast(device, dtype=torch.bfloat16, enabled=mixed):
            output: Tensor = network(*inputs)
        return output.float()

    def _warn_beyond(self, cases: xr.Dataset) -> None:
        if self.reach and not self._warned and (beyond := self.reach.beyond(cases)):
            self._warned = True
            logger.warning(
                "%s is asked beyond what it was trained for: %s",
                type(self).__name__,
                "; ".join(beyond),
            )

    def _predict_part(self, data: Prepared) -> dict[str, np.ndarray]:
        device = choose_device(self.options.device)
        assert self.network is not None
        self.network.to(device).eval()
        batch = data.batch.to(device)
        with torch.no_grad():
            found = self.flow(batch, data.spacing)
            misfit = losses.misfit(found, batch, data.spacing)
        return {**to_fields(found, data), "residual": misfit.cpu().numpy().astype(np.float64)}

    def _new_network(self) -> nn.Module:
        seen = FEATURES if self.options.inputs == "physics" else 1
        return self.build_network(seen, self.heads[self.options.predicts].channels)

    def save(self, folder: Path) -> None:
        """Write `config.json` and `weights.pt` into a folder."""
        if self.network is None:
            raise OptionError(f"{type(self).__name__} is not trained: there is nothing to save")
        config = {
            "features": FEATURES,
            "options": dataclasses.asdict(self.options),
            "viscosity_average": self.average,
            "reach": self.reach._asdict() if self.reach else None,
            "training": dict(self.training),
        }
        save_state(weights(self.network), folder / "weights.pt")
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
            reach = Reach.from_table(config["reach"]) if config.get("reach") else None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{folder / 'config.json'}: not readable: {error}") from None
        if count != FEATURES:
            raise StoreError(
                f"{folder}: trained with {count} input features, this version has {FEATURES}"
            )
        model = cls(make_options(cls.options_class, options, where="model"))
        model.network, model.reach = model._new_network(), reach
        model.training = dict(config.get("training") or {})
        # Checkpoints that do not name theirs are older than the others.
        model.average = config.get("viscosity_average", "harmonic")
        try:
            state = torch.load(folder / "weights.pt", weights_only=True, map_location="cpu")
            model.network.load_state_dict(state)
        except Exception as error:
            text = " ".join(str(error).split())[:200]
            raise StoreError(f"{folder / 'weights.pt'}: not readable: {text}") from None
        model.network.eval()
        return model
