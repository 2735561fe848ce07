"""What the distribution offers, and the options of the sampler; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from crystalsim.hookspecs import Plugin, hookimpl
from crystalsim.options import Meta
from crystalsim.scene.options import SceneOptions


@dataclass(frozen=True)
class ListOptions(SceneOptions):
    """Options of the list sampler: either `crystals` or `file`."""

    crystals: Annotated[
        tuple[dict[str, Any], ...],
        Meta(
            description="tables with x, z, radius [m], density or density_contrast [kg m-3], "
            "viscosity [Pa s] or viscosity_contrast (rigid or inf where nothing deforms), and "
            "sample (from 0, default 0)"
        ),
    ] = ()
    file: Annotated[
        str, Meta(description=".csv with those columns, or .toml with [[crystals]] tables")
    ] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.crystals) == bool(self.file):
            raise ValueError("expected either 'crystals' or 'file'")


@hookimpl
def crystalsim_samplers() -> list[Plugin]:
    """Offer the sampler."""
    return [
        Plugin(
            "list",
            "crystalsim_list.sampler:ListSampler",
            "crystals given one by one, in TOML or in a table file",
            options="crystalsim_list.plugin:ListOptions",
        )
    ]
