"""Pieces that a flow is summed of: polynomials, and the outgoing flows of discs and twins."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy.special
from numpy.typing import NDArray

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Chosen = NDArray[np.intp]


class Polynomial(NamedTuple):
    """Regular flow about one or several centres.

    Attributes
    ----------
    centre
        Complex position (centre).
    radius
        Unit of length.
    value
        Stream function at the centre (centre).
    alpha, beta
        Coefficients of the potentials (mode, centre).
    """

    centre: ComplexArray
    radius: float
    value: Array
    alpha: ComplexArray
    beta: ComplexArray

    def stream_function(self, points: ComplexArray, chosen: Chosen | int = 0) -> Array:
        """Evaluate ``-Im(conj(z) phi + chi)`` at points, each about the centre that is chosen."""
        zeta = (points - self.centre[chosen]) / self.radius
        phi, chi = np.zeros((2, points.size), dtype=complex)
        for m in range(self.alpha.shape[0] - 1, -1, -1):
            phi = phi * zeta + self.alpha[m][chosen]
            chi = (chi + (self.beta[m] / (m + 1))[chosen]) * zeta
        return np.asarray(self.value[chosen] - self.radius * (zeta.conj() * phi + chi).imag)

    def pressure(self, points: ComplexArray, chosen: Chosen | int = 0) -> Array:
        """Evaluate ``-4 Re phi'``, the pressure over the viscosity."""
        zeta = (points - self.centre[chosen]) / self.radius
        slope = np.zeros(points.size, dtype=complex)
        for m in range(self.alpha.shape[0] - 1, 0, -1):
            slope = slope * zeta + (m * self.alpha[m])[chosen]
        return np.asarray(-4.0 * slope.real / self.radius)


class Outgoing(NamedTuple):
    """Flow of one disc or twin by itself.

    Attributes
    ----------
    centre, radius
        Centre and radius of the disc.
    force
        ``A``.
    a, b
        Coefficients from mode 0 (mode).
    """

    centre: complex
    radius: float
    force: complex
    a: ComplexArray
    b: ComplexArray

    def stream_function(self, points: ComplexArray) -> Array:
        """Evaluate ``-Im(conj(z) phi + chi)`` outside the disc; ``ln`` is that of the distance."""
        away = points - self.centre
        inverse = self.radius / away
        phi, chi = np.zeros((2, *points.shape), dtype=complex)
        for n in range(self.a.size - 1, 0, -1):
            if n > 1:
                chi = (chi + self.b[n] / (1 - n)) * inverse
            phi = (phi + self.a[n]) * inverse
        value = away.conj() * phi + self.radius * chi + np.conj(self.force) * away
        weight = 2 * (away.conj() * self.force).imag * np.log(np.abs(away))
        return np.asarray(-value.imag - weight)

    def pressure(self, points: ComplexArray) -> Array:
        """Evaluate ``-4 Re phi'`` outside the disc."""
        away = points - self.centre
        inverse = self.radius / away
        slope = np.zeros(points.shape, dtype=complex)
        for n in range(self.a.size - 1, 0, -1):
            slope = (slope - n * self.a[n]) * inverse
        return np.asarray(-4.0 * ((slope + self.force) / away).real)

    def expanded(self, centres: ComplexArray, radius: float, orders: int) -> Polynomial:
        """Make polynomials about centres far from the disc; see `expansions.couple`."""
        distance = centres - self.centre
        scale = self.radius + radius
        x, turn = scale / distance, distance.conj() / distance
        # Modes that are lost in rounding even at the nearest centre do not count.
        weak = math.log(1e-17) / math.log(self.radius / np.abs(distance).min())
        n = np.arange(1, min(self.a.size - 1, math.ceil(weak)) + 1)
        m = np.arange(orders + 1)[:, None]
        ways = scipy.special.binom(m + n - 1, m) * (self.radius / scale) ** n
        powers = x ** n[:, None]
        a, b = self.a[n, None] * powers, self.b[n, None] * powers
        alpha = ways @ a
        beta = ways @ b - turn * (m * alpha + ways @ (n[:, None] * a))
        alpha[1:] -= self.force / m[1:]
        beta += self.force * turn
        beta[1:] += np.conj(self.force) / m[1:]
        alpha[0] += 2 * self.force * np.log(np.abs(distance))
        factor = (-radius / distance) ** m
        value = self.stream_function(centres)
        return Polynomial(centres, radius, value, factor * alpha, factor * beta)
