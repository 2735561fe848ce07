"""Stream function and pressure at many points, fast.

Thirty discs with their twins are hundreds of expansions of twenty modes and more, at 66 000 points.
Hence three ranges, as in a fast multipole method of one level:

- twins farther from the middle of the box than its diagonal, with the whole lattice, make one
  polynomial about the middle: `expansions.couple` for that centre;
- the box is cut into tiles; what is farther from the centre of a tile than three of its radii is a
  polynomial about that centre, for all tiles at once by products with a matrix of binomials;
- the rest is summed as it stands, at the points of the tiles around each disc.

Inside a disc the flow is the regular one of its circle: ``alpha_n = w_n`` for n >= 2 and ``beta_n =
-conj(w_-n) - (n+2) w_(n+2)``. The pressure there follows from ``lambda alpha_n = S_n - [n = 2]
conj(A)``, finite for rigid discs, too, and from the buoyancy, ``-drho g (z_up - c_up)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .expansions import Discs, couple, twins
from .pieces import Array, Chosen, ComplexArray, Outgoing, Polynomial
from .system import Expansion, Flow

_APART = 3.0
"""Least distance from a disc to a tile's centre in radii of the tile, for a polynomial."""

_ORDERS = 30
"""Of a tile's polynomial: 3**-30 is 5e-15."""

_ORDERS_OF_BOX = 46
"""Of the box's polynomial: 2**-46 is 1e-14."""

_POINTS_OF_TILE = 200
"""What tiles are made for."""


class Fields:
    """Fields of a flow at any points of the box.

    Parameters
    ----------
    flow
        The solution.
    points
        Number of points that are going to be asked for at once: decides the size of tiles.
    """

    def __init__(self, flow: Flow, points: int) -> None:
        self.flow = flow
        lattice = flow.lattice
        ratio = math.sqrt(lattice.width / lattice.height)
        side = math.sqrt(points / _POINTS_OF_TILE)
        self._tiles = max(1, round(side * ratio)), max(1, round(side / ratio))
        self._box, self._outgoing = _ranges(flow)
        columns, rows = (np.arange(count) + 0.5 for count in self._tiles)
        size_x, size_z = lattice.width / self._tiles[0], lattice.height / self._tiles[1]
        centres = (columns * size_x + 1j * rows[:, None] * size_z).ravel()
        radius = 0.5 * math.hypot(size_x, size_z)
        alpha, beta = np.zeros((2, _ORDERS + 1, centres.size), dtype=complex)
        value = np.zeros(centres.size)
        self._near: list[NDArray[np.bool_]] = []
        for source in self._outgoing:
            far = np.abs(centres - source.centre) > source.radius + _APART * radius
            self._near.append(~far)
            if far.any():
                part = source.expanded(centres[far], radius, _ORDERS)
                alpha[:, far] += part.alpha
                beta[:, far] += part.beta
                value[far] += part.value
        self._tile_flow = Polynomial(centres, radius, value, alpha, beta)

    def stream_function(self, points: ComplexArray) -> Array:
        """Stream function, up to a constant.

        Parameters
        ----------
        points
            Complex positions (point).
        """
        values, holder = self._outside(points, pressure=False)
        for k, constant in enumerate(self._constants(pressure=False)):
            here = holder == k
            inside = _velocity_inside(self.flow.discs, k, self.flow.expansions[k])
            values[here] = constant + inside.stream_function(points[here])
        return values

    def pressure(self, points: ComplexArray) -> Array:
        """Pressure over the viscosity of the magma, up to a constant.

        Parameters
        ----------
        points
            Complex positions (point).
        """
        values, holder = self._outside(points, pressure=True)
        discs = self.flow.discs
        for k, constant in enumerate(self._constants(pressure=True)):
            here = holder == k
            inside = _stress_inside(discs, k, self.flow.expansions[k])
            height = (points[here] - discs.centre[k]).imag
            buoyancy = -8.0 * discs.force[k].imag / discs.radius[k] ** 2 * height
            values[here] = constant + inside.pressure(points[here]) + buoyancy
        return values

    def _outside(self, points: ComplexArray, *, pressure: bool) -> tuple[Array, Chosen]:
        """Values in the magma, and the disc that each other point lies in, or -1 (point)."""
        holder = np.full(points.size, -1)
        for k, (centre, radius) in enumerate(
            zip(self.flow.discs.centre, self.flow.discs.radius, strict=True)
        ):
            holder[np.abs(points - centre) < radius] = k
        values = np.zeros(points.size)
        values[holder < 0] = self._in_magma(points[holder < 0], pressure=pressure)
        return values, holder

    def _constants(self, *, pressure: bool) -> Array:
        """What each disc's own outgoing and regular flow lack on its circle (disc).

        The stream function of the regular flow has no constant, and each disc saw its twins through
        a window of its own, whose rows of point forces shift the pressure as a whole.
        """
        discs = self.flow.discs
        around = np.exp(0.25j * np.pi * np.arange(8))
        circles = discs.centre[:, None] + discs.radius[:, None] * around
        total = self._in_magma(circles.ravel(), pressure=pressure).reshape(circles.shape)
        for k, expansion in enumerate(self.flow.expansions):
            regular = _polynomial(discs, k, expansion.alpha, expansion.beta)
            for part in (regular, _twin(self.flow, 0, k, complex(discs.centre[k]))):
                total[k] -= _quantity(part, pressure)(circles[k])
        return np.asarray(total.mean(axis=1))

    def _in_magma(self, points: ComplexArray, *, pressure: bool) -> Array:
        """Sum the three ranges at points outside the discs."""
        lattice, (columns, rows) = self.flow.lattice, self._tiles
        column = np.clip((points.real / lattice.width * columns).astype(int), 0, columns - 1)
        row = np.clip((points.imag / lattice.height * rows).astype(int), 0, rows - 1)
        tile = row * columns + column

        values = _quantity(self._box, pressure)(points)
        values += _quantity(self._tile_flow, pressure)(points, tile)
        for source, near in zip(self._outgoing, self._near, strict=True):
            here = np.flatnonzero(near[tile])
            if here.size:
                values[here] += _quantity(source, pressure)(points[here])
        return values


