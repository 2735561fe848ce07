"""Trials of an exploration: solutions that they share, training, and the one judge of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from ...config.exploration import Exploration
from ...config.run import RunConfig
from ...errors import OptionError
from ...evaluation.declarations import find_metric
from ...evaluation.scores import Scoring
from ...evaluation.summaries import summarise
from ...execution.schedule import Schedule
from ...execution.shards import solve_cases
from ...storage import netcdf
from ...storage.files import make_folder, write_text
from ...storage.locks import locked
from ...storage.models import MODEL, load_model
from ...storage.provenance import fingerprint
from ..run import draw_cases, split_seeds
from ..training import train_model, usable

AfterEpoch = Callable[[int, float | None, bool, bool], None]
"""Called with the epoch, the error on the validation samples, whether that is the metric, and
whether the epoch was the last."""

_VALIDATION = "validation_"
"""How a model names what it measures on the validation samples after each epoch."""


class Judge:
    """Trains models and gives their score on the same validation samples.

    Parameters
    ----------
    exploration
        What is searched.
    folder
        Folder of the exploration.
    workers
        Processes of the solver.

    Raises
    ------
    OptionError
        If no evaluator of the run gives the metric, or no sample has a finite value of it.
    """

    def __init__(self, exploration: Exploration, folder: Path, workers: int) -> None:
        self.exploration, self.folder, self.workers = exploration, folder, workers
        base = exploration.config()
        self.seeds = split_seeds(base.seed)
        self.held_out = self.solutions(base, "validation")
        self.samples = usable(netcdf.open(self.held_out))
        self.evaluator = find_metric(exploration.metric, base.evaluators)[0]
        options = {self.evaluator: base.evaluator.get(self.evaluator, {})}
        self.scoring = Scoring(self.samples, options)
        self._mean(self.samples)

    def train(self, parameters: Mapping[str, Any], folder: Path, after: AfterEpoch) -> float:
        """Train a model, or finish its training, and judge it.

        Parameters
        ----------
        parameters
            Dotted options and their values.
        folder
            Folder of the model.
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
            # The metric itself, or else an error that is free of the weights of the loss.
            name = f"{_VALIDATION}{self.exploration.metric}"
            names = [n for n in metrics if n.startswith(_VALIDATION)]
            names.sort(key=lambda n: (n != name, n.endswith("loss")))
            error = metrics[names[0]] if names else None
            after(epoch, error, name in metrics, epoch == epochs)

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
        return self._mean(prediction)

    def _mean(self, prediction: xr.Dataset) -> float:
        """Mean of the metric over the validation samples; scores along other axes have none."""
        scores = self.scoring.score(self.evaluator, prediction)
        metric = self.exploration.metric
        summary = {} if scores is None else summarise(scores)
        if metric not in summary:
            raise OptionError(f"metric = '{metric}': no validation sample has a finite value of it")
        return summary[metric]["mean"]

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
                netcdf.write(draw_cases(config.sampler, count, seed), place / "cases.nc")
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


def with_metric(exploration: Exploration) -> Exploration:
    """Exploration with the name of its metric, and which of its values are the best.

    Raises
    ------
    OptionError
        If no evaluator of the run gives the metric.
    """
    _, name, metric = find_metric(exploration.metric, exploration.config().evaluators)
    return exploration._replace(metric=name, larger_is_better=metric.better == "high")
