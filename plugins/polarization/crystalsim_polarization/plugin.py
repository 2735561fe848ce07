"""What the distribution offers, and the options of the model; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from crystalsim.hookspecs import Plugin, hookimpl
from crystalsim.learning.options import SurrogateOptions
from crystalsim.options import Meta


@dataclass(frozen=True)
class PolarizationOptions(SurrogateOptions):
    """Options of the model; `predicts`, `background`, `inputs`, `unit`, `mirror` do not apply."""

    steps: Annotated[
        int, Meta(ge=1, le=8, description="directions that are searched, one isoviscous solve each")
    ] = 3
    width: Annotated[int, Meta(ge=2, description="channels of the flow")] = 16
    geometry_width: Annotated[int, Meta(ge=2, description="channels of the geometry")] = 16
    layers: Annotated[int, Meta(ge=1, description="layers of each step's network")] = 2
    symmetric: Annotated[
        bool,
        Meta(
            description="average over the four mirror images when predicting: exactly symmetric, "
            "networks take four times as long"
        ),
    ] = False
    learning_rate: Annotated[float, Meta(gt=0, description="largest step of AdamW")] = 2e-3


@hookimpl
def crystalsim_models() -> list[Plugin]:
    """Offer the model."""
    return [
        Plugin(
            "polarization",
            "crystalsim_polarization.model:Polarization",
            "extra stress of crystals by conjugate gradients with a learned preconditioner",
            options="crystalsim_polarization.plugin:PolarizationOptions",
        )
    ]
