"""What the distribution offers; imports nothing heavy."""

from __future__ import annotations

from crystalsim.hookspecs import Plugin, hookimpl


@hookimpl
def crystalsim_models() -> list[Plugin]:
    """Offer the model."""
    return [
        Plugin(
            "isoviscous",
            "crystalsim_isoviscous.model:Isoviscous",
            "baseline without training: the flow as if crystals were as viscous as the magma",
        )
    ]
