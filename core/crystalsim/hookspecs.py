"""The hooks of crystalsim: what a plugin may offer and what it may listen to.

A plugin is a distribution with an entry point in the group ``crystalsim`` that names a module.
In that module, functions marked with `hookimpl` implement any of the hooks below::

    # my_package/plugin.py, with  [project.entry-points.crystalsim]  mine = "my_package.plugin"
    from crystalsim.hookspecs import Plugin, hookimpl

    @hookimpl
    def crystalsim_solvers():
        return [Plugin("mine", "my_package.solver:MySolver", "boundary integrals",
                       options="my_package.plugin:MyOptions")]

The functions return light descriptors, so that listing plugins imports nothing heavy. Wrappers
(``@hookimpl(wrapper=True)``: one ``yield``, which gives what the others returned), ``tryfirst`` and
``trylast`` work as pluggy's documentation says. A function that raises is named with its
distribution, and the others go on as if it were not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import pluggy

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

__all__ = [
    "ENTRY_POINT_GROUP",
    "Plugin",
    "crystalsim_commands",
    "crystalsim_dataset_ready",
    "crystalsim_epoch_finished",
    "crystalsim_evaluators",
    "crystalsim_models",
    "crystalsim_run_finished",
    "crystalsim_run_started",
    "crystalsim_samplers",
    "crystalsim_solvers",
    "hookimpl",
]

ENTRY_POINT_GROUP = "crystalsim"
"""Group of entry points in which distributions name their modules with hooks."""

hookspec = pluggy.HookspecMarker("crystalsim")
hookimpl = pluggy.HookimplMarker("crystalsim")
"""Decorator that marks a function as one of the hooks here, with the arguments of pluggy's."""


class Plugin(NamedTuple):
    """A light description of something that a distribution offers.

    Attributes
    ----------
    name
        What a user types after ``--solver``, ``--model`` ...
    target
        ``"package.module:attribute"`` of the class (of the `click.Command` for commands);
        imported only when it is used.
    summary
        One line for ``crystalsim plugins``.
    options
        ``"package.module:attribute"`` of the frozen dataclass with the options, in a module that
        imports nothing heavy; empty where there are none.
    """

    name: str
    target: str
    summary: str
    options: str = ""


@hookspec
def crystalsim_samplers() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Offer samplers (see `crystalsim.contracts.Sampler`).

    Example: ``return [Plugin("random", "crystalsim_random.sampler:RandomSampler", "...")]``
    """


@hookspec
def crystalsim_solvers() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Offer solvers (see `crystalsim.contracts.Solver`).

    Example: ``return [Plugin("builtin", "crystalsim_builtin.solver:BuiltinSolver", "...")]``
    """


@hookspec
def crystalsim_models() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Offer models, trained or not (see `crystalsim.contracts.Model`).

    Example: ``return [Plugin("unet", "crystalsim_unet.model:UNet", "...")]``
    """


@hookspec
def crystalsim_evaluators() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Offer evaluators (see `crystalsim.contracts.Evaluator`).

    Example: ``return [Plugin("fields", "crystalsim_fields.evaluator:FieldsEvaluator", "...")]``
    """


@hookspec
def crystalsim_commands() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Offer further commands of ``crystalsim``; the target is a `click.Command`.

    Example: ``return [Plugin("movie", "my_package.cli:movie", "draw a film of a solution")]``
    """


@hookspec
def crystalsim_run_started(run: Path, config: Mapping[str, Any]) -> None:
    """Hear that a run starts in the folder `run` with the resolved `config`.

    Example: ``tracker.open(run.name, dict(config))``
    """


@hookspec
def crystalsim_dataset_ready(run: Path, stage: str, dataset: xr.Dataset) -> None:
    """Hear that the dataset of a stage (``"training"``, ``"test"``, ``"scores/unet"`` ...) exists.

    Example: ``dataset.to_zarr(bucket / run.name / stage)``
    """


@hookspec
def crystalsim_epoch_finished(run: Path, epoch: int, metrics: Mapping[str, float]) -> None:
    """Hear the losses of a finished epoch, counted from 1.

    Example: ``writer.add_scalars(run.name, metrics, epoch)``
    """


@hookspec
def crystalsim_run_finished(run: Path, results: Mapping[str, Mapping[str, float]]) -> None:
    """Hear that a run ended, with the summaries of all scores of each model on the test split.

    Example: ``tracker.log(results["unet"]["some_error.mean"])``
    """
