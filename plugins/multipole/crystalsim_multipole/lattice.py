"""Sums over the mirror lattice of a free-slip rectangle.

A free-slip wall is a mirror. A disc at ``c`` in the rectangle ``[0, W] x [0, H]``, with its twins
at ``-conj(c)``, ``conj(c)`` and ``-c``, repeated with the periods ``2 W`` and ``2 H``, therefore
moves as it does between the walls, without any condition left to meet there. What one needs are

    S_q(d) = sum_P (d - P)**-q,        N_q(d) = sum_P conj(d - P) (d - P)**-q

over the lattice ``P = 2 W m + 2 i H l``. Points ``|m| <= m0, |l| <= l0`` are summed one by one; the
others, which lie beyond `reach`, four half-diagonals of the cell, by a Taylor series in ``d``:

    S_q = (-1)**q sum_k C(q+k-1, k) d**k G_(q+k),
    N_q = conj(d) S_q - (-1)**q sum_k C(q+k-1, k) d**k H_(q+k),
    S_0 = -sum_k d**k G_k / k        (of log(1 - d/P)),

with the constants ``G_q = sum P**-q`` (zero for odd q) and ``H_q = sum conj(P) P**-q`` (zero for
even q). ``G_2`` and ``H_3`` converge conditionally: what the order of summation changes is a pure
strain of the whole plane. Summed along x first, each row is a flow of period ``2 W``, and so is
their sum, which excludes that strain: this order is the right one. Constants that multiply the sum
of all forces, zero with the twins, are dropped (``H_1``, logarithms of P).

In rows ``|l| <= l0`` the tails ``|m| > m0`` come from the Euler-Maclaurin formula; whole rows
beyond from Lipschitz's,

    sum_m (z + m)**-q = (-2 pi i)**q / (q-1)! sum_(k>=1) k**(q-1) exp(2 pi i k z),   Im z > 0;

and ``conj(P) = P - 2 i Im P``, constant in a row, turns ``H`` into sums like ``G``.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import scipy.special
from numpy.typing import NDArray

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

ORDERS = 48
"""Orders of the Taylor series of far lattice points: their terms fall at least as 0.42**q."""

_REACH = 4.0
"""Distance of far lattice points over the half-diagonal of the cell, the largest |d|."""


class Sums(NamedTuple):
    """Lattice sums for some displacements, scaled so that no power overflows.

    Attributes
    ----------
    logarithm
        ``sum ln |d - P|`` up to a constant common to all displacements.
    plain
        ``scale**q S_q`` for q = 0, 1, ... (q, ...); the first is zero and unused.
    conjugate
        ``scale**(q-1) N_q`` for q = 0, 1, ... (q, ...); the first is zero and unused.
    """

    logarithm: Array
    plain: ComplexArray
    conjugate: ComplexArray


class Lattice:
    """Lattice of the mirror cell of a rectangle.

    Parameters
    ----------
    width, height
        Extent of the rectangle, half of the periods.
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.reach = _REACH * math.hypot(width, height)
        columns = math.ceil(self.reach / (2 * width)) - 1
        rows = math.ceil(self.reach / (2 * height)) - 1
        column, row = np.arange(-columns, columns + 1), np.arange(-rows, rows + 1)
        points = (2 * width * column + 2j * height * row[:, None]).ravel()
        self.near = points[np.argsort(np.abs(points), kind="stable")]
        """Lattice points that are summed one by one, the origin first (point)."""
        unit = self.reach
        plain, conjugate = far_constants(2 * width / unit, 2 * height / unit, columns, rows)
        q, k = np.ogrid[: ORDERS + 1, : ORDERS + 1]
        kept = (q + k <= ORDERS) & (q >= 1)
        ways = np.where(kept, (-1.0) ** q * scipy.special.comb(np.maximum(q + k - 1, 0), k), 0.0)
        self._plain = ways * plain[np.minimum(q + k, ORDERS)]
        self._conjugate = ways * conjugate[np.minimum(q + k, ORDERS)]
        self._logarithm = -plain / np.maximum(np.arange(ORDERS + 1), 1)

    def nearest(self, displacement: ComplexArray) -> ComplexArray:
        """Move displacements by lattice points to where both parts are smallest."""
        columns = np.rint(displacement.real / (2 * self.width))
        rows = np.rint(displacement.imag / (2 * self.height))
        return np.asarray(displacement - 2 * self.width * columns - 2j * self.height * rows)

    def sums(
        self,
        displacement: ComplexArray,
        scale: Array,
        orders: int,
        left_out: NDArray[np.bool_] | None = None,
    ) -> Sums:
        """Sum over all lattice points.

        Parameters
        ----------
        displacement
            Vector from the source to the target, of one or more dimensions; see `nearest`.
        scale
            Length of each, at most its distance from any lattice point that counts.
        orders
            Largest q.
        left_out
            Lattice points of `near` that do not count (..., point), such as the origin where a
            disc would act on itself.
        """
        d = displacement.ravel()
        size = np.broadcast_to(scale, displacement.shape).ravel()
        between = d[:, None] - self.near
        counts = np.ones(between.shape, dtype=bool)
        if left_out is not None:
            counts = ~left_out.reshape(between.shape)
        between[~counts] = 1.0
        logarithm = np.log(np.abs(between)).sum(axis=1)
        ratio = between.conj() / size[:, None]
        inverse = np.where(counts, size[:, None] / between, 0.0)
        plain = np.zeros((orders + 1, d.size), dtype=complex)
        conjugate = np.zeros_like(plain)
        power = np.ones_like(inverse)
        for q in range(1, orders + 1):
            power *= inverse
            plain[q] = power.sum(axis=1)
            conjugate[q] = np.einsum("dp,dp->d", power, ratio)
        self._add_far(d, size, logarithm, plain, conjugate)
        shape = displacement.shape
        return Sums(
            logarithm.reshape(shape),
            plain.reshape(-1, *shape),
            conjugate.reshape(-1, *shape),
        )

    def _add_far(
        self,
        d: ComplexArray,
        size: Array,
        logarithm: Array,
        plain: ComplexArray,
        conjugate: ComplexArray,
    ) -> None:
        """Add the far lattice points in place."""
        powers = (d / self.reach) ** np.arange(ORDERS + 1)[:, None]
        logarithm += (self._logarithm @ powers).real
        kept = min(plain.shape[0], ORDERS + 1)
        factor = (size / self.reach) ** np.arange(kept)[:, None]
        far = factor * (self._plain[:kept] @ powers)
        moved = factor * (self._conjugate[:kept] @ powers)
        plain[:kept] += far
        conjugate[:kept] += (d.conj() * far - self.reach * moved) / size


