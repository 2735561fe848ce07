"""What the distribution offers, and the options of the model; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from crystalsim.hookspecs import Plugin, hookimpl
from crystalsim.learning.options import PrototypeOptions, SurrogateOptions
from crystalsim.options import Meta


@dataclass(frozen=True)
class UNetOptions(SurrogateOptions):
    """Options of the U-Net."""

    width: Annotated[int, Meta(ge=2, description="channels on the finest level")] = 12
    levels: Annotated[int, Meta(ge=1, le=6, description="grids, each half as fine")] = 4


@dataclass(frozen=True)
class UNetPrototypeOptions(PrototypeOptions, UNetOptions):
    """Options of the same network by the prototype's recipe."""


@hookimpl
def crystalsim_models() -> list[Plugin]:
    """Offer the model."""
    return [
        Plugin(
            "unet",
            "crystalsim_unet.model:UNet",
            "U-Net that corrects a background flow",
            options="crystalsim_unet.plugin:UNetOptions",
        ),
        Plugin(
            "unet_prototype",
            "crystalsim_unet.model:UNetPrototype",
            "U-Net by the prototype's recipe, to compare with",
            options="crystalsim_unet.plugin:UNetPrototypeOptions",
        ),
    ]
