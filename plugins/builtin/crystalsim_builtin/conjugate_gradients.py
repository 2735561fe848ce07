"""Preconditioned conjugate gradients for the extra stress.

Hestenes & Stiefel (1952), doi:10.6028/jres.049.044. The preconditioner is diagonal,
``1 / (1/D + 1/2)``: it replaces the projector ``Gamma`` by a number between its eigenvalues 0 and
1, for a disc the right one; anything from 0.1 to 1 takes about as many iterations.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crystalsim.stokes.extra_stress import ExtraStressSystem

_SHIFT = 0.5


class Result(NamedTuple):
    """What the iteration reached.

    Attributes
    ----------
    stream_function
        On interior corners (nz - 1, nx - 1), in the units of the system.
    extra_stress
        On the support.
    iterations
        Applications of the operator.
    residual
        Norm of the residual over that of the right-hand side, both weighted by the preconditioner,
        times the norm of the isoviscous stream function over that of the solution, around the
        support: relative to the flow that is left where most of the domain is stiffer than the
        reference.
    """

    stream_function: NDArray[Any]
    extra_stress: NDArray[Any]
    iterations: int
    residual: float


def solve(
    system: ExtraStressSystem,
    tolerance: float,
    maximum_iterations: int,
    initial: NDArray[Any] | None = None,
) -> Result:
    """Solve for the extra stress until the relative residual is below `tolerance`.

    Parameters
    ----------
    system
        What to solve.
    tolerance
        Relative residual to stop at; measured against a start without extra stress, whatever
        `initial` is.
    maximum_iterations
        Give up after so many; looking at `initial` is no iteration.
    initial
        Extra stress on the support to start from.
    """
    flow = system.restrict(system.isoviscous)
    residual = system.right_hand_side.copy()
    inverse = 1.0 / (system.compliance + _SHIFT)
    start = float(residual @ (inverse * residual))
    driving = float(np.linalg.norm(flow))
    stress = np.zeros_like(residual)
    if initial is not None and start > 0:
        stress = initial.astype(residual.dtype)
        image, response = system.apply(stress)
        flow, residual = flow - response, residual - image
    direction = inverse * residual
    size = float(residual @ direction)
    iterations = 0
    relative = _relative(size, start, driving, flow)
    while relative > tolerance and iterations < maximum_iterations:
        image, response = system.apply(direction)
        step = size / float(direction @ image)
        stress += step * direction
        flow -= step * response
        residual -= step * image
        scaled = inverse * residual
        last, size = size, float(residual @ scaled)
        direction = scaled + (size / last) * direction
        iterations += 1
        relative = _relative(size, start, driving, flow)
    psi = system.isoviscous - system.response(stress)
    return Result(psi, stress, iterations, relative)


def _relative(size: float, start: float, driving: float, flow: NDArray[Any]) -> float:
    if start <= 0:
        return 0.0
    return float(np.sqrt(size / start)) * driving / float(np.linalg.norm(flow))