@functools.lru_cache(maxsize=16)
def far_constants(period_x: float, period_z: float, columns: int, rows: int) -> tuple[Array, Array]:
    """Sum powers of the lattice points beyond given columns and rows.

    Parameters
    ----------
    period_x, period_z
        Periods over the unit of length.
    columns, rows
        Points with ``|m| <= columns`` and ``|l| <= rows`` are left out.

    Returns
    -------
    plain, conjugate
        ``G_q`` and ``H_q`` for q = 0, 1, ... `ORDERS` (q), summed along x first; ``G_0``, ``G_1``
        and ``H_1`` are zero.
    """
    plain, conjugate = np.zeros(ORDERS + 1), np.zeros(ORDERS + 1)
    for row in range(-rows, rows + 1):
        height = row * period_z
        tail = _row_tail(columns + 1, period_x, height)
        plain[2::2] += 2.0 * tail.real[2::2]
        conjugate[3::2] += 4.0 * height * tail.imag[3::2]
    row = rows + 1
    while math.exp(-2 * math.pi * row * period_z / period_x) > 1e-30:
        whole = _whole_row(period_x, row * period_z)
        plain[2::2] += 2.0 * whole.real[2::2]
        conjugate[3::2] += 4.0 * row * period_z * whole.imag[3::2]
        row += 1
    conjugate[3:] += np.where(np.arange(3, ORDERS + 1) % 2 == 1, plain[2:-1], 0.0)
    return plain, conjugate


def _row_tail(first: int, period: float, height: float) -> ComplexArray:
    """Sum ``(period m + i height)**-q`` over ``m >= first``, for each q from 2 up (q)."""
    q = np.arange(ORDERS + 1)[2:, None].astype(float)
    last = first + 64
    one_by_one = period * np.arange(first, last) + 1j * height
    end = period * last + 1j * height
    total = (one_by_one**-q).sum(axis=1)
    q = q[:, 0]
    total += end ** (1 - q) / ((q - 1) * period) + 0.5 * end**-q
    for k, bernoulli in enumerate(scipy.special.bernoulli(16)[2::2].tolist(), start=1):
        rising = scipy.special.poch(q, 2 * k - 1) * (period / end) ** (2 * k - 1)
        total += bernoulli / math.factorial(2 * k) * rising * end**-q
    return np.concatenate([np.zeros(2), total])


def _whole_row(period: float, height: float) -> ComplexArray:
    """Sum ``(period m + i height)**-q`` over all m, for each q from 2 up (q)."""
    q = np.arange(2, ORDERS + 1)[:, None]
    k = np.arange(1, 64)
    terms = np.exp((q - 1) * np.log(k) - 2 * np.pi * k * height / period)
    q = q[:, 0]
    total = (-2j * np.pi / period) ** q / scipy.special.factorial(q - 1) * terms.sum(axis=1)
    return np.concatenate([np.zeros(2), total])
