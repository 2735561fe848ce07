"""From crystals to fields: exact area fractions, viscosity and density on the staggered grid.

How the curved boundary of a disc is averaged decides the accuracy of the flow. Fractions are exact
(to rounding) in every control volume: cell, corner and both kinds of face. Density is averaged by
volume, viscosity by a mean that knows contrast and curvature; see `crystalsim.scene.means`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .case import Case
from .grid import Grid
from .means import DEFAULT_AVERAGE, Average, Share, force_spread, hat_share, mean_contrast
from .shapes import Array, Disc, case_discs

__all__ = ["Scene", "rasterise"]


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
        Density less the matrix's, mean around horizontal faces (z_face, x) [kg m-3]; with the
        average ``curvature``, part of it shared out among the neighbours, see
        `crystalsim.scene.means.force_spread`.
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
    average: Average = DEFAULT_AVERAGE,
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
        Mean of the viscosity in a control volume that holds several phases: ``curvature`` (the
        error of a crystal's velocity is then smallest; see `crystalsim.scene.means`), ``harmonic``,
        ``geometric``, ``arithmetic`` (LaMEM's), or ``point`` (that of the phase with at least half
        the area).
    periodic
        Whether the left and right wall are the same place.
    discs
        Area fractions of the crystals, if they are known.
    """
    discs = case_discs(case, grid) if discs is None else discs
    shape = grid.nz, grid.nx
    fraction, density = np.zeros(shape), np.zeros((grid.nz + 1, grid.nx))
    phase = np.zeros(shape, dtype=np.int16)
    contrasts = case.viscosity / case.matrix_viscosity
    loose: Array | None = None
    driven = zip(discs, case.density_contrast, contrasts, strict=True)
    for k, (disc, density_contrast, contrast) in enumerate(driven, start=1):
        fraction[disc.cells] += disc.cell
        density[disc.z_faces] += density_contrast * disc.z_face
        phase[disc.cells][disc.cell >= 0.5] = k
        if average == "curvature" and (spread := force_spread(contrast)):
            loose = np.zeros_like(density) if loose is None else loose
            loose[disc.z_faces] += spread * density_contrast * disc.z_face
    if loose is not None:
        density += _shared_out(loose, periodic)
    size = float(np.sqrt(grid.hx * grid.hz))
    hats = np.zeros(len(discs))
    if average == "curvature" and len(discs):
        hats = hat_share(_clearances(case, grid, periodic) / size)
    numbers = zip(contrasts.tolist(), (size / case.radius).tolist(), hats.tolist(), strict=True)
    crystals = list(zip(discs, numbers, strict=True))
    in_cells = [Share(disc.cells, disc.cell, *number) for disc, number in crystals]
    around_corners = [
        Share(*_around_corners(disc, contrast, hat, grid, periodic), contrast, relative, hat)
        for disc, (contrast, relative, hat) in crystals
    ]
    cell = mean_contrast(in_cells, shape, average)
    corner = mean_contrast(around_corners, (grid.nz + 1, grid.nx + 1), average)
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


def _around_corners(
    disc: Disc, contrast: float, hat: float, grid: Grid, periodic: bool
) -> tuple[tuple[slice, slice], Array]:
    """Where a crystal reaches corners, and its fractions there."""
    where, fraction = disc.faces, disc.corner
    if contrast > 1 and hat > 0:
        fraction = fraction + hat * (disc.spread - fraction)
    return _joined(where, fraction, grid) if periodic else (where, fraction)


def _clearances(case: Case, grid: Grid, periodic: bool) -> Array:
    """Gap between each crystal and its nearest neighbour [m]; a wall is a twin at twice the gap."""
    below = case.z - grid.z_min, grid.z_max - case.z
    beside = () if periodic else (case.x - grid.x_min, grid.x_max - case.x)
    gap = 2.0 * (np.min([*below, *beside], axis=0) - case.radius)
    across = np.abs(case.x - case.x[:, None])
    if periodic:
        across = np.minimum(across, grid.width - across)
    between = np.hypot(across, case.z - case.z[:, None]) - case.radius - case.radius[:, None]
    np.fill_diagonal(between, np.inf)
    return np.minimum(gap, between.min(axis=0, initial=np.inf))


def _shared_out(density: Array, periodic: bool) -> Array:
    """Half the second differences along both axes; nothing goes through a wall."""
    sides = np.pad(density, ((0, 0), (1, 1)), mode="wrap" if periodic else "edge")
    ends = np.pad(density, ((1, 1), (0, 0)), mode="edge")
    neighbours = sides[:, 2:] + sides[:, :-2] + ends[2:] + ends[:-2]
    return np.asarray(0.5 * neighbours - 2.0 * density)


def _joined(
    where: tuple[slice, slice], corner: Array, grid: Grid
) -> tuple[tuple[slice, slice], Array]:
    """Corner fractions on whole rows, with those at either side on both."""
    rows, columns = where
    fraction = np.zeros((corner.shape[0], grid.nx + 1))
    fraction[:, columns] = corner
    fraction[:, [0, -1]] = fraction[:, [0]] + fraction[:, [-1]]
    return (rows, slice(None)), fraction
