"""The folder of a run: where everything is, and when a stage is complete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import StoreError
from ..options import read_toml
from .files import file_name
from .models import HISTORY, MODEL
from .netcdf import MANIFEST

__all__ = ["SPLITS", "RunFolder"]

SPLITS = ("training", "validation", "test")
"""The samples of a run: to train on, to choose the best weights by, and to judge by."""


class RunFolder:
    """Paths in the folder of a run; nothing is read or made but by the methods that say so.

    Attributes
    ----------
    path
        The folder.
    config
        Resolved configuration.
    summary
        Table of results as text; it is written last and says that the run is complete.
    table
        All values of the table of results as CSV.
    log
        Messages of all calls.
    model, history
        Folder of the trained model, and the losses by epoch in it.
    figures
        Folder of the figures.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config, self.log = path / "config.toml", path / "run.log"
        self.summary, self.table = path / "summary.txt", path / "summary.csv"
        self.model, self.history = path / "model", path / "model" / HISTORY
        self.figures = path / "figures"

    def cases(self, split: str) -> Path:
        """Cases of one of `SPLITS`."""
        return self.path / "cases" / f"{split}.nc"

    def solutions(self, split: str) -> Path:
        """Folder with the shards of the solutions of one of `SPLITS`."""
        return self.path / "solutions" / split

    def prediction(self, model: str) -> Path:
        """Test samples as a model predicts them."""
        return self.path / "predictions" / f"{file_name(model)}.nc"

    def predictions(self) -> list[Path]:
        """Predictions that are there, by name."""
        return sorted((self.path / "predictions").glob("*.nc"))

    def scores(self, evaluator: str, model: str) -> Path:
        """Scores that an evaluator gives a model."""
        return self.path / "scores" / f"{file_name(evaluator)}-{file_name(model)}.nc"

    @property
    def is_run(self) -> bool:
        """Whether there is a run in the folder, complete or not."""
        return self.config.is_file()

    @property
    def is_complete(self) -> bool:
        """Whether all stages are done."""
        return self.is_run and self.summary.is_file()

    @property
    def is_trained(self) -> bool:
        """Whether the model is trained."""
        return (self.model / MODEL).is_file()

    def read_config(self) -> dict[str, Any]:
        """Read the resolved configuration, as tables.

        Raises
        ------
        OptionError
            If the file is missing or damaged.
        """
        return read_toml(self.config)

    def require_complete(self) -> None:
        """Refuse a run that is not complete.

        Raises
        ------
        StoreError
            If a stage is still to be done, or there is no run.
        """
        if not self.is_complete:
            raise StoreError(
                f"{self.path}: no finished run; expected the folder of `crystalsim run`, and the "
                "same command goes on with one that was stopped"
            )

    def missing(self) -> list[Path]:
        """Files that a complete run has to have, and that are not there."""
        needed = [self.model / MODEL, self.history]
        for split in SPLITS:
            needed += [self.cases(split), self.solutions(split) / MANIFEST]
        return [path for path in needed if not path.is_file()]
