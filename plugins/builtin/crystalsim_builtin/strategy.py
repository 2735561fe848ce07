"""Samples on a processor: which precision and which preconditioner, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crystalsim.stokes.extra_stress import ExtraStressSystem

from .conjugate_gradients import ConjugateGradients, Result
from .preconditioners import Diagonal, Neighbourhood, Preconditioner, factorisation_cost
from .stack import Stack

Array = NDArray[Any]

ROUGH = 5e-3
"""From this tolerance up, iterations in single precision do: rounding leaves 1e-5 (64 cells) to
2e-3 (1024 cells), and they take half the time on large grids."""

TIGHT = 1e-3
"""From this tolerance down the factorisation pays from the start."""

_LOOK = 24
"""Iterations before the cost of a factorisation is looked at."""


class Solved(NamedTuple):
    """Flow of one sample in the units of its system.

    Attributes
    ----------
    stream_function
        On unknown corners.
    extra_stress
        On the support.
    iterations
        Of conjugate gradients, in all.
    error, residual
        See `conjugate_gradients.Result`; of this extra stress, whatever rounding has done.
    """

    stream_function: Array
    extra_stress: Array
    iterations: int
    error: float
    residual: float


def solve_systems(
    systems: Sequence[ExtraStressSystem],
    tolerance: float,
    maximum_iterations: int,
    initial: Sequence[Array | None],
) -> list[Solved]:
    """Solve in the cheapest way that is known, and check what came of it.

    A rough solution iterates in single precision with the diagonal preconditioner. Where that has
    cost as much as factorising the neighbourhood of the crystals would have, or the tolerance is
    tight, that takes over, sample by sample.

    Parameters
    ----------
    systems
        What to solve, on one grid; their precision is that of the result.
    tolerance
        Relative error of the flow in the energy norm.
    maximum_iterations
        In all, for each sample.
    initial
        Extra stress on the support to start from, or None, for each sample.
    """
    if tolerance <= TIGHT:
        pairs = zip(systems, initial, strict=True)
        return [_tightly(s, tolerance, maximum_iterations, start) for s, start in pairs]
    solutions = _roughly(systems, tolerance, maximum_iterations, initial)
    return [
        solved
        if solved.error <= tolerance or solved.iterations >= maximum_iterations
        else _tightly(system, tolerance, maximum_iterations, solved.extra_stress, solved)
        for system, solved in zip(systems, solutions, strict=True)
    ]


def _roughly(
    systems: Sequence[ExtraStressSystem],
    tolerance: float,
    maximum_iterations: int,
    initial: Sequence[Array | None],
) -> list[Solved]:
    """Iterate with the diagonal preconditioner while it is cheaper than the other."""
    single = tolerance >= ROUGH and systems[0].operator.balanced
    stack = Stack(systems, np.float32 if single else systems[0].dtype)
    # The rest is for rounding.
    aim = 0.95 * tolerance if single else tolerance
    start = None
    if any(one is not None for one in initial):
        nothing = [np.zeros_like(system.compliance) for system in systems]
        given = [n if i is None else i for i, n in zip(initial, nothing, strict=True)]
        start = np.concatenate(given)
    run = ConjugateGradients(stack, Diagonal(stack), start)
    limit = min(maximum_iterations, _LOOK)
    results = run.advance(aim, [limit] * len(systems))
    if limit < maximum_iterations and any(result.error > aim for result in results):
        limits = [
            min(maximum_iterations, factorisation_cost(system)) if result.error > aim else limit
            for system, result in zip(systems, results, strict=True)
        ]
        results = run.advance(aim, limits)
    return [
        _checked(system, Diagonal(system), result, 0)
        for system, result in zip(systems, results, strict=True)
    ]


def _tightly(
    system: ExtraStressSystem,
    tolerance: float,
    maximum_iterations: int,
    initial: Array | None,
    solved: Solved | None = None,
) -> Solved:
    """Iterate in the system's precision, with the neighbourhood factorised where it can be."""
    stack = Stack([system], system.dtype)
    preconditioner: Preconditioner = Diagonal(system)
    if system.compliance.size and factorisation_cost(system) < np.inf:
        preconditioner = Neighbourhood(system)
    while True:
        used = 0 if solved is None else solved.iterations
        [result] = ConjugateGradients(stack, preconditioner, initial).advance(
            tolerance, [maximum_iterations - used]
        )
        further = _checked(system, preconditioner, result, used)
        if further.error <= tolerance or further.iterations >= maximum_iterations:
            return further
        if solved is not None and further.error > 0.5 * solved.error:
            # Rounding is in the way.
            best = min(further, solved, key=lambda one: one.error)
            return best._replace(iterations=further.iterations)
        solved, initial = further, further.extra_stress


def _checked(
    system: ExtraStressSystem, preconditioner: Preconditioner, result: Result, used: int
) -> Solved:
    """Flow of an extra stress, with its error and residual as they are and not as they should be.

    The residual of the iteration drifts from that of its iterate by rounding; what it misses is
    added to the error, which is never below rounding itself.
    """
    stress = result.extra_stress.astype(system.dtype, copy=False)
    psi = system.flow(stress)
    misfit = system.gather(psi) - system.compliance * stress
    work = float(np.vdot(system.driving, psi))
    if work <= 0:
        return Solved(psi, stress, used + result.iterations, result.error, result.residual)
    missed = abs(float(misfit @ preconditioner(misfit))) / work
    rounding = float(np.finfo(system.dtype).eps) ** 2
    error = math.sqrt(result.error**2 + max(0.0, missed - result.residual**2) + rounding)
    return Solved(psi, stress, used + result.iterations, error, math.sqrt(missed))
