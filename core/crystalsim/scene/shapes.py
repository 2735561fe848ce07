"""Exact area fractions of discs in the control volumes of a grid."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .case import Case
from .grid import Grid

__all__ = ["Disc", "case_discs"]

Array = NDArray[np.float64]


_SNAP = 1e-12
"""Fractions this near to 0 or 1 are rounding of the area integral, not geometry."""


class Disc(NamedTuple):
    """Area fractions of one disc, on the part of the grid that it touches.

    Attributes
    ----------
    cells, faces
        Index ranges ``(rows, columns)``: of cells, and of the faces (and corners) around them.
    cell, corner, x_face, z_face
        Area of the disc in the control volume around each cell centre, corner, vertical face and
        horizontal face, over the area of a cell. A control volume at a wall counts as whole.
    """

    cells: tuple[slice, slice]
    faces: tuple[slice, slice]
    cell: Array
    corner: Array
    x_face: Array
    z_face: Array

    @property
    def x_faces(self) -> tuple[slice, slice]:
        """Index ranges ``(rows, columns)`` of `x_face`."""
        return self.cells[0], self.faces[1]

    @property
    def z_faces(self) -> tuple[slice, slice]:
        """Index ranges ``(rows, columns)`` of `z_face`."""
        return self.faces[0], self.cells[1]


def _area_below(x: Array, z: Array) -> Array:
    """Area of the unit disc with abscissa below `x` and ordinate below `z` (z, x)."""

    def under_arc(s: Array) -> Array:
        return 0.5 * (s * np.sqrt(1 - s * s) + np.arcsin(s) + 0.5 * np.pi)

    x, z = np.clip(x, -1, 1)[None, :], np.clip(z, -1, 1)[:, None]
    chord = np.sqrt(1 - z * z)
    inside = np.clip(x, -chord, chord)
    # The cap beyond the chord at height |z|, as far as x.
    cap = under_arc(inside) - under_arc(-chord) - np.abs(z) * (inside + chord)
    return np.where(z < 0, cap, 2 * under_arc(x) - cap)


def disc_fractions(x: float, z: float, radius: float, grid: Grid) -> Disc:
    """Exact area fractions of one disc in all control volumes of a grid.

    The areas in quarter cells are second differences of the area of the disc below a point; the
    control volumes of cells, corners and faces are each four of them.

    Parameters
    ----------
    x, z, radius
        Of the disc [m]; it lies inside the walls.
    grid
        Grid to paint on.
    """

    def span(centre: float, low: float, spacing: float, count: int) -> tuple[int, int]:
        first = int(np.floor((centre - radius - low) / spacing))
        last = int(np.ceil((centre + radius - low) / spacing))
        first = min(max(first, 0), count - 1)
        return first, min(max(last, first + 1), count)

    left, right = span(x, grid.x_min, grid.hx, grid.nx)
    bottom, top = span(z, grid.z_min, grid.hz, grid.nz)
    edges_x = grid.x_min + 0.5 * grid.hx * np.arange(2 * left, 2 * right + 1)
    edges_z = grid.z_min + 0.5 * grid.hz * np.arange(2 * bottom, 2 * top + 1)
    below = _area_below(
        np.asarray((edges_x - x) / radius, dtype=np.float64),
        np.asarray((edges_z - z) / radius, dtype=np.float64),
    )
    quarter = np.diff(np.diff(below, axis=0), axis=1) * (radius * radius / (grid.hx * grid.hz))

    def gather(pad_z: int, pad_x: int) -> Array:
        rows, columns = quarter.shape
        q = np.zeros((rows + 2 * pad_z, columns + 2 * pad_x))
        q[pad_z : pad_z + rows, pad_x : pad_x + columns] = quarter
        total = q[::2, ::2] + q[1::2, ::2] + q[::2, 1::2] + q[1::2, 1::2]
        total[total < _SNAP] = 0.0
        total[total > 1 - _SNAP] = 1.0
        return total

    return Disc(
        cells=(slice(bottom, top), slice(left, right)),
        faces=(slice(bottom, top + 1), slice(left, right + 1)),
        cell=gather(0, 0),
        corner=gather(1, 1),
        x_face=gather(0, 1),
        z_face=gather(1, 0),
    )


def case_discs(case: Case, grid: Grid) -> list[Disc]:
    """Area fractions of every crystal of a case."""
    return [
        disc_fractions(float(x), float(z), float(radius), grid)
        for x, z, radius in zip(case.x, case.z, case.radius, strict=True)
    ]
