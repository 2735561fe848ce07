"""What the distribution offers, and the options of its models; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from crystalsim.hookspecs import Plugin, hookimpl
from crystalsim.options import Meta


@dataclass(frozen=True)
class BaselineOptions:
    """Options of a baseline that asks a solver."""

    solver: Annotated[str, Meta(description="name of the solver")] = "builtin"


@dataclass(frozen=True)
class EarlyStoppedOptions(BaselineOptions):
    """Options of the solver that is stopped early."""

    iterations: Annotated[
        int, Meta(ge=1, description="iterations of the solver, which can be told when to stop")
    ] = 3


@hookimpl
def crystalsim_models() -> list[Plugin]:
    """Offer the models."""
    return [
        Plugin(
            "isoviscous",
            "crystalsim_baselines.isoviscous:Isoviscous",
            "baseline without training: the flow as if crystals were as viscous as the magma",
        ),
        Plugin(
            "dilute",
            "crystalsim_baselines.isoviscous:Dilute",
            "baseline without training: each crystal's extra stress as if it were alone",
        ),
        Plugin(
            "early_stopped",
            "crystalsim_baselines.solvers:EarlyStopped",
            "baseline without training: a solver that stops after a few iterations",
            options="crystalsim_baselines.plugin:EarlyStoppedOptions",
        ),
        Plugin(
            "half_grid",
            "crystalsim_baselines.solvers:HalfGrid",
            "baseline without training: a solver on a grid half as fine, interpolated",
            options="crystalsim_baselines.plugin:BaselineOptions",
        ),
        Plugin(
            "superposition",
            "crystalsim_baselines.solvers:Superposition",
            "baseline without training: the sum of the flows of each crystal alone",
            options="crystalsim_baselines.plugin:BaselineOptions",
        ),
    ]
