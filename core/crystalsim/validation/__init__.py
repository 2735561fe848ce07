"""Checks that any solver should pass, through its public contract `solve` alone.

    from crystalsim.validation import validate_solver

    for result in validate_solver(MySolver()):
        print(result.name, result.errors, result.passed)

`accuracy` and `literature` measure against solutions that do not come from a grid, on several
grids, `scenes` against an exact solver; `laws` holds what any grid has to obey.
`closed_forms` are series from the literature.
"""

from .accuracy import finite_elements, isoviscous_discs, viscosity_jump, viscous_inclusion
from .closed_forms import beside_wall, between_plates, centred_disc, row_of_discs
from .laws import (
    divergence,
    energy_balance,
    force_balance,
    impermeability,
    mirror_symmetry,
    superposition,
)
from .literature import disc_between_plates, single_discs
from .result import Result
from .scenes import RandomScenes, random_scenes
from .suite import CELLS, CHECKS, validate_solver
from .table import save_table, table_text

__all__ = [
    "CELLS",
    "CHECKS",
    "RandomScenes",
    "Result",
    "beside_wall",
    "between_plates",
    "centred_disc",
    "disc_between_plates",
    "divergence",
    "energy_balance",
    "finite_elements",
    "force_balance",
    "impermeability",
    "isoviscous_discs",
    "mirror_symmetry",
    "random_scenes",
    "row_of_discs",
    "save_table",
    "single_discs",
    "superposition",
    "table_text",
    "validate_solver",
    "viscosity_jump",
    "viscous_inclusion",
]
