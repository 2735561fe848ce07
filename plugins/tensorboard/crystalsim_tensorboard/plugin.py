"""Lifecycle hooks that write event files; imports nothing heavy until there is something."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from crystalsim.hookspecs import hookimpl

FOLDER = "tensorboard"


@hookimpl
def crystalsim_epoch_finished(run: Path, epoch: int, metrics: Mapping[str, float]) -> None:
    """Write the losses of an epoch."""
    _write(run, {f"training/{name}": value for name, value in metrics.items()}, epoch)


@hookimpl
def crystalsim_run_finished(run: Path, results: Mapping[str, Mapping[str, float]]) -> None:
    """Write the mean scores of each model on the test split."""
    for model, scores in results.items():
        _write(run, {f"test/{name}/{model}": value for name, value in scores.items()}, 0)


def _write(run: Path, scalars: Mapping[str, float], step: int) -> None:
    from torch.utils.tensorboard.writer import SummaryWriter

    with SummaryWriter(log_dir=str(run / FOLDER)) as writer:
        for name, value in scalars.items():
            if math.isfinite(value):
                writer.add_scalar(name, value, step)
