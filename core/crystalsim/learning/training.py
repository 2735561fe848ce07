"""The training loop: reproducible, resumable, the same on CPU and GPU, alone and in a team."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..contracts import OnEpoch
from ..errors import OptionError
from ..runtime.log import logger
from ..runtime.progress import progress
from ..storage.provenance import fingerprint
from .batches import Batch
from .distributed import Team, local_device
from .options import SurrogateOptions
from .state import copy_weights, digest, load_state, save_state, weights
from .streaming import Group, Spacing

Loss = Callable[[Batch, Spacing], tuple[Tensor, Tensor]]
"""Gives (loss, relative error) on (sample) of a batch."""

HISTORY = {
    "training_loss": "mean over the epoch of the loss that is minimised",
    "validation_loss": "the same on the validation samples after the epoch",
    "validation_relative_l2": "mean relative L2 error of the velocity on the validation samples",
    "learning_rate": "learning rate at the end of the epoch",
}

_WITHOUT_EFFECT = ("checkpoint_seconds", "keep_every", "memory")
"""Options that change nothing in the result."""


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
    return local_device(wanted)


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
        Where the state is kept, every `checkpoint_seconds` and after each epoch; a later call with
        the same options, seed and data goes on from there and ends with the same weights, bit for
        bit on the same CPU with as many threads. In the end `last.pt` holds the last weights, and
        `epochs/` those of each `keep_every` epochs.
    team
        The processes that train together; this one alone by default.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        options: SurrogateOptions,
        *,
        seed: int,
        folder: Path | None = None,
        team: Team | None = None,
    ) -> None:
        self.network, self.loss, self.options = network, loss, options
        self.team, self.folder = team or Team(), folder
        self.generator = torch.Generator().manual_seed(seed)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        self.history: list[dict[str, float]] = []
        self.best_error = math.inf
        self.best_weights = copy_weights(network)
        # Position in the epoch, the loss summed so far, and the generator before the epoch.
        self.position, self.summed = 0, 0.0
        self.epoch_generator = self.generator.get_state()
        self._mark, self._kept = "", time.monotonic()
        self._spent, self._started = 0.0, time.monotonic()

    def fit(
        self,
        training: Sequence[Group],
        validation: Sequence[Group],
        on_epoch: OnEpoch | None = None,
    ) -> xr.Dataset:
        """Train for all epochs and return the history; each step sees samples of one grid."""
        steps = sum(math.ceil(group.size / self.options.batch_size) for group in training)
        self._mark = self._identity(training, validation)
        self._resume()
        total = steps * self.options.epochs
        with progress(
            total=total,
            initial=len(self.history) * steps + self.position,
            description="training",
            unit="step",
            hidden=not self.team.is_chief,
        ) as bar:
            while len(self.history) < self.options.epochs and not self._stalled():
                epoch = len(self.history)
                training_loss = self._epoch(training, epoch * steps, total, bar.update)
                metrics = self._finish_epoch(training_loss, validation)
                bar.set_postfix_str(
                    f"loss {training_loss:.4f}, "
                    f"validation {100 * metrics['validation_relative_l2']:.3g} %"
                )
                if on_epoch and self.team.is_chief:
                    on_epoch(epoch + 1, metrics)
        if self.folder and self.team.is_chief:
            save_state(copy_weights(self.network), self.folder / "last.pt")
        self.network.load_state_dict(self.best_weights)
        return self._as_dataset()

    def _epoch(
        self, data: Sequence[Group], before: int, total: int, tick: Callable[[int], object]
    ) -> float:
        self.network.train()
        here = self.generator.get_state()
        self.generator.set_state(self.epoch_generator)
        batches = self._batches(data)
        if self.position:
            self.generator.set_state(here)
        for group, index in batches[self.position :]:
            self._step(group, index, before + self.position, total)
            self.position += 1
            tick(1)
            if time.monotonic() - self._kept > self.options.checkpoint_seconds:
                self._keep()
        return self.summed / sum(group.size for group in data)

    def _step(self, group: Group, index: Tensor, step: int, total: int) -> None:
        flips = [False, False]
        if self.options.mirror:
            flips = torch.randint(0, 2, (2,), generator=self.generator).bool().tolist()
        for parameters in self.optimiser.param_groups:
            parameters["lr"] = self.options.learning_rate * self._schedule(step, total)
        self.optimiser.zero_grad(set_to_none=True)
        mine, value = self.team.share(index), torch.zeros(())
        if mine.numel():
            batch = group.batch.select(mine).mirrored(*flips)
            loss = self.loss(batch, group.spacing)[0].sum() / index.numel()
            loss.backward()
            value = loss.detach()
        self.team.sum_gradients(self.network)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.options.gradient_clip)
        self.optimiser.step()
        self.summed += self.team.total(value) * index.numel()

    def _finish_epoch(self, training_loss: float, validation: Sequence[Group]) -> dict[str, float]:
        loss, error = self._validate(validation)
        if not math.isfinite(training_loss + error):
            raise OptionError(
                f"training diverged in epoch {len(self.history) + 1} (loss {training_loss:g}, "
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
            self.best_error, self.best_weights = error, copy_weights(self.network)
        self.position, self.summed = 0, 0.0
        self.epoch_generator = self.generator.get_state()
        self._keep()
        every, epoch = self.options.keep_every, len(self.history)
        if every and epoch % every == 0 and self.folder and self.team.is_chief:
            path = self.folder / "epochs" / f"{epoch:04d}.pt"
            save_state(copy_weights(self.network), path)
        return metrics

    def _stalled(self) -> bool:
        """Whether the validation error has not fallen for `patience` epochs."""
        errors = [metrics["validation_relative_l2"] for metrics in self.history]
        if not self.options.patience or not errors:
            return False
        since = len(errors) - 1 - errors.index(min(errors))
        if since < self.options.patience:
            return False
        logger.info("training stops early: no better for %d epochs", since)
        return True

    def _batches(self, data: Sequence[Group]) -> list[tuple[Group, Tensor]]:
        """Minibatches of one epoch in random order."""
        batches = [
            (group, index)
            for group in data
            for index in torch.randperm(group.size, generator=self.generator).split(
                self.options.batch_size
            )
        ]
        if len(data) == 1:
            return batches
        return [batches[i] for i in torch.randperm(len(batches), generator=self.generator).tolist()]

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
                for start in range(0, group.size, size):
                    batch = group.batch.select(slice(start, start + size))
                    results.append(torch.stack(self.loss(batch, group.spacing)))
        loss, error = torch.cat(results, dim=1).double().mean(dim=1).tolist()
        return loss, error

    def _identity(self, training: Sequence[Group], validation: Sequence[Group]) -> str:
        """What must be the same for a checkpoint to be continued."""
        data = digest([tensor for group in (*training, *validation) for tensor in group.batch])
        network = [(n, list(t.shape)) for n, t in weights(self.network).items()]
        options = dataclasses.asdict(self.options)
        for name in _WITHOUT_EFFECT:
            options.pop(name, None)
        return fingerprint([options, network, self.generator.initial_seed(), data])

    def _keep(self) -> None:
        self._kept = time.monotonic()
        if self.folder is None or not self.team.is_chief:
            return
        state = {
            "mark": self._mark,
            "network": weights(self.network),
            "best_weights": self.best_weights,
            "best_error": self.best_error,
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "epoch_generator": self.epoch_generator,
            "position": self.position,
            "summed": self.summed,
            "torch_generator": torch.get_rng_state(),
            "history": json.dumps(self.history),
            "seconds": self._spent + time.monotonic() - self._started,
        }
        save_state(state, self.folder / "training.pt")

    def _resume(self) -> None:
        """Load the state of a run that was cut off, if there is one."""
        if self.folder is None:
            return
        state = load_state(self.folder / "training.pt", self._mark)
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_generator"])  # dropout and the like draw from it
        self.best_weights, self.best_error = state["best_weights"], state["best_error"]
        self.epoch_generator = state["epoch_generator"]
        self.position, self.summed = state["position"], state["summed"]
        self.history = json.loads(state["history"])
        self._spent = float(state.get("seconds", 0.0))

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
            attrs={
                "earlier_training_time": self._spent,
                "parameters": sum(p.numel() for p in self.network.parameters()),
            },
        )
