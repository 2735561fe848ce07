"""What the distribution offers, and the options of the solver; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from crystalsim.hookspecs import Plugin, hookimpl
from crystalsim.options import Meta


@dataclass(frozen=True)
class MultipoleOptions:
    """Options of the exact solver."""

    tolerance: Annotated[
        float,
        Meta(
            ge=1e-12,
            le=1e-2,
            description="error of the crystals' velocities over the largest speed of the sample, "
            "from which the number of modes follows and which the estimate has to meet",
        ),
    ] = 1e-8
    maximum_modes: Annotated[
        int,
        Meta(ge=8, description="refuse gaps that need more modes on a disc"),
    ] = 1000


@hookimpl
def crystalsim_solvers() -> list[Plugin]:
    """Offer the solver."""
    return [
        Plugin(
            "multipole",
            "crystalsim_multipole.solver:MultipoleSolver",
            "exact and grid-free: multipoles of discs and their mirror twins, free slip",
            options="crystalsim_multipole.plugin:MultipoleOptions",
        )
    ]
