"""The linear system of all multipoles, and how the discs move."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from .expansions import Coupling, Discs, couple, twins
from .lattice import Lattice

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Modes = NDArray[np.int64]

FEWEST_MODES = 8
"""Enough for any disc that is far from everything."""


class Expansion(NamedTuple):
    """Flow about one disc; mode n of each at index n.

    Attributes
    ----------
    a, b
        Outgoing: ``phi = A ln zeta + sum a_n zeta**-n``, ``psi = -conj(A) ln zeta + sum b_n
        zeta**-n`` (mode).
    alpha, beta
        Regular, from everything else (mode).
    """

    a: ComplexArray
    b: ComplexArray
    alpha: ComplexArray
    beta: ComplexArray

    def outgoing(self, force: complex) -> ComplexArray:
        """Modes ``s_2, s_3, ...`` of the disc's own velocity on its circle (mode)."""
        n = np.arange(2, self.a.size)
        modes = (n - 2) * self.a[:-2].conj() - self.b[2:].conj()
        modes[0] -= np.conj(force)
        return np.asarray(modes)


class Flow(NamedTuple):
    """Flow around some discs.

    Attributes
    ----------
    discs, lattice
        Discs and lattice that were asked for.
    expansions
        Expansions of the flow about each disc.
    velocity
        Complex mean velocity (disc).
    angular_velocity
        Angular velocity from x to z (disc).
    last_modes
        Largest of the last modes of the velocity on each circle (disc).
    velocity_errors
        Estimate of what each disc adds to the error of all velocities; see `solve` (disc).
    """

    discs: Discs
    lattice: Lattice
    expansions: list[Expansion]
    velocity: ComplexArray
    angular_velocity: Array
    last_modes: Array
    velocity_errors: Array


class Closeness(NamedTuple):
    """How near each disc is to others, twins included.

    Attributes
    ----------
    gap
        To the nearest, negative where they overlap (disc); a wall is half of it away.
    other, kind
        Which disc that is, and which of its twins, 0 for itself (disc).
    decay
        Modes fall as ``exp(-decay n)`` (disc).
    """

    gap: Array
    other: NDArray[np.intp]
    kind: NDArray[np.intp]
    decay: Array


def closeness(discs: Discs, lattice: Lattice) -> Closeness:
    """Find the nearest of each disc, and how fast its modes fall.

    Two circles of radii a and a2 with centres d apart are coordinate lines of bipolar coordinates:
    the mirror images of one in the other pile up at ``a exp(-xi)`` from the centre, with ``cosh xi
    = (d**2 + a**2 - a2**2) / (2 a d)``, so that modes fall as ``exp(-xi n)``; the least xi counts.
    """
    displacement = lattice.nearest(discs.centre[:, None, None] - twins(discs.centre))
    distance = np.abs(displacement)
    itself = np.arange(discs.radius.size)
    distance[itself, 0, itself] = np.abs(lattice.near[1])
    radius = discs.radius[:, None, None]
    gap = distance - radius - discs.radius
    # cosh(xi) - 1, without cancellation.
    excess = gap * (distance - radius + discs.radius) / (2 * radius * distance)
    decay = np.arccosh(1.0 + np.maximum(excess, 0.0)).min(axis=(1, 2))
    kind, other = np.unravel_index(gap.reshape(itself.size, -1).argmin(axis=1), gap.shape[1:])
    return Closeness(gap[itself, kind, other], other, kind, decay)


def count_modes(decay: Array, tolerance: float) -> Modes:
    """Modes of each disc after which `tolerance` is left of the first ones (disc)."""
    with np.errstate(divide="ignore"):
        wanted = np.log(1.0 / tolerance) / decay
    return np.maximum(np.ceil(np.minimum(wanted, 1e9)) + 4, FEWEST_MODES).astype(np.int64)


def solve(discs: Discs, lattice: Lattice, modes: Modes) -> Flow:
    """Find all multipoles, and from them the motion of the discs.

    The error of velocities is quadratic in what the modes miss, as that of any functional of a
    self-adjoint problem: what the flow misses times what the flow misses that a unit force on the
    disc in question would drive. For the first the last modes ``s_N`` stand, for the second
    ``exp(-xi N)``: disc by disc the estimate is ``N |s_N| exp(-xi N) / (1 - exp(-2 xi))``.

    Parameters
    ----------
    discs
        Not empty, without overlaps.
    lattice
        Lattice of their rectangle.
    modes
        Number of modes of each disc (disc).
    """
    itself = np.zeros((4, discs.radius.size, lattice.near.size), dtype=bool)
    couplings = []
    for k, count in enumerate(modes.tolist()):
        itself[0, k, 0] = True
        centre, radius = complex(discs.centre[k]), float(discs.radius[k])
        couplings.append(couple(discs, lattice, centre, radius, count, modes, itself))
        itself[0, k, 0] = False
    a, b = _multipoles(discs, couplings, modes)
    last = np.cumsum(modes)
    expansions = []
    for coupling, end, count in zip(couplings, last.tolist(), modes.tolist(), strict=True):
        alpha = coupling.direct @ a + coupling.mirrored @ a.conj() + coupling.alpha
        beta = coupling.direct @ b + coupling.mirrored @ b.conj() + coupling.beta
        beta += coupling.moved @ a + coupling.moved_mirrored @ a.conj()
        own = slice(end - count, end)
        expansions.append(Expansion(np.append(0.0, a[own]), np.append(0.0, b[own]), alpha, beta))
    return _flow(discs, lattice, expansions)


