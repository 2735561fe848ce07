"""Goursat potentials of flow around discs, and what they obey on a circle.

Derivation
----------
With the complex position ``z = x + i z_up`` and velocity ``w = v_x + i v_z``, plane Stokes flow is

    w = phi - z conj(phi') - conj(psi),    p = -4 eta Re phi',    omega = 4 Im phi',

with two analytic functions: the divergence is ``2 Re(dw/dz) = 2 Re(phi' - conj(phi')) = 0`` and
``eta laplace w = 4 eta d/dz d/dconj(z) w = -4 eta conj(phi'')`` is the gradient ``2 dp/dconj(z)``.
The force that acts through an arc, from the side of its right-hand normal, is

    -2 i eta [S],    S = phi + z conj(phi') + conj(psi),

because ``f ds = -p n ds + 2 eta (dw/dconj(z)) conj(n) ds`` and ``n ds = -i dz``. The stream
function (``v_x = d/dz_up``) is ``-Im(conj(z) phi + chi)`` with ``chi' = psi``. About a disc of
radius a and centre c one takes ``zeta = (z - c)/a`` in place of z; then ``psi`` of another centre
differs by ``conj(c - c2) phi'``.

On the circle ``|zeta| = 1`` let ``w = sum_n w_n zeta**n`` and so on. Functions that are regular
inside, ``phi = sum alpha_n zeta**n`` and ``psi = sum beta_n zeta**n``, have

    n >= 2:   w_n = S_n = alpha_n,
    n >= 1:   w_-n = -S_-n = -conj(beta_n) - (n + 2) conj(alpha_(n+2)),
    w_1 = 2 i Im alpha_1,    S_1 = 2 Re alpha_1,    w_0 = alpha_0 - 2 conj(alpha_2) - conj(beta_0),

and functions that vanish far away, ``phi = A ln zeta + sum_(n>=1) a_n zeta**-n`` and ``psi =
-conj(A) ln zeta + sum_(n>=2) b_n zeta**-n``, the other way round

    n >= 1:   w_-n = S_-n = a_n,
    n >= 2:   w_n = -S_n = (n - 2) conj(a_(n-2)) - conj(b_n) - [n = 2] conj(A).

``b_1`` is a source and a torque, both zero. Let the disc have lambda times the viscosity of the
magma, and an excess of density drho. Inside, the flow is regular and its stress is lambda times
that of its potentials plus the pressure ``-drho g (z_up - c_up)``, which adds
``2 A ln zeta + conj(A) zeta**2`` to S, with

    A = i drho g a**2 / (8 eta),

the point force that carries the weight. Outside, the flow is that of the disc (s) and a regular one
from everything else (v). Continuity of w and S gives ``v_n - s_n = lambda (v_n + s_n) + [n = 2]
conj(A)`` for n >= 2 and ``s_-n - v_-n = -lambda (s_-n + v_-n)`` for n >= 1, that is

    s_n = kappa v_n - [n = 2] conj(A) / (1 + lambda),    kappa = (1 - lambda) / (1 + lambda),

for all n but 0 and 1; n = 1 only turns the disc and sets its pressure. For a rigid disc kappa is
-1: s and v cancel. Mean velocity and angular velocity of the disc are

    w_0 + conj(w_2),    2 Im(alpha_1) / a.

What is regular about one disc comes from the others and from all mirror twins by the Taylor series

    (D + a zeta)**-n = sum_m (-1)**m C(n+m-1, m) a**m zeta**m D**-(n+m),

so that only the lattice sums of `lattice` enter, with ``D = c - c2 - P``. A mirror turns
coefficients into their conjugates: the twin at ``conj(c)`` has ``conj(a_n)``, that at ``-conj(c)``
``-(-1)**n conj(a_n)`` and that at ``-c`` ``-(-1)**n a_n``; likewise b.

The potentials are those of Goursat (1898) and Muskhelishvili (1953); the rest is derived here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.special
from numpy.typing import NDArray

from .lattice import Lattice

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


class Discs(NamedTuple):
    """Discs in a rectangle, from its lower left corner, in any consistent units.

    Attributes
    ----------
    centre
        Complex position (disc).
    radius
        (disc)
    contrast
        Viscosity over that of the magma, infinite where rigid (disc).
    force
        ``A``, half the velocity scale of the weight: ``i drho g a**2 / (8 eta)`` (disc).
    """

    centre: ComplexArray
    radius: Array
    contrast: Array
    force: ComplexArray

    @property
    def kappa(self) -> Array:
        """``(1 - lambda) / (1 + lambda)`` (disc)."""
        return 2.0 * self.softness - 1.0

    @property
    def softness(self) -> Array:
        """``1 / (1 + lambda)`` (disc)."""
        return 1.0 / (1.0 + self.contrast)


def twins(centre: ComplexArray) -> ComplexArray:
    """Centres of discs and their twins: themselves, turned, mirrored in z and in x (4, disc)."""
    return np.stack([centre, -centre, centre.conj(), -centre.conj()])


class Coupling(NamedTuple):
    """Regular flow about one target from the outgoing expansions of all discs and twins.

    ``alpha = X a + Y conj(a) + alpha0`` and ``beta = X b + Y conj(b) + V a + W conj(a) + beta0``.

    Attributes
    ----------
    direct, mirrored
        ``X`` and ``Y`` (mode 0..orders, mode 1.. of each disc after another).
    moved, moved_mirrored
        ``V`` and ``W``: the change of centre.
    alpha, beta
        ``alpha0`` and ``beta0``, from the point forces (mode); ``beta[0]`` makes ``alpha[0] -
        conj(beta[0])`` the velocity, single-valued.
    """

    direct: ComplexArray
    mirrored: ComplexArray
    moved: ComplexArray
    moved_mirrored: ComplexArray
    alpha: ComplexArray
    beta: ComplexArray


def couple(
    discs: Discs,
    lattice: Lattice,
    target: complex,
    radius: float,
    orders: int,
    modes: NDArray[np.int64],
    left_out: NDArray[np.bool_] | None = None,
) -> Coupling:
    """Expand the flow of all discs about one centre.

    Parameters
    ----------
    discs
        The sources.
    lattice
        Lattice of the rectangle.
    target, radius
        Centre and radius of the expansion, into which no disc reaches that counts.
    orders
        Largest mode of the expansion.
    modes
        Largest mode of each source (disc).
    left_out
        Twins that do not count, by kind, disc and lattice point (4, disc, point).
    """
    displacement = lattice.nearest(target - twins(discs.centre))
    scale = discs.radius + radius
    sums = lattice.sums(displacement, scale, orders + int(modes.max()) + 1, left_out)
    m = np.arange(orders + 1)
    sign = (-1.0) ** m[:, None]
    shrink = np.log(radius / scale)
    start = np.concatenate([[0], np.cumsum(modes)])
    shape = (orders + 1, start[-1])
    direct, mirrored, moved, moved_mirrored = (np.zeros(shape, dtype=complex) for _ in range(4))
    parity = (-1.0) ** np.arange(sums.plain.shape[0])[:, None]
    log_factorial = scipy.special.gammaln(np.arange(sums.plain.shape[0]) + 1.0)
    for k, count in enumerate(modes.tolist()):
        n = np.arange(1, count + 1)
        q = m[:, None] + n
        # C(n+m-1, m) (a_k / scale)**n (a / scale)**m, at most one.
        logs = log_factorial[q - 1] - log_factorial[n - 1] + n * np.log(discs.radius[k] / scale[k])
        logs += (m * shrink[k] - log_factorial[m])[:, None]
        weight = np.exp(logs)
        where = slice(start[k], start[k + 1])
        # The twins' (-1)**n is (-1)**m (-1)**q, which leaves functions of q.
        even, odd = sums.plain[:, :, k], parity * sums.plain[:, :, k]
        direct[:, where] = weight * (sign * even[q, 0] - odd[q, 1])
        mirrored[:, where] = weight * (sign * even[q, 2] - odd[q, 3])
        even = sums.conjugate[1:, :, k]
        odd, weight = parity[:-1] * even, weight * -q
        moved[:, where] = weight * (sign * even[q, 0] - odd[q, 1])
        moved_mirrored[:, where] = weight * (sign * even[q, 2] - odd[q, 3])
    force = np.stack([discs.force, -discs.force, discs.force.conj(), -discs.force.conj()])
    shrunk = np.exp(m[:, None] * shrink) * sign
    plain = np.einsum("mk,mjk->mjk", shrunk, sums.plain[: orders + 1])
    plain[0] = -sums.logarithm
    plain[1:] /= m[1:, None, None]
    alpha = -np.einsum("jk,mjk->m", force, plain)
    beta = np.einsum("jk,mjk->m", force.conj(), plain)
    beta += np.einsum("jk,mk,mjk->m", force, shrunk, sums.conjugate[1 : orders + 2])
    return Coupling(direct, mirrored, moved, moved_mirrored, alpha, beta)
