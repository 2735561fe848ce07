"""The training loop: reproducible, resumable, the same on CPU and GPU."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..contracts import OnEpoch
from ..errors import OptionError
from ..log import logger
from ..progress import progress
from ..store import fingerprint
from .batches import Batch
from .options import SurrogateOptions

Spacing = tuple[float, float]


class Group(NamedTuple):
    """Samples on one grid.

    Attributes
    ----------
    batch
        The samples.
    spacing
        Cell sizes ``(hx, hz)`` in units of half the height.
    """

    batch: Batch
    spacing: Spacing


Loss = Callable[[Batch, Spacing], tuple[Tensor, Tensor]]
"""Gives (loss, relative error) on (sample) of a batch."""

HISTORY = {
    "training_loss": "mean over the epoch of the loss that is minimised",
    "validation_loss": "the same on the validation samples after the epoch",
    "validation_relative_l2": "mean relative L2 error of the velocity on the validation samples",
    "learning_rate": "learning rate at the end of the epoch",
}


def choose_device(wanted: str) -> torch.device:
    """Turn ``auto | cpu | cuda`` into a device.

    Raises
    ------
    OptionError
        If a GPU is asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise OptionError("option model.device = 'cuda': torch finds no GPU here")
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


class Trainer:
    """Minimises a loss with AdamW, linear warm-up and a cosine schedule; keeps the best weights.

    Loshchilov & Hutter (2019), arXiv:1711.05101, and (2017), arXiv:1608.03983.

    Parameters
    ----------
    network
        Trained in place; holds the best weights (by validation error) in the end.
    loss
        Loss and relative error of each sample of a batch.
    options
        See `SurrogateOptions`.
    seed
        Fixes the order of samples and the mirrors; the caller fixes the initial weights.
    folder
        Where the state is kept after each epoch; a later call with the same options, seed and data
        goes on from there and ends with the same weights, bit for bit on the same CPU.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        options: SurrogateOptions,
        *,
        seed: int,
        folder: Path | None = None,
    ) -> None:
        self.network, self.loss, self.options = network, loss, options
        self.generator = torch.Generator().manual_seed(seed)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        self.checkpoint = folder / "training.pt" if folder else None
        self.history: list[dict[str, float]] = []
        self.best_error = math.inf
        self.best_weights = _copy(network.state_dict())

    def fit(
        self,
        training: Sequence[Group],
        validation: Sequence[Group],
        on_epoch: OnEpoch | None = None,
    ) -> xr.Dataset:
        """Train for all epochs and return the history; each step sees samples of one grid."""
        steps = sum(math.ceil(_size(group) / self.options.batch_size) for group in training)
        total = steps * self.options.epochs
        mark = self._identity(training, validation)
        first = self._resume(mark)
        with progress(
            total=total, initial=first * steps, description="training", unit="step"
        ) as bar:
            for epoch in range(first, self.options.epochs):
                training_loss = self._epoch(training, epoch * steps, total, bar.update)
                loss, error = self._validate(validation)
                if not math.isfinite(training_loss + error):
                    raise OptionError(
                        f"training diverged in epoch {epoch + 1} (loss {training_loss:g}, "
                        f"validation {error:g}); expected finite values: lower option "
                        f"model.learning_rate = {self.options.learning_rate:g}"
                    )
                metrics = {
                    "training_loss": training_loss,
                    "validation_loss": loss,
                    "validation_relative_l2": error,
                    "learning_rate": self.optimiser.param_groups[0]["lr"],
                }
                self.history.append(metrics)
                if error < self.best_error:
                    self.best_error, self.best_weights = error, _copy(self.network.state_dict())
                self._keep(mark)
                bar.set_postfix_str(f"loss {training_loss:.4f}, validation {100 * error:.2f} %")
                if on_epoch:
                    on_epoch(epoch + 1, metrics)
        self.network.load_state_dict(self.best_weights)
        return self._as_dataset()

    def _epoch(
        self, data: Sequence[Group], step: int, total: int, tick: Callable[[int], object]
    ) -> float:
        self.network.train()
        summed = 0.0
        for group, index in self._batches(data):
            batch = group.batch.select(index)
            if self.options.mirror:
                flips = torch.randint(0, 2, (2,), generator=self.generator).tolist()
                batch = batch.mirrored(bool(flips[0]), bool(flips[1]))
            for parameters in self.optimiser.param_groups:
                parameters["lr"] = self.options.learning_rate * self._schedule(step, total)
            loss = self.loss(batch, group.spacing)[0].mean()
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), self.options.gradient_clip)
            self.optimiser.step()
            summed += float(loss.detach()) * index.numel()
            step += 1
            tick(1)
        return summed / sum(_size(group) for group in data)

    def _batches(self, data: Sequence[Group]) -> list[tuple[Group, Tensor]]:
        """Minibatches of one epoch in random order."""
        made = [
            (group, index)
            for group in data
            for index in torch.randperm(_size(group), generator=self.generator).split(
                self.options.batch_size
            )
        ]
        if len(data) == 1:
            return made
        return [made[i] for i in torch.randperm(len(made), generator=self.generator).tolist()]

    def _schedule(self, step: int, total: int) -> float:
        warm_up = min(self.options.warm_up, total // 4)
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, total - warm_up)))

    def _validate(self, data: Sequence[Group]) -> tuple[float, float]:
        self.network.eval()
        size, results = 4 * self.options.batch_size, []
        with torch.no_grad():
            for group in data:
                for start in range(0, _size(group), size):
                    batch = group.batch.select(slice(start, start + size))
                    results.append(torch.stack(self.loss(batch, group.spacing)))
        loss, error = torch.cat(results, dim=1).double().mean(dim=1).tolist()
        return loss, error

    def _identity(self, training: Sequence[Group], validation: Sequence[Group]) -> str:
        """What must be the same for a checkpoint to be continued."""
        data = hashlib.sha256()
        for tensor in (tensor for group in (*training, *validation) for tensor in group.batch):
            data.update(str(tuple(tensor.shape)).encode())
            data.update(tensor.contiguous().numpy().tobytes())
        network = [(n, list(t.shape)) for n, t in self.network.state_dict().items()]
        seed = self.generator.initial_seed()
        return fingerprint([vars(self.options), network, seed, data.hexdigest()])

    def _keep(self, mark: str) -> None:
        if self.checkpoint is None:
            return
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        aside = self.checkpoint.with_suffix(".tmp")
        state = {
            "mark": mark,
            "network": self.network.state_dict(),
            "best_weights": self.best_weights,
            "best_error": self.best_error,
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "torch_generator": torch.get_rng_state(),
            "history": json.dumps(self.history),
        }
        torch.save(state, aside)
        aside.replace(self.checkpoint)

    def _resume(self, mark: str) -> int:
        """Load the state of a run that was cut off; return the epochs that are done."""
        if self.checkpoint is None or not self.checkpoint.is_file():
            return 0
        try:
            state: Mapping[str, Any] = torch.load(self.checkpoint, weights_only=True)
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            logger.warning("%s: damaged, training starts over (%s)", self.checkpoint, reason)
            return 0
        if state.get("mark") != mark:
            logger.warning("%s: of other options or data, training starts over", self.checkpoint)
            return 0
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_generator"])  # dropout and the like draw from it
        self.best_weights, self.best_error = state["best_weights"], state["best_error"]
        self.history = json.loads(state["history"])
        return len(self.history)

    def _as_dataset(self) -> xr.Dataset:
        epochs = np.arange(1, len(self.history) + 1)
        return xr.Dataset(
            {
                name: (
                    "epoch",
                    np.array([metrics[name] for metrics in self.history]),
                    {
                        "long_name": name.replace("_", " ").replace(" l2", " L2"),
                        "units": "1",
                        "description": text,
                    },
                )
                for name, text in HISTORY.items()
            },
            coords={"epoch": ("epoch", epochs, {"long_name": "epoch"})},
        )


def _copy(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


def _size(group: Group) -> int:
    return int(group.batch.isoviscous.shape[0])
