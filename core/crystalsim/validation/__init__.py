"""Checks that any solver should pass, through its public contract `solve` alone.

    from crystalsim.validation import validate_solver

    for result in validate_solver(MySolver()):
        print(result.name, result.errors, result.passed)

`accuracy` measures against solutions that do not come from a grid, on several grids; `laws` holds
what any grid has to obey.
"""

from .accuracy import finite_elements, isoviscous_discs, viscosity_jump, viscous_inclusion
from .laws import (
    divergence,
    energy_balance,
    force_balance,
    impermeability,
    mirror_symmetry,
    superposition,
)
from .result import Result
from .suite import CELLS, CHECKS, validate_solver
from .table import save_table, table_text

__all__ = [
    "CELLS",
    "CHECKS",
    "Result",
    "divergence",
    "energy_balance",
    "finite_elements",
    "force_balance",
    "impermeability",
    "isoviscous_discs",
    "mirror_symmetry",
    "save_table",
    "superposition",
    "table_text",
    "validate_solver",
    "viscosity_jump",
    "viscous_inclusion",
]
