"""What the distribution offers, and the options; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from crystalsim.hookspecs import Plugin, hookimpl
from crystalsim.options import Meta


@dataclass(frozen=True)
class InteractionOptions:
    """Options of the evaluator of interaction."""

    solver: Annotated[str, Meta(description="solver of each crystal alone")] = "builtin"


@dataclass(frozen=True)
class CostOptions:
    """Options of the evaluator of cost."""

    solver: Annotated[
        str,
        Meta(description="solver that is stopped early; one that can be told when to stop"),
    ] = "builtin"
    samples: Annotated[
        int, Meta(ge=1, description="how many samples are solved again; the others have no score")
    ] = 20


@hookimpl
def crystalsim_evaluators() -> list[Plugin]:
    """Offer the evaluators."""
    return [
        Plugin(
            "physics",
            "crystalsim_analysis.physics:PhysicsEvaluator",
            "divergence, momentum, energy, wall forces, rigidity, far field, symmetry",
        ),
        Plugin(
            "spectrum",
            "crystalsim_analysis.spectrum:SpectrumEvaluator",
            "error by wave number",
        ),
        Plugin(
            "strata",
            "crystalsim_analysis.strata:StrataEvaluator",
            "error around each crystal beside its radius, gap, distance to walls and contrast",
        ),
        Plugin(
            "interaction",
            "crystalsim_analysis.interaction:InteractionEvaluator",
            "what neighbours change about each crystal's velocity",
            options="crystalsim_analysis.plugin:InteractionOptions",
        ),
        Plugin(
            "cost",
            "crystalsim_analysis.cost:CostEvaluator",
            "time beside that of the solver stopped early at the same error",
            options="crystalsim_analysis.plugin:CostOptions",
        ),
    ]