def _quantity(part: Polynomial | Outgoing, pressure: bool) -> Callable[..., Array]:
    return part.pressure if pressure else part.stream_function


def _ranges(flow: Flow) -> tuple[Polynomial, list[Outgoing]]:
    """Split all twins into one polynomial about the middle of the box and those around it."""
    discs, lattice = flow.discs, flow.lattice
    middle = 0.5 * complex(lattice.width, lattice.height)
    half = abs(middle)
    between = lattice.nearest(middle - twins(discs.centre))[..., None] - lattice.near
    close = np.abs(between) < 2 * half + discs.radius.max()
    modes = np.array([expansion.a.size - 1 for expansion in flow.expansions])
    coupling = couple(discs, lattice, middle, half, _ORDERS_OF_BOX, modes, close)
    a, b = (
        np.concatenate([getattr(expansion, name)[1:] for expansion in flow.expansions])
        for name in ("a", "b")
    )
    alpha = coupling.direct @ a + coupling.mirrored @ a.conj() + coupling.alpha
    beta = coupling.direct @ b + coupling.mirrored @ b.conj() + coupling.beta
    beta += coupling.moved @ a + coupling.moved_mirrored @ a.conj()
    box = Polynomial(np.array([middle]), half, np.zeros(1), alpha[:, None], beta[:, None])
    outgoing = []
    for kind, k, point in np.argwhere(close):
        outgoing.append(_twin(flow, int(kind), int(k), complex(middle - between[kind, k, point])))
    return box, outgoing


def _twin(flow: Flow, kind: int, k: int, centre: complex) -> Outgoing:
    """Outgoing flow of a twin: the disc, turned, mirrored in z or in x (`expansions.twins`)."""
    a, b, force = flow.expansions[k].a, flow.expansions[k].b, complex(flow.discs.force[k])
    if kind in (1, 3):
        sign = -((-1.0) ** np.arange(a.size))
        a, b, force = sign * a, sign * b, -force
    if kind in (2, 3):
        a, b, force = a.conj(), b.conj(), force.conjugate()
    return Outgoing(centre, float(flow.discs.radius[k]), force, a, b)


def _velocity_inside(discs: Discs, k: int, expansion: Expansion) -> Polynomial:
    """Potentials of the velocity inside a disc."""
    orders = expansion.a.size - 3
    own = expansion.outgoing(discs.force[k])
    alpha, beta = expansion.alpha[: orders + 1].copy(), expansion.beta[: orders + 1].copy()
    n = np.arange(1, orders + 1)
    alpha[0] += 2 * own[0].conj() + 2 * discs.force[k] * math.log(discs.radius[k])
    alpha[2:] += own[: orders - 1]
    beta[1:] -= expansion.a[1 : orders + 1].conj() + (n + 2) * own[n]
    return _polynomial(discs, k, alpha, beta)


def _stress_inside(discs: Discs, k: int, expansion: Expansion) -> Polynomial:
    """Potential ``lambda phi`` of the stress inside a disc, without the weight's part."""
    orders = expansion.a.size - 3
    alpha = expansion.alpha[: orders + 1].copy()
    alpha[2:] -= expansion.outgoing(discs.force[k])[: orders - 1]
    alpha[2] -= np.conj(discs.force[k])
    return _polynomial(discs, k, alpha, np.zeros_like(alpha))


def _polynomial(discs: Discs, k: int, alpha: ComplexArray, beta: ComplexArray) -> Polynomial:
    """Flow about the centre of a disc."""
    centre = discs.centre[k : k + 1]
    return Polynomial(centre, float(discs.radius[k]), np.zeros(1), alpha[:, None], beta[:, None])
