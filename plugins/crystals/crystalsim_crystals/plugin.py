"""What the distribution offers, and the options of the evaluator; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from crystalsim.hookspecs import Plugin, hookimpl
from crystalsim.options import Meta


@dataclass(frozen=True)
class CrystalsOptions:
    """Options of the evaluator of crystals."""

    separation: Annotated[
        float,
        Meta(ge=0, description="least distance between two extrema, over the smallest radius"),
    ] = 1.0
    detection_distance: Annotated[
        float,
        Meta(gt=0, description="a crystal is detected by an extremum nearer than this many radii"),
    ] = 1.0


@hookimpl
def crystalsim_evaluators() -> list[Plugin]:
    """Offer the evaluator."""
    return [
        Plugin(
            "crystals",
            "crystalsim_crystals.evaluator:CrystalsEvaluator",
            "velocity of each crystal, detection and alignment of velocity extrema",
            options="crystalsim_crystals.plugin:CrystalsOptions",
        )
    ]
