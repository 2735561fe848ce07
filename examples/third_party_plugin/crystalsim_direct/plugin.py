"""Hooks and options: all that crystalsim imports before something is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from crystalsim.hookspecs import Plugin, hookimpl
from crystalsim.options import Meta


@dataclass(frozen=True)
class DirectOptions:
    """Options of the direct solver."""

    average: Annotated[
        Literal["curvature", "harmonic", "geometric", "arithmetic", "point"],
        Meta(description="mean of the viscosity where crystal and magma share a control volume"),
    ] = "curvature"
    tolerance: Annotated[
        float, Meta(gt=0, description="relative residual up to which a sample has converged")
    ] = 1e-6


@hookimpl
def crystalsim_solvers() -> list[Plugin]:
    """Offer the solver."""
    return [
        Plugin(
            "direct",
            "crystalsim_direct.solver:DirectSolver",
            "velocity and pressure by one sparse factorisation",
            options="crystalsim_direct.plugin:DirectOptions",
        )
    ]


@hookimpl
def crystalsim_evaluators() -> list[Plugin]:
    """Offer the evaluator."""
    return [
        Plugin(
            "energy",
            "crystalsim_direct.evaluator:EnergyEvaluator",
            "error of the kinetic energy",
        )
    ]
