"""From crystals to fields: exact area fractions, viscosity and density on the staggered grid.

How the curved boundary of a disc is averaged decides the accuracy of the flow. Fractions are exact
(to rounding) in every control volume: cell, corner and both kinds of face. Density is averaged by
volume; viscosity harmonically by default.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .cases import Case, iterate_cases
from .grid import Grid
from .schema import GIVEN_FIELDS

Array = NDArray[np.float64]
Average = Literal["harmonic", "geometric", "arithmetic", "point"]

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


class Scene(NamedTuple):
    """One case painted on a grid.

    Attributes
    ----------
    fraction
        Area fraction of all crystals (z, x).
    phase
        Crystal that fills at least half of the cell, counted from 1, or 0 (z, x).
    viscosity_cell, viscosity_corner
        Means over cells (z, x) and around corners (z_face, x_face) [Pa s]; infinite where rigid.
    density_face
        Density less the matrix's, mean around horizontal faces (z_face, x) [kg m-3].
    """

    fraction: Array
    phase: NDArray[np.int16]
    viscosity_cell: Array
    viscosity_corner: Array
    density_face: Array


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


def rasterise(
    case: Case, grid: Grid, average: Average = "harmonic", *, periodic: bool = False
) -> Scene:
    """Paint a case on a grid.

    Parameters
    ----------
    case
        Crystals and matrix.
    grid
        Grid to paint on.
    average
        Mean of the viscosity in a control volume that holds several phases: ``harmonic`` (the
        error of a crystal's velocity is then smallest), ``geometric``, ``arithmetic`` (LaMEM's), or
        ``point`` (that of the phase with at least half the area).
    periodic
        Whether the left and right wall are the same place.
    """
    discs = case_discs(case, grid)
    shape, corners = (grid.nz, grid.nx), (grid.nz + 1, grid.nx + 1)
    fraction, density = np.zeros(shape), np.zeros((grid.nz + 1, grid.nx))
    phase = np.zeros(shape, dtype=np.int16)
    for k, (disc, contrast) in enumerate(zip(discs, case.density_contrast, strict=True), start=1):
        fraction[disc.cells] += disc.cell
        density[disc.z_faces] += contrast * disc.z_face
        phase[disc.cells][disc.cell >= 0.5] = k
    contrasts = case.viscosity / case.matrix_viscosity
    cell = _mean_contrast([(d.cells, d.cell) for d in discs], contrasts, shape, average)
    around = [(d.faces, d.corner) for d in discs]
    if periodic:
        around = [_joined(d, grid) for d in discs]
    corner = _mean_contrast(around, contrasts, corners, average)
    return Scene(
        fraction=np.minimum(fraction, 1.0),
        phase=phase,
        viscosity_cell=cell * case.matrix_viscosity,
        viscosity_corner=corner * case.matrix_viscosity,
        density_face=density,
    )


def scenes(
    cases: xr.Dataset, grid: Grid, average: Average = "harmonic", *, periodic: bool = False
) -> Iterator[tuple[Case, Scene]]:
    """Paint all samples, with media that are given on the grid in place of the crystals'.

    Parameters
    ----------
    cases
        Dataset of kind ``"cases"``. If it has `viscosity` on cells, that is the viscosity; around
        corners it is `viscosity_corner` or the harmonic mean of the cells there. If it has
        `density` on cells, that is the density; around horizontal faces it is `density_face` or
        the mean of the cells above and below. What is absent comes from the crystals.
    grid
        Grid of the cases.
    average, periodic
        See `rasterise`.
    """
    given = {name: cases[name].values for name in GIVEN_FIELDS if name in cases.variables}
    for i, case in enumerate(iterate_cases(cases)):
        scene = rasterise(case, grid, average, periodic=periodic)
        if "viscosity" in given:
            cell = given["viscosity"][i].astype(np.float64)
            scene = scene._replace(
                viscosity_cell=cell, viscosity_corner=_around_corners(cell, periodic)
            )
        if "viscosity_corner" in given:
            corner = given["viscosity_corner"][i].astype(np.float64)
            scene = scene._replace(viscosity_corner=corner)
        if "density" in given:
            cell = np.pad(given["density"][i].astype(np.float64), ((1, 1), (0, 0)), mode="edge")
            face = 0.5 * (cell[1:] + cell[:-1])
            scene = scene._replace(density_face=face - case.matrix_density)
        if "density_face" in given:
            face = given["density_face"][i].astype(np.float64)
            scene = scene._replace(density_face=face - case.matrix_density)
        yield case, scene


def _joined(disc: Disc, grid: Grid) -> tuple[tuple[slice, slice], Array]:
    """Corner fractions on whole rows, with those at either side on both."""
    rows, columns = disc.faces
    fraction = np.zeros((disc.corner.shape[0], grid.nx + 1))
    fraction[:, columns] = disc.corner
    fraction[:, [0, -1]] = fraction[:, [0]] + fraction[:, [-1]]
    return (rows, slice(None)), fraction


def _around_corners(cell: Array, periodic: bool) -> Array:
    """Harmonic mean of the cells around each corner; on a wall, of those inside."""
    fluidity = np.pad(1.0 / cell, ((1, 1), (0, 0)), mode="edge")
    fluidity = np.pad(fluidity, ((0, 0), (1, 1)), mode="wrap" if periodic else "edge")
    total = fluidity[1:, 1:] + fluidity[1:, :-1] + fluidity[:-1, 1:] + fluidity[:-1, :-1]
    return np.divide(4.0, total, out=np.full(total.shape, np.inf), where=total > 0)


def _mean_contrast(
    patches: list[tuple[tuple[slice, slice], Array]],
    contrasts: Array,
    shape: tuple[int, int],
    average: Average,
) -> Array:
    """Mean viscosity over the matrix's, from the fractions of each crystal."""
    matrix, crystals = np.ones(shape), np.zeros(shape)
    for (where, fraction), contrast in zip(patches, contrasts, strict=True):
        matrix[where] -= fraction
        if average == "harmonic":
            crystals[where] += fraction / contrast
        elif average == "arithmetic":
            crystals[where] += np.where(fraction > 0, fraction * contrast, 0.0)
        elif average == "geometric":
            crystals[where] += np.where(fraction > 0, fraction * np.log(contrast), 0.0)
        else:
            crystals[where] += np.where(fraction >= 0.5, contrast - 1.0, 0.0)
    matrix[matrix < _SNAP] = 0.0
    if average == "harmonic":
        fluidity = matrix + crystals
        return np.divide(1.0, fluidity, out=np.full(shape, np.inf), where=fluidity > 0)
    if average == "arithmetic":
        return matrix + crystals
    return np.exp(crystals) if average == "geometric" else 1.0 + crystals


def paint(cases: xr.Dataset) -> tuple[Array, NDArray[np.int16]]:
    """Area fraction of crystals and phase of all samples.

    Returns
    -------
    fraction, phase
        On (sample, z, x); see `Scene`.
    """
    grid = Grid.from_dataset(cases)
    shape = (cases.sizes["sample"], grid.nz, grid.nx)
    fraction, phase = np.zeros(shape), np.zeros(shape, dtype=np.int16)
    for i, case in enumerate(iterate_cases(cases)):
        for k, disc in enumerate(case_discs(case, grid), start=1):
            fraction[i][disc.cells] += disc.cell
            phase[i][disc.cells][disc.cell >= 0.5] = k
    return np.minimum(fraction, 1.0), phase
