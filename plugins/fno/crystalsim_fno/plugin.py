"""What the distribution offers, and the options of the model; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from crystalsim.hookspecs import Plugin, hookimpl
from crystalsim.learning.options import PrototypeOptions, SurrogateOptions
from crystalsim.options import Meta


@dataclass(frozen=True)
class FNOOptions(SurrogateOptions):
    """Options of the Fourier neural operator."""

    width: Annotated[int, Meta(ge=2, description="channels")] = 20
    modes: Annotated[int, Meta(ge=2, description="wave numbers in each direction")] = 16
    layers: Annotated[int, Meta(ge=1, description="spectral layers")] = 4


@dataclass(frozen=True)
class FNOPrototypeOptions(PrototypeOptions, FNOOptions):
    """Options of the same network by the prototype's recipe."""


@hookimpl
def crystalsim_models() -> list[Plugin]:
    """Offer the model."""
    return [
        Plugin(
            "fno",
            "crystalsim_fno.model:FNO",
            "Fourier neural operator with sine and cosine series between the walls",
            options="crystalsim_fno.plugin:FNOOptions",
        ),
        Plugin(
            "fno_prototype",
            "crystalsim_fno.model:FNOPrototype",
            "Fourier neural operator by the prototype's recipe, to compare with",
            options="crystalsim_fno.plugin:FNOPrototypeOptions",
        ),
    ]
