"""What the distribution offers; imports nothing heavy."""

from __future__ import annotations

from crystalsim.hookspecs import Plugin, hookimpl


@hookimpl
def crystalsim_models() -> list[Plugin]:
    """Offer the models."""
    return [
        Plugin(
            "isoviscous",
            "crystalsim_isoviscous.model:Isoviscous",
            "baseline without training: the flow as if crystals were as viscous as the magma",
        ),
        Plugin(
            "dilute",
            "crystalsim_isoviscous.model:Dilute",
            "baseline without training: each crystal's extra stress as if it were alone",
        ),
    ]
