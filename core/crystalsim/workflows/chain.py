"""Whether the stages of a run fit together: tried on one small sample before any time is spent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import xarray as xr

from ..config.choice import Choice
from ..config.run import RunConfig
from ..contracts import ChecksSolutions
from ..datasets import schema
from ..errors import CrystalsimError, OptionError, PluginError, UnsupportedError, one_line
from ..evaluation.scores import check_comparable
from ..runtime.log import logger, silent
from ..scene.grid import Grid
from ..storage.models import read_model

CELLS = 32
"""Cells in each direction that the trial has at most."""


def check_chain(config: RunConfig) -> None:
    """Refuse a run whose model or baselines cannot take what its solver gives.

    One sample is drawn, solved on a coarse grid and shown to the model and the baselines. A plugin
    that fails on this sample for a reason of its own proves nothing, and is let through: its stage
    will name it, with the traceback in the run's log.

    Raises
    ------
    UnsupportedError
        If they do not fit; the message names both.
    CrystalsimError
        If no sample can be drawn, or an option is wrong.
    """
    with silent(), _letting_through():
        cases = _coarse(config.sampler.build().sample(1, seed=config.seed))
        solutions = _solved(config.solver, cases)
        if solutions is None:
            return
        for label, model in _predictors(config):
            with _letting_through():
                _check_predictor(label, model, config.solver, cases, solutions)


@contextlib.contextmanager
def _letting_through() -> Iterator[None]:
    """Let pass whatever is no error of a user."""
    try:
        yield
    except CrystalsimError:
        raise
    except Exception as error:
        logger.debug("the trial of the chain was given up: %s", one_line(error))


def _check_predictor(
    label: str, model: Any, solver: Choice, cases: xr.Dataset, solutions: xr.Dataset
) -> None:
    try:
        if isinstance(model, ChecksSolutions):
            model.check_solutions(solutions)
        if label.startswith("baseline"):
            check_comparable(solutions, model.predict(cases))
    except CrystalsimError as error:
        raise UnsupportedError(
            f"{label} does not go with solver '{solver.name}': {one_line(error)}"
        ) from None


def _predictors(config: RunConfig) -> list[tuple[str, Any]]:
    """The model, not trained, and the baselines."""
    baselines = [name for name in config.baselines if name != config.model.name]
    model = config.model
    return [
        (f"model '{model.name}'", model.build()),
        *((f"baseline '{name}'", read_model(name)[0]) for name in baselines),
    ]


def _coarse(cases: xr.Dataset) -> xr.Dataset:
    """The same crystals on a coarse grid; media on the grid stay as they are."""
    if schema.has_media(cases):
        return cases
    grid = Grid.from_dataset(cases)
    coarse = Grid(
        min(grid.nx, CELLS), min(grid.nz, CELLS), grid.x_min, grid.x_max, grid.z_min, grid.z_max
    )
    return cases.drop_vars(("x", "z", "x_face", "z_face")).assign_coords(coarse.coordinates())


def _solved(solver: Choice, cases: xr.Dataset) -> xr.Dataset | None:
    """Solution of the sample; None where there is none."""
    try:
        return schema.validate(solver.build().solve(cases), "solutions")
    except (OptionError, PluginError, UnsupportedError):
        raise
    except Exception as error:
        logger.debug("the chain is not checked: %s", one_line(error))
        return None
