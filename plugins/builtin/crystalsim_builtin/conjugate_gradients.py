"""Preconditioned conjugate gradients for the extra stress.

Hestenes & Stiefel (1952), doi:10.6028/jres.049.044. They stop when the flow is right: `energy norm`
is the square root of ``e' (D**-1 + Gamma) e`` for an error ``e`` of the extra stress, in which
``e' Gamma e`` is the dissipation (at the reference viscosity) of the error of the flow, and
``e' D**-1 e`` that of the strain rate inside the crystals. The flow itself has ``f' psi``, the work
of gravity, which equals its dissipation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .error_estimate import ErrorEstimate
from .preconditioners import Preconditioner
from .stack import Stack

PATIENCE = 60
"""Iterations without a smaller residual after which rounding is taken to be in the way."""

_DIVERGED = 1e8
"""Growth of ``r' M**-1 r`` that no sound iteration has."""


class Result(NamedTuple):
    """What the iteration reached for one sample.

    Attributes
    ----------
    extra_stress
        On the support.
    iterations
        Applications of the operator.
    error
        Estimated error in the energy norm, relative to the flow.
    residual
        Norm of the residual weighted by the preconditioner, over the energy norm of the flow.
    """

    extra_stress: NDArray[Any]
    iterations: int
    error: float
    residual: float


class _Progress:
    """Where one sample stands, and what its best iterate is worth."""

    def __init__(self, estimate: ErrorEstimate, size: float) -> None:
        self.estimate = estimate
        self.size = self.smallest = size  # r' M**-1 r
        self.iterations = self.since_smallest = 0
        self.at_smallest = estimate.relative, estimate.residual

    @property
    def stagnant(self) -> bool:
        return self.since_smallest >= PATIENCE

    def step(self, decrease: float, size: float) -> bool:
        """Take account of one step; tells whether it left the best iterate."""
        best_before = self.since_smallest == 0
        self.iterations += 1
        if not 0 <= size <= _DIVERGED * self.smallest:
            # Rounding is stronger than what is left to solve for.
            self.since_smallest = PATIENCE
            return best_before
        self.estimate.step(decrease, size)
        self.size = size
        self.since_smallest += 1
        if size < self.smallest:
            self.smallest, self.since_smallest = size, 0
            self.at_smallest = self.estimate.relative, self.estimate.residual
        return best_before and self.since_smallest > 0


class ConjugateGradients:
    """An iteration that can be interrupted. Every sample has its own step lengths and end.

    Parameters
    ----------
    stack
        What to solve.
    preconditioner
        For that stack.
    initial
        Extra stress of all samples to start from; nothing by default.
    """

    def __init__(
        self,
        stack: Stack,
        preconditioner: Preconditioner,
        initial: NDArray[Any] | None = None,
    ) -> None:
        self._stack, self._preconditioner = stack, preconditioner
        known, work = stack.right_hand_side, stack.work
        if initial is None:
            self._stress, self._residual = np.zeros_like(known), known.copy()
        else:
            self._stress = initial.astype(known.dtype)
            self._residual = known - stack.apply(self._stress, [True] * len(work))
            done = stack.dot(known + self._residual, self._stress)
            work = [w - d for w, d in zip(work, done, strict=True)]
        self._direction = preconditioner(self._residual)
        self._best = self._stress.copy()
        self._samples = [
            _Progress(ErrorEstimate(w, s, preconditioner.caution, preconditioner.bounded), s)
            for w, s in zip(work, stack.dot(self._residual, self._direction), strict=True)
        ]

    def advance(self, tolerance: float, maximum_iterations: Sequence[float]) -> list[Result]:
        """Iterate until the estimated errors are below `tolerance`, and give the best iterates.

        Rounding can keep the residual from falling, and in single precision make it grow: then the
        iterate with the smallest one is the best.

        Parameters
        ----------
        tolerance
            Relative error of the flow in the energy norm.
        maximum_iterations
            How many in all for each sample; looking at the start is no iteration.
        """
        while any(going := self._going(tolerance, maximum_iterations)):
            self._step(going)
        results = []
        last, best = self._stack.split(self._stress), self._stack.split(self._best)
        for i, sample in enumerate(self._samples):
            estimate = sample.estimate
            if sample.stagnant:
                results.append(Result(best[i], sample.iterations, *sample.at_smallest))
            else:
                report = estimate.relative, estimate.residual
                results.append(Result(last[i], sample.iterations, *report))
        return results

    def _going(self, tolerance: float, maximum_iterations: Sequence[float]) -> list[bool]:
        return [
            sample.estimate.relative > tolerance
            and sample.iterations < limit
            and not sample.stagnant
            for sample, limit in zip(self._samples, maximum_iterations, strict=True)
        ]

    def _step(self, going: list[bool]) -> None:
        stack = self._stack
        image = stack.apply(self._direction, going)
        steps, ratios, broken = ([0.0] * len(going) for _ in range(3))
        for i, curvature in enumerate(stack.dot(self._direction, image)):
            if not going[i]:
                continue
            if 0 < curvature < math.inf:
                steps[i] = self._samples[i].size / curvature
            else:
                # Rounding has made the operator indefinite: nothing can be done.
                broken[i] = float(self._samples[i].since_smallest == 0)
                self._samples[i].since_smallest = PATIENCE
                going[i] = False
        if any(broken):
            np.copyto(self._best, self._stress, where=stack.spread(broken) > 0)
        along, before = stack.spread(steps), self._stress
        self._stress = before + along * self._direction
        self._residual -= along * image
        scaled = self._preconditioner(self._residual)
        left = [0.0] * len(going)
        for i, size in enumerate(stack.dot(self._residual, scaled)):
            if going[i]:
                sample = self._samples[i]
                last = sample.size
                left[i] = sample.step(steps[i] * last, size)
                ratios[i] = sample.size / last
        if any(left):
            np.copyto(self._best, before, where=stack.spread(left) > 0)
        self._direction *= stack.spread(ratios)
        self._direction += scaled
