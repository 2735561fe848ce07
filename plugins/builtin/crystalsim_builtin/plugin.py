"""What the distribution offers, and the options of the solver; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from crystalsim.hookspecs import Plugin, hookimpl
from crystalsim.options import Meta


@dataclass(frozen=True)
class BuiltinOptions:
    """Options of the built-in solver."""

    tolerance: Annotated[
        float,
        Meta(
            gt=0,
            lt=1,
            description="relative error of the flow to stop at, in the energy norm; that of the "
            "velocity is a tenth or less, at the default about the error of the grid",
        ),
    ] = 1.5e-2
    maximum_iterations: Annotated[int, Meta(ge=1, description="give up after so many")] = 2000
    walls: Annotated[
        Literal["free_slip", "periodic_sides", "no_slip"],
        Meta(
            description="of all four; periodic_sides are the left and right one, joined, with "
            "free slip at the bottom and the top"
        ),
    ] = "free_slip"
    average: Annotated[
        Literal["curvature", "harmonic", "geometric", "arithmetic", "point"],
        Meta(
            description="mean of the viscosity at the crystals' edges; curvature is the most "
            "accurate and knows contrast and radius, arithmetic is LaMEM's"
        ),
    ] = "curvature"
    precision: Annotated[
        Literal["double", "single"],
        Meta(description="of the arithmetic and of the fields; single halves time and files"),
    ] = "double"
    extra_stress: Annotated[
        bool, Meta(description="write the extra stress of the crystals, to start from it later")
    ] = False
    device: Annotated[
        Literal["cpu", "cuda", "auto"],
        Meta(description="cuda solves batches in torch; auto does if torch finds a GPU"),
    ] = "cpu"
    batch: Annotated[int, Meta(ge=1, description="samples that a GPU solves at once")] = 32


@hookimpl
def crystalsim_solvers() -> list[Plugin]:
    """Offer the solver."""
    return [
        Plugin(
            "builtin",
            "crystalsim_builtin.solver:BuiltinSolver",
            "2D finite differences, stream function, crystals as extra stress",
            options="crystalsim_builtin.plugin:BuiltinOptions",
        )
    ]
