"""Trials of an exploration: solutions that they share, training, and the one judge of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from ...config.exploration import Exploration
from ...config.run import QUICK_EVALUATORS, RunConfig
from ...errors import CrystalsimError, OptionError
from ...evaluation.scores import score, summarise
from ...execution.schedule import Schedule
from ...execution.shards import solve_cases
from ...storage import netcdf
from ...storage.files import make_folder, write_text
from ...storage.locks import locked
from ...storage.models import MODEL, load_model
from ...storage.provenance import fingerprint
from ..run import draw_cases, split_seeds
from ..training import train_model, usable

AfterEpoch = Callable[[int, float | None, bool], None]
"""Called with the epoch, the error on the validation samples, and whether it was the last."""

_ERRORS = ("validation_relative_l2", "validation_loss")
"""Errors while training to compare trials by; the first is free of the weights of the loss."""


class Judge:
    """Trains models and gives their score on the same validation samples.

    Parameters
    ----------
    exploration
        What is searched.
    folder
        Of the exploration.
    workers
        Processes of the solver.

    Raises
    ------
    OptionError
        If no evaluator of the run gives the metric.
    """

    def __init__(self, exploration: Exploration, folder: Path, workers: int) -> None:
        self.exploration, self.folder, self.workers = exploration, folder, workers
        base = exploration.config()
        self.seeds = split_seeds(base.seed)
        self.held_out = self.solutions(base, "validation")
        self.samples = usable(netcdf.open(self.held_out))
        self.evaluator = self._evaluator(base)

    def train(self, parameters: Mapping[str, Any], folder: Path, after: AfterEpoch) -> float:
        """Train a model, or finish its training, and judge it.

        Parameters
        ----------
        parameters
            Dotted options and their values.
        folder
            Of the model.
        after
            Called after each epoch; what it raises ends the trial.

        Returns
        -------
        float
            Mean of the metric over the validation samples.

        Raises
        ------
        CrystalsimError
            If the options are wrong together, training diverges or the score is not finite.
        """
        config = self.exploration.config(parameters)
        training = self.solutions(config, "training")
        epochs = config.model.options.get("epochs")

        def on_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
            error = next((metrics[name] for name in _ERRORS if name in metrics), None)
            after(epoch, error, epoch == epochs)

        if not (folder / MODEL).is_file():
            train_model(
                config.model,
                netcdf.open_parts(training, "solutions"),
                netcdf.open_parts(self.held_out, "solutions"),
                folder,
                seed=config.seed,
                on_epoch=on_epoch,
            )
        prediction = load_model(folder).predict(self.samples)
        options = {self.evaluator: config.evaluator.get(self.evaluator, {})}
        found = summarise(score(self.samples, prediction, options)[self.evaluator])
        metric = self.exploration.metric
        if metric not in found:
            raise CrystalsimError(f"{metric} is finite for no validation sample")
        return found[metric]["mean"]

    def solutions(self, config: RunConfig, split: str) -> Path:
        """Solutions of a split, made once for all trials and processes with the same samples."""
        count, seed = getattr(config.samples, split), self.seeds[split]
        name = fingerprint([config.sampler.table, config.solver.table, count, seed])
        place = self.folder / "solutions" / name
        make_folder(place)
        if (place / "complete").is_file():
            return place / "solutions"
        # Whoever comes second waits; after a kill, it makes only the shards that are missing.
        with locked(self.folder / "solutions" / f"{name}.lock"):
            if not (place / "cases.nc").is_file():
                netcdf.save(draw_cases(config.sampler, count, seed), place / "cases.nc")
            solve_cases(
                netcdf.open(place / "cases.nc", "cases"),
                config.solver,
                place / "solutions",
                schedule=Schedule(self.workers),
                seed=seed,
                compress=True,
            )
            write_text(place / "complete", "")
        return place / "solutions"

    def _evaluator(self, base: RunConfig) -> str:
        """Evaluator that gives the metric, found by judging the solutions by themselves."""
        quick_first = sorted(base.evaluators, key=lambda name: name not in QUICK_EVALUATORS)
        known: list[str] = []
        for name in quick_first:
            options = {name: base.evaluator.get(name, {})}
            found: dict[str, xr.Dataset] = score(self.samples, self.samples, options)
            # Only scores of a sample or crystal have a mean over samples.
            names = list(summarise(found[name])) if name in found else []
            if self.exploration.metric in names:
                return name
            known += names
        raise OptionError(
            f"metric = '{self.exploration.metric}': no evaluator of the run gives it (known: "
            f"{', '.join(known)})"
        )
