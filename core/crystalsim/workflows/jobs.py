"""What the commands do, for Python: work that is kept in files and goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from ..config.choice import Choice
from ..config.run import DEFAULTS, resolve
from ..contracts import Model
from ..execution.schedule import Schedule
from ..execution.shards import solve_cases
from ..options import read_toml
from ..storage import netcdf
from ..storage.models import load_model
from ..storage.run_folder import RunFolder
from . import run as pipeline
from .training import train_model


def run(
    folder: str | Path, config: Mapping[str, Any] | str | Path | None = None, *, workers: int = 1
) -> RunFolder:
    """Do everything, as ``crystalsim run`` does: sample, solve, train, predict, evaluate, draw.

    Parameters
    ----------
    folder
        Where everything goes; one that holds the same run is continued.
    config
        Tables as in a TOML file, or such a file; what they do not say is as in ``crystalsim init``.
    workers
        Processes of the solver.

    Returns
    -------
    RunFolder
        Paths of everything in the folder.

    Raises
    ------
    StoreError
        If the folder holds another run; the message names what differs.
    OptionError, PluginError, UnsupportedError
        If the configuration is wrong, or its plugins do not fit together.
    """
    tables = read_toml(config) if isinstance(config, (str, Path)) else config or {}
    pipeline.run(resolve(tables), Path(folder), workers=workers)
    return RunFolder(Path(folder))


def solve(
    cases: xr.Dataset,
    output: str | Path,
    solver: str = DEFAULTS["solver"]["plugin"],
    *,
    workers: int = 1,
    **options: Any,
) -> xr.Dataset:
    """Solve many samples, as ``crystalsim solve`` does; what is there is not solved again.

    Parameters
    ----------
    cases
        Dataset of kind ``"cases"``.
    output
        File (``.nc``), or folder of shards.
    solver
        Name of the plugin.
    workers
        Processes; a script that asks for more than one guards itself with
        ``if __name__ == "__main__"``.
    **options
        Options of the solver.

    Returns
    -------
    xarray.Dataset
        Dataset of kind ``"solutions"``, in memory.

    Raises
    ------
    StoreError
        If `output` holds other work; the message names what differs.
    """
    choice = Choice.of("solver", {**options, "plugin": solver})
    solve_cases(cases, choice, Path(output), schedule=Schedule(workers))
    return netcdf.open(output, "solutions")


def train(
    training: xr.Dataset,
    validation: xr.Dataset,
    folder: str | Path,
    model: str = DEFAULTS["model"]["plugin"],
    *,
    seed: int = 0,
    **options: Any,
) -> Model:
    """Train a model into a folder, as ``crystalsim train`` does, or load it if it is trained.

    Parameters
    ----------
    training, validation
        Datasets of kind ``"solutions"``.
    folder
        Folder of the model; `crystalsim.load_model` reads it.
    model
        Name of the plugin.
    seed
        Fixes initial weights and the order of the data.
    **options
        Options of the model.

    Returns
    -------
    Model
        Ready to predict.

    Raises
    ------
    StoreError
        If the folder holds another model; the message names what differs.
    """
    choice = Choice.of("model", {**options, "plugin": model})
    train_model(choice, [training], [validation], Path(folder), seed=seed)
    return load_model(folder)
