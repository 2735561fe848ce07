"""Solutions that do not come from a grid, to verify solvers against.

All are for free slip on all walls and z upward.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.special
from numpy.typing import NDArray

from ..scene.case import Case
from ..scene.grid import Grid

__all__ = ["SolCx", "SolVi", "isoviscous_discs"]

Array = NDArray[np.float64]


def isoviscous_discs(case: Case, grid: Grid, modes: int = 1024) -> Array:
    """Stream function of discs as viscous as the magma, as a double sine series.

    With wave numbers ``k = pi i / W`` and ``l = pi j / H``, ``q**2 = k**2 + l**2`` and positions
    from the lower left corner, each disc contributes

        psi = sum_ij  8 pi R drho g k / (eta W H q**5) J1(q R)
                      cos(k x0) sin(l z0) sin(k x) sin(l z),

    from the Fourier transform of a disc (a Bessel function); terms fall off as ``q**-4.5``.

    Parameters
    ----------
    case
        Its viscosity contrasts are ignored.
    grid
        Where to evaluate: its corners.
    modes
        Terms in each direction.

    Returns
    -------
    array
        Stream function (z_face, x_face) [m2 s-1].
    """
    k = np.pi * np.arange(1, modes + 1) / grid.width
    wave_z = np.pi * np.arange(1, modes + 1) / grid.height
    q = np.hypot(wave_z[:, None], k)
    coefficients = np.zeros((modes, modes))
    for x, z, radius, contrast in zip(
        case.x - grid.x_min, case.z - grid.z_min, case.radius, case.density_contrast, strict=True
    ):
        shape = np.sin(wave_z * z)[:, None] * (k * np.cos(k * x)) * scipy.special.j1(q * radius)
        coefficients += radius * contrast * shape
    coefficients *= 8 * np.pi * case.gravity / (case.matrix_viscosity * grid.width * grid.height)
    coefficients /= q**5
    in_x = np.sin(k[:, None] * (grid.x_face - grid.x_min))
    in_z = np.sin((grid.z_face - grid.z_min)[:, None] * wave_z)
    return np.asarray(in_z @ coefficients @ in_x)


class SolCx:
    """Flow across a vertical jump of viscosity in the unit square.

    Viscosity is 1 left of `jump` and `contrast` right of it; the density anomaly is
    ``sin(k z) cos(m x)`` and gravity is 1. Benchmark of Zhong (1996), doi:10.1029/96JB00076 (SolCx
    in Duretz et al. 2011, doi:10.1029/2011GC003567). The solution is derived here anew: with
    ``psi = F(x) sin(k z)``, ``eta (F'''' - 2 k**2 F'' + k**4 F) = m sin(m x)`` on each side, ``F =
    F'' = 0`` at the walls, and ``F``, ``F'``, ``eta (k**2 F + F'')`` and ``eta (3 k**2 F' - F''')``
    continuous at the jump: eight linear equations.

    Parameters
    ----------
    contrast
        Viscosity right of the jump.
    jump
        Position of the jump.
    k, m
        Wave numbers of the density; multiples of pi.
    """

    def __init__(
        self, contrast: float = 1e6, jump: float = 0.5, k: float = np.pi, m: float = np.pi
    ) -> None:
        self.jump, self.k, self.m = jump, k, m
        self.viscosity = (1.0, contrast)
        rows: list[Array] = []
        known: list[float] = []
        for side, wall in ((0, 0.0), (1, 1.0)):
            for derivative in (0, 2):
                rows.append(self._row(wall, side, derivative))
                known.append(-self._particular(wall, side, derivative))
        # Each condition: sum over (derivative, factor), equal on both sides.
        for terms, stressed in (
            (((0, 1.0),), False),
            (((1, 1.0),), False),
            (((0, k**2), (2, 1.0)), True),
            (((1, 3 * k**2), (3, -1.0)), True),
        ):
            row, value = np.zeros(8), 0.0
            for side, sign in ((0, 1.0), (1, -1.0)):
                weight = sign * (self.viscosity[side] if stressed else 1.0)
                for derivative, factor in terms:
                    row += weight * factor * self._row(jump, side, derivative)
                    value -= weight * factor * self._particular(jump, side, derivative)
            size = np.abs(row).max()
            rows.append(row / size)
            known.append(value / size)
        self._coefficients = np.linalg.solve(np.array(rows), np.array(known))

    def _homogeneous(self, x: Array, derivative: int) -> Array:
        """Derivatives of ``e^s, s e^s, e^-s, s e^-s`` with ``s = k (x - jump)`` (4, x)."""
        s = self.k * (x - self.jump)
        up, down, n = np.exp(s), np.exp(-s), derivative
        sign = (-1.0) ** n
        basis = np.stack([up, (s + n) * up, sign * down, sign * (s - n) * down])
        return np.asarray(self.k**n * basis)

    def _row(self, x: float, side: int, derivative: int) -> Array:
        row = np.zeros(8)
        row[4 * side : 4 * side + 4] = self._homogeneous(np.array([x]), derivative)[:, 0]
        return row

    def _particular(self, x: float | Array, side: int, derivative: int) -> Any:
        amplitude = self.m / (self.viscosity[side] * (self.m**2 + self.k**2) ** 2)
        phase = 0.5 * np.pi * derivative
        return amplitude * self.m**derivative * np.sin(self.m * x + phase)

    def profile(self, x: Array, derivative: int = 0) -> Array:
        """``F`` or a derivative of it at `x`."""
        x = np.asarray(x, dtype=float)
        values = np.zeros_like(x)
        for side, where in ((0, x <= self.jump), (1, x > self.jump)):
            c = self._coefficients[4 * side : 4 * side + 4]
            there = x[where]
            values[where] = c @ self._homogeneous(there, derivative) + self._particular(
                there, side, derivative
            )
        return values

    def fields(self, grid: Grid) -> SolCxFields:
        """Velocity on faces, pressure on cells, and the coefficients that a solver needs."""
        k = self.k
        velocity_x = k * np.cos(k * grid.z)[:, None] * self.profile(grid.x_face)
        velocity_z = -np.sin(k * grid.z_face)[:, None] * self.profile(grid.x, 1)
        eta = np.where(grid.x < self.jump, *self.viscosity)
        inner = eta * (k**2 * self.profile(grid.x, 1) - self.profile(grid.x, 3))
        pressure = -np.cos(k * grid.z)[:, None] / k * (inner - np.cos(self.m * grid.x))
        corner = np.where(grid.x_face < self.jump, *self.viscosity)
        on_jump = np.isclose(grid.x_face, self.jump, rtol=0, atol=1e-9)
        corner[on_jump] = 2.0 / (1 / self.viscosity[0] + 1 / self.viscosity[1])
        ones = np.ones((grid.nz, 1))
        return SolCxFields(
            velocity_x,
            velocity_z,
            pressure - pressure.mean(),
            eta * ones,
            corner * np.ones((grid.nz + 1, 1)),
            np.sin(k * grid.z_face)[:, None] * np.cos(self.m * grid.x),
        )


class SolVi:
    """A viscous disc in pure shear (SolVi), driven from afar.

    The disc of Schmid & Podladchikov (2003), doi:10.1046/j.1365-246X.2003.02042.x: in the magma at
    rest at infinity but for ``psi = A r**2 sin(2 theta)``, the strain inside is uniform. With
    ``psi = g(r) sin(2 theta)`` and the contrast ``c``,

        g = a r**2,  a = 2 A / (1 + c)                      inside the disc,
        g = A r**2 + B + C r**-2,  B = 2 (a - A) R**2,  C = (A - a) R**4    outside.

    A box with impermeable walls cannot hold that flow, so beyond the radius `inner` it is brought
    to rest at `outer` by ``W(r)``, a polynomial of degree eleven that is five times differentiable
    at both ends. The density that drives this follows from ``eta laplace**2 psi = -g d(rho)/dx``;
    it vanishes around the disc, where the solution is that of the unbounded problem. Lengths are
    in units of half the width, viscosity and gravity are one.

    Parameters
    ----------
    contrast
        Viscosity of the disc over that of the magma.
    radius
        Radius of the disc.
    centre
        Position of the disc, ``(x, z)``.
    inner, outer
        Radii between which the flow comes to rest.
    """

    def __init__(
        self,
        contrast: float = 1e3,
        radius: float = 0.25,
        centre: tuple[float, float] = (0.03, -0.05),
        inner: float = 0.3,
        outer: float = 0.94,
    ) -> None:
        self.contrast, self.radius, self.centre = contrast, radius, centre
        self.inner, self.outer = inner, outer
        self._inside = 2.0 / (1.0 + contrast)
        less = self._inside - 1.0
        self._outside = np.polynomial.Polynomial(
            [-less * radius**4, 0.0, 2.0 * less * radius**2, 0.0, 1.0]
        )
        r = np.polynomial.Polynomial([-inner / (outer - inner), 1.0 / (outer - inner)])
        rise = np.polynomial.Polynomial([462.0, -1980.0, 3465.0, -3080.0, 1386.0, -252.0])
        self._fade = 1.0 - r**6 * rise(r)

    def stream_function(self, x: Array, z: Array) -> Array:
        """Evaluate the solution; its differences along a face are the flux through it."""
        east, north = x - self.centre[0], z - self.centre[1]
        r = np.maximum(np.hypot(east, north), 1e-9)
        outside = self._outside(r) / r**4  # g over r**2, so that r**2 sin(2 theta) = 2 x z is left
        outside = np.where(r > self.inner, outside * self._fade(np.minimum(r, self.outer)), outside)
        return np.asarray(2.0 * east * north * np.where(r < self.radius, self._inside, outside))

    def force_curl(self, x: Array, z: Array) -> Array:
        """Evaluate ``laplace**2 psi``, zero but where the flow is brought to rest.

        A power ``r**n sin(2 theta)`` has the Laplacian ``(n**2 - 4) r**(n - 2) sin(2 theta)``.
        """
        east, north = x - self.centre[0], z - self.centre[1]
        r = np.clip(np.hypot(east, north), self.inner, self.outer)
        total = np.zeros(r.shape)
        for power, factor in enumerate((self._outside * self._fade).coef.tolist(), start=-2):
            weight = (power**2 - 4) * ((power - 2) ** 2 - 4)
            total += factor * weight * r ** (power - 6.0)
        distance = np.hypot(east, north)
        fading = (distance > self.inner) & (distance < self.outer)
        return np.asarray(np.where(fading, 2.0 * east * north * total, 0.0))

    def density_face(self, grid: Grid) -> Array:
        """Density anomaly on (z_face, x) whose differences are minus the curl of the force."""
        curl = self.force_curl(grid.x_face[1:-1], grid.z_face[:, None])
        return np.pad(-grid.hx * np.cumsum(curl, axis=1), ((0, 0), (1, 0)))


class SolCxFields(NamedTuple):
    """The solution of `SolCx` on a grid, and its coefficients.

    Attributes
    ----------
    velocity_x, velocity_z, pressure
        Point values on (z, x_face), (z_face, x) and (z, x).
    viscosity_cell, viscosity_corner, density_face
        On (z, x), (z_face, x_face; harmonic mean on the jump) and (z_face, x).
    """

    velocity_x: Array
    velocity_z: Array
    pressure: Array
    viscosity_cell: Array
    viscosity_corner: Array
    density_face: Array
