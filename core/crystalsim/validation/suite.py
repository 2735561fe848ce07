"""Run all checks on one solver."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ..contracts import Solver
from ..errors import OptionError, UnsupportedError, one_line
from ..runtime.progress import progress
from . import accuracy, laws, literature
from .result import Result
from .scenes import RandomScenes, random_scenes

Check = Callable[[Solver, Sequence[int]], Result]

CELLS = (32, 64, 128)
"""Grids that are solved on unless others are asked for."""


def _on_the_coarsest(
    law: Callable[[Solver, int], Result], solver: Solver, cells: Sequence[int]
) -> Result:
    return law(solver, cells[0])


CHECKS: Mapping[str, Check] = {
    "isoviscous discs": accuracy.isoviscous_discs,
    "viscous inclusion": accuracy.viscous_inclusion,
    "viscosity jump": accuracy.viscosity_jump,
    "finite elements": accuracy.finite_elements,
    "single discs": literature.single_discs,
    "disc between plates": literature.disc_between_plates,
    "mirror symmetry": partial(_on_the_coarsest, laws.mirror_symmetry),
    "superposition": partial(_on_the_coarsest, laws.superposition),
    "force balance": partial(_on_the_coarsest, laws.force_balance),
    "energy balance": partial(_on_the_coarsest, laws.energy_balance),
    "divergence": partial(_on_the_coarsest, laws.divergence),
    "impermeability": partial(_on_the_coarsest, laws.impermeability),
}
"""All checks by name that need no other solver. Laws hold on any grid and are tested on the
coarsest."""


def validate_solver(
    solver: Solver,
    cells: Sequence[int] = CELLS,
    *,
    truth: object | None = None,
    scenes: RandomScenes | None = None,
) -> list[Result]:
    """Run all checks; what a solver raises becomes the failure of that check.

    A check that the solver answers with `crystalsim.errors.UnsupportedError` is skipped.

    Parameters
    ----------
    solver
        Anything that keeps `crystalsim.contracts.Solver`.
    cells
        Cells in each direction, one number or more of at least 8, in any order.
    truth
        Exact solver for random scenes, see `random_scenes`; None skips them.
    scenes
        What random scenes look like.

    Raises
    ------
    OptionError
        If a number of cells is below 8, or there is none.
    """
    chosen = sorted(set(cells))
    if not chosen or chosen[0] < 8:
        raise OptionError(f"cells = {list(cells)}: expected one or more numbers, each 8 at least")
    checks = {**CHECKS, "random scenes": partial(_random_scenes, truth, scenes)}
    return [
        _guarded(name, check, solver, chosen)
        for name, check in progress(checks.items(), description="validating", unit="check")
    ]


def _random_scenes(
    truth: object | None, scenes: RandomScenes | None, solver: Solver, cells: Sequence[int]
) -> Result:
    if truth is None:
        raise UnsupportedError(
            "no exact solver to compare with: none was named, and the default is not installed"
        )
    return random_scenes(solver, cells, truth, scenes)


def _guarded(name: str, check: Check, solver: Solver, cells: Sequence[int]) -> Result:
    try:
        return check(solver, cells)
    except UnsupportedError as error:
        return Result(name, skipped=str(error))
    except Exception as error:  # a plugin may raise anything
        return Result(name, failure=one_line(error) or "no message")
