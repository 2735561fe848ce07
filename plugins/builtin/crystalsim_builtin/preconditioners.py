"""Approximate inverses of the extra-stress operator ``D**-1 + Gamma``."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
import scipy.sparse.linalg
from numpy.typing import NDArray

from crystalsim.stokes.extra_stress import ExtraStressSystem

from .stack import Stack

Array = NDArray[Any]

SHIFT = 0.5
REACH = 3
"""How many cells around the support `Neighbourhood` takes in."""


class Preconditioner(Protocol):
    """Symmetric positive definite ``M**-1``; called with a residual on the support.

    Attributes
    ----------
    caution
        Square of the error over ``r' M**-1 r`` in bad cases, for want of any iteration.
    bounded
        Whether ``r' M**-1 r`` is an upper bound of the squared error: ``M`` is below the operator.
    """

    caution: ClassVar[float]
    bounded: ClassVar[bool]

    def __call__(self, residual: Array) -> Array:
        """Apply ``M**-1``."""
        ...


class Diagonal:
    """``1 / (D**-1 + 1/2)``: a number between its eigenvalues 0 and 1 in place of ``Gamma``.

    For a disc the right one; anything from 0.1 to 1 takes about as many iterations.
    """

    caution: ClassVar[float] = 8.0
    bounded: ClassVar[bool] = False

    def __init__(self, system: ExtraStressSystem | Stack) -> None:
        self._inverse = 1.0 / (system.compliance + SHIFT)

    def __call__(self, residual: Array) -> Array:
        """See `Preconditioner`."""
        return np.asarray(self._inverse * residual)


class Neighbourhood:
    """The operator as if the flow were still three cells away from the crystals.

    With the strain rate ``S_b`` of the corners within reach, and ``S_c`` its rows on the support,

        M = D**-1 + S_c (S_b' S_b)**-1 S_c',
        M**-1 r = D (r - S_c phi),    (S_b' S_b + S_c' D S_c) phi = S_c' D r

    (Sherman-Morrison-Woodbury): one sparse factorisation of the primal operator around the
    crystals. What is left is what crystals do to each other from afar, which is mild; nothing is
    left where all corners are near. Fewer flows resist less, so that ``M`` is below the operator.
    """

    caution: ClassVar[float] = 1.0
    bounded: ClassVar[bool] = True

    def __init__(self, system: ExtraStressSystem) -> None:
        stiffness, self._strain_rate = system.neighbourhood(REACH)
        self._stress = self._strain_rate.T
        self._stiffness = system.stiffness
        self._factors = scipy.sparse.linalg.splu(
            stiffness,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )

    def __call__(self, residual: Array) -> Array:
        """See `Preconditioner`."""
        flow = self._factors.solve(self._stress @ (self._stiffness * residual))
        scaled = self._stiffness * (residual - self._strain_rate @ flow)
        return np.asarray(scaled, dtype=residual.dtype)


def factorisation_cost(system: ExtraStressSystem) -> float:
    """Iterations with `Diagonal` that take as long as making a `Neighbourhood`.

    From times measured at 32 to 512 cells; infinite beyond what is worth the memory.
    """
    corners = system.near(REACH).sum()
    if corners > 40_000:
        return float("inf")
    factorisation = 100_000 + 320 * corners * (corners / 5000) ** 0.35
    return float(factorisation / (system.driving.size + system.compliance.size))
