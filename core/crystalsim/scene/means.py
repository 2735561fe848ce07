"""How crystals count in control volumes that they share with the magma, in any dimension.

Where the surface of a crystal cuts a control volume, one number stands for two media. Shear across
a flat surface wants the harmonic mean of the viscosity (layers in series), stretching along it the
arithmetic one (layers in parallel); a control volume of a staggered grid carries both, in shares
that depend on the crystal. Both are power means of the fluidity ``f = 1 / viscosity``,

    f = (sum_k phi_k f_k**p)**(1/p),

with ``p = 1`` and ``p = -1``. `mean_exponent` is the one between them for which a disc on the grid
resists as the disc of the continuum does.

**Where the exponent comes from.** A disc of radius R alone in magma, on a lattice of cells of size
h, solved exactly with the lattice's own Green's function for many positions on the grid, shows the
radius that it seems to have: to pure strain, to simple shear and to its weight. Three limits are
known. For contrasts c near one, perturbation theory wants ``p = 0``, as in the mean over directions
half of the strain at the surface is shear and half is stretching. For rigid crystals with flat
surfaces ``p = 1``, as they do not stretch. And in two dimensions fluidity and viscosity may change
places (with cells and corners), which changes the sign of p. For flat surfaces the lattice gives
``p = kappa = (c - 1) / (c + 1)``, the number with which every multipole of a disc answers. Beside a
curved surface the magma stretches within the cell, in first order of h / R, which takes p towards
zero.

**Where a stiff crystal is.** The shear strain rate is a second difference of the stream function,
that is, a mean over the four cells around a corner with weights that fall to zero at their far
edges. The fractions of stiff crystals around corners are means with these weights. How a rigid disc
lies on the grid then changes its apparent radius by 0.1 to 0.2 % at three cells a radius, instead
of 0.5 to 0.8 % with fractions of one cell. Normal strain rates, and crystals weaker than the magma,
keep the fractions of one cell; so do crystals with a neighbour within few cells, as what is between
them is thinner than the weights are wide, see `hat_share`.

**Where the weight acts.** Second differences are too small in second order, so that an isoviscous
disc sinks too fast (by 0.5 % at three cells a radius). Sharing out a part of the force among the
neighbours makes up for it, as in the Mehrstellen method (Collatz 1960); see `force_spread`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Average = Literal["curvature", "harmonic", "geometric", "arithmetic", "point"]
AVERAGES: tuple[Average, ...] = get_args(Average)

DEFAULT_AVERAGE: Average = "curvature"


class Share(NamedTuple):
    """What one crystal takes of the control volumes of a grid.

    Attributes
    ----------
    where
        Part of the grid that the crystal touches, an index for each axis.
    fraction
        Fraction of each control volume there.
    contrast
        Viscosity of the crystal over that of the magma, from 0 to infinite.
    cell_per_radius
        Size of a cell over the radius of curvature of the crystal's surface.
    hat
        How much of fractions around corners are means over four cells, see `hat_share`.
    """

    where: tuple[slice, ...]
    fraction: Array
    contrast: float
    cell_per_radius: float
    hat: float = 1.0


def mean_exponent(contrast: float, cell_per_radius: float, hat: float = 1.0) -> float:
    """Exponent of the power mean of the fluidity that `curvature` stands for.

    ``p = kappa / (1 + r h / R)`` with ``kappa = (c - 1) / (c + 1)`` and, with ``s**2 = 1 -
    kappa**2``, ``r = 1.1 + 2 s`` for crystals stiffer than the magma, ``r = 0.9 + 1.2 s`` for
    weaker ones. A disc of 3 to 5 cells a radius on a lattice has its true radius, to strain and
    shear alike and in the mean over positions on the grid, at ``r = 1.2-1.4, 1.4-1.6, 2.0-2.3,
    2.6-3.0`` for rigid ones and contrasts of 100, 10 and 3, at ``r = 1.9-2.0, 1.6-1.7, 1.1, 0.9``
    for 0.3, 0.1, 0.01 and 1e-4. To their weight, rigid discs have it at ``r = 1.0`` for all radii
    from two cells up.

    Parameters
    ----------
    contrast
        Viscosity of the crystal over that of the magma, from 0 to infinite.
    cell_per_radius
        Size of a cell over the radius of curvature of the surface.
    hat
        See `Share`. With fractions of one cell r is 0.65 times as large for stiff crystals.
    """
    kappa = 1.0 - 2.0 / (1.0 + contrast)
    s = np.sqrt(1.0 - kappa * kappa)
    rate = (1.1 + 2.0 * s) * (0.65 + 0.35 * hat) if contrast > 1 else 0.9 + 1.2 * s
    return float(kappa / (1.0 + rate * cell_per_radius))


def hat_share(clearance: Array) -> Array:
    """How much of a stiff crystal's fractions around corners are means over four cells.

    Rigid discs that are squeezed together at gaps of 1, 2 and 4 cells approach 1.27, 1.07 and 1.02
    times as fast as they should with these means (6.4 cells a radius), and 1.00, 1.02 and 1.00
    times with the fractions of one cell.

    Parameters
    ----------
    clearance
        Gap to the nearest other surface, in cells.
    """
    return np.asarray(np.clip((clearance - 3.0) / 3.0, 0.0, 1.0))


def force_spread(contrast: float) -> float:
    """Variance that the force of a crystal gets beyond that of its area, in cells squared.

    Smoothing by ``1 + (v / 2) delta**2`` along each axis adds the variance v. With ``v = 0.105`` an
    isoviscous disc sinks as in the continuum. A rigid one hands the force on whatever the place
    inside, and in a very weak one force on cut faces would only stir it, so that ``v = 0.11 / (1 +
    0.02 / c + (c / 6)**2)``, which follows the values at which single discs sink as they should (0,
    0.04, 0.09, 0.11, 0.12, 0.105, 0.09, 0.06, 0.02 at contrasts of 1e-3, 0.01, 0.03, 0.1, 0.3, 1,
    3, 5, 10); zero where it is less than 1e-4.

    Parameters
    ----------
    contrast
        Viscosity of the crystal over that of the magma, from 0 to infinite.
    """
    if contrast == 0:
        return 0.0
    spread = 0.11 / (1.0 + 0.02 / contrast + (contrast / 6.0) ** 2)
    return spread if spread > 1e-4 else 0.0


def mean_contrast(shares: Sequence[Share], shape: tuple[int, ...], average: Average) -> Array:
    """Mean viscosity over that of the magma in all control volumes of a grid.

    Parameters
    ----------
    shares
        Of all crystals; they do not overlap.
    shape
        Of the control volumes.
    average
        See `crystalsim.scene.painting.rasterise`. With ``curvature``, magma and crystals weaker
        than it are averaged first and stiffer ones with the result, so that a stiff crystal meets
        what is around it. Where several share a control volume, their exponents are averaged by
        fraction.
    """
    mean = np.ones(shape)
    if average == "point":
        for share in shares:
            mean[share.where][share.fraction >= 0.5] = share.contrast
        return mean
    # Only where crystals are: powers of whole grids would take longer than the solver.
    touched = np.zeros(shape, dtype=bool)
    for share in shares:
        touched[share.where] |= share.fraction > 0
    places = np.flatnonzero(touched)
    number = np.empty(shape, dtype=np.intp)
    number.ravel()[places] = np.arange(places.size)
    logarithm = np.zeros(places.size)
    for stage in _stages(shares, average):
        _mix(stage, number, logarithm, average)
    mean.ravel()[places] = np.exp(logarithm)
    return mean


def _stages(shares: Sequence[Share], average: Average) -> list[list[Share]]:
    """Crystals that are averaged with magma, and with what they leave, one after the other."""
    if average != "curvature":
        return [list(shares)] if shares else []
    weak = [share for share in shares if share.contrast < 1]
    stiff = [share for share in shares if share.contrast > 1]
    return [stage for stage in (weak, stiff) if stage]


def _exponent(share: Share, average: Average) -> float:
    if average == "curvature":
        return mean_exponent(share.contrast, share.cell_per_radius, share.hat)
    # Near zero the mean hardly depends on the exponent, but the formula divides by it.
    return {"harmonic": 1.0, "geometric": 1e-9, "arithmetic": -1.0}[average]


def _mix(stage: list[Share], number: NDArray[np.intp], base: Array, average: Average) -> None:
    """Mix crystals into a medium by the power mean.

    Parameters
    ----------
    stage
        Crystals.
    number
        Place of each control volume in `base`, where crystals are.
    base
        Logarithm of the viscosity of the medium (place); changed to that of the mixture.
    average
        Of which the exponents are.
    """
    inside = [share.fraction > 0 for share in stage]
    counts = [int(there.sum()) for there in inside]
    pairs = list(zip(stage, inside, strict=True))
    place = np.concatenate([number[share.where][there] for share, there in pairs])
    fraction = np.concatenate([share.fraction[there] for share, there in pairs])
    exponent = np.repeat([_exponent(share, average) for share in stage], counts)
    with np.errstate(divide="ignore"):
        contrast = np.repeat(np.log([share.contrast for share in stage]), counts)

    def total(values: Array) -> Array:
        return np.asarray(np.bincount(place, values, base.size), dtype=np.float64)

    filled = total(fraction)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        power = total(fraction * exponent) / filled
        change = total(fraction * np.expm1(power[place] * (base[place] - contrast)))
        # Rounding must not leave a trace of magma in a control volume full of rigid crystals.
        change[change < 1e-14 - 1.0] = -1.0
        mixture = base - np.log1p(change) / power
    base[:] = np.where(filled > 0, mixture, base)
    base[place[fraction == 1]] = contrast[fraction == 1]
