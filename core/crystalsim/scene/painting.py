"""From crystals to fields: exact area fractions, viscosity and density on the staggered grid.

How the curved boundary of a disc is averaged decides the accuracy of the flow. Fractions are exact
(to rounding) in every control volume: cell, corner and both kinds of face. Density is averaged by
volume; viscosity harmonically by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .case import Case
from .grid import Grid
from .shapes import _SNAP, Array, Disc, case_discs

__all__ = ["Scene", "rasterise"]

Average = Literal["harmonic", "geometric", "arithmetic", "point"]


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
    discs
        Area fractions of each crystal.
    """

    fraction: Array
    phase: NDArray[np.int16]
    viscosity_cell: Array
    viscosity_corner: Array
    density_face: Array
    discs: Sequence[Disc] = ()


def rasterise(
    case: Case,
    grid: Grid,
    average: Average = "harmonic",
    *,
    periodic: bool = False,
    discs: Sequence[Disc] | None = None,
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
    discs
        Area fractions of the crystals, if they are known.
    """
    discs = case_discs(case, grid) if discs is None else discs
    fraction, density = np.zeros((grid.nz, grid.nx)), np.zeros((grid.nz + 1, grid.nx))
    phase = np.zeros(fraction.shape, dtype=np.int16)
    for k, (disc, contrast) in enumerate(zip(discs, case.density_contrast, strict=True), start=1):
        fraction[disc.cells] += disc.cell
        density[disc.z_faces] += contrast * disc.z_face
        phase[disc.cells][disc.cell >= 0.5] = k
    contrasts = case.viscosity / case.matrix_viscosity
    cell = _mean_contrast([(d.cells, d.cell) for d in discs], contrasts, fraction, average)
    around = [(d.faces, d.corner) for d in discs]
    if periodic:
        around = [_joined(d, grid) for d in discs]
    filled = np.zeros((grid.nz + 1, grid.nx + 1))
    for where, part in around:
        filled[where] += part
    corner = _mean_contrast(around, contrasts, filled, average)
    cell *= case.matrix_viscosity
    corner *= case.matrix_viscosity
    return Scene(
        fraction=np.minimum(fraction, 1.0, out=fraction),
        phase=phase,
        viscosity_cell=cell,
        viscosity_corner=corner,
        density_face=density,
        discs=discs,
    )


def _joined(disc: Disc, grid: Grid) -> tuple[tuple[slice, slice], Array]:
    """Corner fractions on whole rows, with those at either side on both."""
    rows, columns = disc.faces
    fraction = np.zeros((disc.corner.shape[0], grid.nx + 1))
    fraction[:, columns] = disc.corner
    fraction[:, [0, -1]] = fraction[:, [0]] + fraction[:, [-1]]
    return (rows, slice(None)), fraction


def _mean_contrast(
    patches: list[tuple[tuple[slice, slice], Array]],
    contrasts: Array,
    filled: Array,
    average: Average,
) -> Array:
    """Mean viscosity over the matrix's, from the fractions of each crystal and of all together.

    Only the control volumes that crystals touch are worked on: on large grids whole arrays take
    longer than the crystals.
    """
    crystals, mean = np.zeros(filled.shape), np.ones(filled.shape)
    for (where, fraction), contrast in zip(patches, contrasts, strict=True):
        if average == "harmonic":
            crystals[where] += fraction / contrast
        elif average == "arithmetic":
            crystals[where] += np.where(fraction > 0, fraction * contrast, 0.0)
        elif average == "geometric":
            crystals[where] += np.where(fraction > 0, fraction * np.log(contrast), 0.0)
        else:
            crystals[where] += np.where(fraction >= 0.5, contrast - 1.0, 0.0)
    touched = np.flatnonzero(filled != 0)
    part, matrix = crystals.ravel()[touched], 1.0 - filled.ravel()[touched]
    matrix[matrix < _SNAP] = 0.0
    if average == "harmonic":
        with np.errstate(divide="ignore"):
            part = 1.0 / (matrix + part)
    elif average == "arithmetic":
        part += matrix
    else:
        part = np.exp(part) if average == "geometric" else 1.0 + part
    mean.ravel()[touched] = part
    return mean