def _flow(discs: Discs, lattice: Lattice, expansions: list[Expansion]) -> Flow:
    """Derive motion and estimates from the multipoles."""
    modes = np.array([expansion.a.size - 1 for expansion in expansions])
    velocity = np.zeros(modes.size, dtype=complex)
    spin, left = np.zeros((2, modes.size))
    for k, expansion in enumerate(expansions):
        alpha, beta, radius, force = (
            expansion.alpha,
            expansion.beta,
            discs.radius[k],
            discs.force[k],
        )
        own = expansion.outgoing(force)
        centre = alpha[0] - 2 * alpha[2].conj() - beta[0].conj() + 2 * force * np.log(radius)
        velocity[k] = centre + np.conj(alpha[2] + own[0])
        spin[k] = 2 * alpha[1].imag / radius
        left[k] = np.abs(np.concatenate([expansion.a[-5:-2], own[-3:]])).max()
    decay = closeness(discs, lattice).decay
    errors = modes * left * np.exp(-decay * modes) / -np.expm1(-2 * decay)
    return Flow(discs, lattice, expansions, velocity, spin, left, errors)


def _multipoles(
    discs: Discs, couplings: list[Coupling], modes: Modes
) -> tuple[ComplexArray, ComplexArray]:
    """Solve for ``a`` and ``b``, modes 1, 2, ... of each disc after another.

    The conditions on the circles give ``b`` once ``a`` is known,

        b_n = (n-2) a_(n-2) - kappa conj(alpha_n) - [n = 2] A (1 - 1/(1 + lambda)),   n >= 2,

    since ``alpha`` depends on ``a`` alone. That leaves ``a_n = -kappa conj(beta_n + (n+2)
    alpha_(n+2))``, n <= N - 2: a real system for real and imaginary parts, identity plus a smooth
    kernel.
    """
    n = np.concatenate([np.arange(1, count + 1) for count in modes])
    kappa = np.repeat(discs.kappa, modes)
    inner, outer = n <= np.repeat(modes, modes) - 2, n >= 2
    # Modes n + 2 for each n of `inner`, among those of `outer`, in both halves of a real vector.
    ahead = np.flatnonzero(n[outer] > 2)
    ahead = np.concatenate([ahead, int(outer.sum()) + ahead])
    count, factor = int(inner.sum()), np.tile(n[inner], 2)
    reflect_inner, reflect_outer = (
        np.concatenate([-kappa[some], kappa[some]]) for some in (inner, outer)
    )  # u -> -kappa conj(u)

    direct, mirrored, moved, moved_mirrored, alpha, beta = (
        np.concatenate([part[1:] for part in parts]) for parts in zip(*couplings, strict=True)
    )
    to_alpha = real_form(direct[:, inner], mirrored[:, inner])
    to_alpha = to_alpha[np.tile(outer, 2)]
    from_b = real_form(direct[:, outer], mirrored[:, outer])[np.tile(inner, 2)]
    matrix = real_form(moved[:, inner], moved_mirrored[:, inner])[np.tile(inner, 2)]
    del direct, mirrored, moved, moved_mirrored

    weight = np.where(n == 2, np.repeat(discs.force * (discs.softness - 1.0), modes), 0.0)
    matrix += (factor + 2)[:, None] * to_alpha[ahead]
    known = split(alpha[outer])
    right = split(beta[inner]) + (factor + 2) * known[ahead]
    known = reflect_outer * known + split(weight[outer])
    to_b = to_alpha
    to_b *= reflect_outer[:, None]
    to_b[ahead, np.arange(2 * count)] += factor
    matrix += from_b @ to_b
    right += from_b @ known
    matrix *= -reflect_inner[:, None]
    matrix[np.diag_indices(2 * count)] += 1.0
    unknown = scipy.linalg.solve(
        matrix, reflect_inner * right, overwrite_a=True, check_finite=False
    )
    a, b = np.zeros((2, n.size), dtype=complex)
    a[inner], b[outer] = joined(unknown), joined(to_b @ unknown + known)
    return a, b


def real_form(direct: ComplexArray, mirrored: ComplexArray) -> Array:
    """Matrix of ``u -> X u + Y conj(u)`` for real above imaginary parts."""
    plus, minus = direct + mirrored, direct - mirrored
    return np.block([[plus.real, -minus.imag], [plus.imag, minus.real]])


def split(values: ComplexArray) -> Array:
    """Put real above imaginary parts."""
    return np.concatenate([values.real, values.imag])


def joined(values: Array) -> ComplexArray:
    """Undo `split`."""
    real, imaginary = np.split(values, 2)
    return np.asarray(real + 1j * imaginary)
