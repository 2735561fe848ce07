"""What the distribution offers; imports nothing heavy."""

from __future__ import annotations

from crystalsim.hookspecs import Plugin, hookimpl


@hookimpl
def crystalsim_evaluators() -> list[Plugin]:
    """Offer the evaluator."""
    return [
        Plugin(
            "fields",
            "crystalsim_fields.evaluator:FieldsEvaluator",
            "relative L2, MSE, MAE and R2 of velocity, speed and stream function",
        )
    ]
