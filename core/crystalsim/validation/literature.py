"""One disc in the middle of a box, against the literature (`closed_forms`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import xarray as xr

from ..contracts import Solver
from ..datasets.cases import make_cases
from ..scene.grid import Grid
from ..scene.options import SceneOptions
from ..stokes.crystal_motion import crystal_motion
from . import closed_forms
from .result import Result, solved

SINGLE_DISC_BOUND = 0.15
"""Relative error of the disc's velocity where a cell is as large as its radius.

Quadratic in the cell size below that, linear above.
"""

_STIFF = 1e6
"""Contrast that moves as a rigid disc does, to 1e-6; not all solvers know infinite ones."""

_WIDTH = 2000.0
_RADIUS = 100.0
_DENSITY_CONTRAST = 200.0


@dataclass(frozen=True)
class SingleDisc:
    """A disc in the middle of a box whose mobility ``mu U / F`` is known.

    Attributes
    ----------
    width, height
        Of the box [m].
    contrast
        Viscosity of the disc over the magma's.
    mobility
        ``mu U / F`` for a metre of the section.
    """

    width: float
    height: float
    contrast: float
    mobility: float

    def cases(self, cells: int) -> xr.Dataset:
        """One sample with that many square cells across the box."""
        high = round(cells * self.height / self.width)
        grid = Grid(cells, high, 0.0, self.width, 0.0, self.height)
        options = SceneOptions()
        disc = {
            "x": 0.5 * self.width,
            "z": 0.5 * self.height,
            "radius": _RADIUS,
            "density": options.matrix_density + _DENSITY_CONTRAST,
            "viscosity": self.contrast * options.matrix_viscosity,
        }
        return make_cases([[disc]], grid, options)

    def error(self, solver: Solver, cells: int, walls: str) -> float:
        """Relative error of the disc's velocity."""
        cases = self.cases(cells)
        motion = crystal_motion(solved(solver, cases, walls))
        weight = _DENSITY_CONTRAST * float(cases["gravity"][0]) * math.pi * _RADIUS**2
        true = -self.mobility * weight / float(cases["matrix_viscosity"][0])
        return abs(float(motion["crystal_velocity_z"][0, 0]) / true - 1.0)


FREE_SLIP: Mapping[str, SingleDisc] = {
    **{
        f"centred, contrast {contrast:g}": SingleDisc(
            _WIDTH,
            _WIDTH,
            contrast,
            closed_forms.centred_disc(_RADIUS, _WIDTH, contrast) / (4 * math.pi),
        )
        for contrast in (1.0, 100.0, _STIFF)
    },
    "row": SingleDisc(_WIDTH, 3 * _WIDTH, _STIFF, 1.0 / closed_forms.row_of_discs(_RADIUS, _WIDTH)),
}
"""Between free-slip walls: the series are within 5e-5 of exact."""

AT_REST: Mapping[str, SingleDisc] = {
    "plates": SingleDisc(
        _WIDTH, 3 * _WIDTH, _STIFF, 1.0 / closed_forms.between_plates(_RADIUS, _WIDTH)
    )
}
"""Between walls at rest."""


def single_discs(solver: Solver, cells: Sequence[int]) -> Result:
    """A disc of any viscosity in a free-slip box, and one of a row of discs (a narrow box).

    See `closed_forms.centred_disc` and `closed_forms.row_of_discs`.
    """
    return _result("single discs", FREE_SLIP, solver, cells, "free_slip")


def disc_between_plates(solver: Solver, cells: Sequence[int]) -> Result:
    """A disc that sinks between two walls at rest, for solvers with such walls.

    See `closed_forms.between_plates`.
    """
    return _result("disc between plates", AT_REST, solver, cells, "no_slip")


def _result(
    name: str, discs: Mapping[str, SingleDisc], solver: Solver, cells: Sequence[int], walls: str
) -> Result:
    parts = {
        label: tuple(disc.error(solver, n, walls) for n in cells) for label, disc in discs.items()
    }
    sizes = [_WIDTH / n / _RADIUS for n in cells]
    return Result(
        name,
        tuple(cells),
        tuple(max(errors) for errors in zip(*parts.values(), strict=True)),
        tuple(SINGLE_DISC_BOUND * size * min(size, 1.0) for size in sizes),
        "relative error of the disc's velocity",
        parts=parts,
    )
