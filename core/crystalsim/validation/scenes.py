"""Random scenes, against a solver that is exact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..contracts import Motion, Solver
from ..datasets.cases import make_cases
from ..errors import CrystalsimError, OptionError, PlacementError, UnsupportedError
from ..scene.grid import Grid
from ..scene.options import SceneOptions
from ..stokes.crystal_motion import crystal_motion
from .result import Array, Result, solved

SCENE_BOUND = 0.25
"""Error of a crystal's velocity over the largest speed, where a cell is as large as 60 m.

Quadratic in the cell size below that, linear above. Gaps of less than a cell do not keep it.
"""

_RADII = (60.0, 120.0)
_DENSITY_CONTRASTS = (100.0, 500.0)
_TRIES = 5000


@dataclass(frozen=True)
class RandomScenes:
    """What random scenes look like: discs of 60-120 m radius, 100-500 kg m-3 denser, in 2 x 2 km.

    Parameters
    ----------
    count
        Number of scenes.
    crystals
        Number of crystals in each; None for 1, 2, 4, 6, 8, 10, 1, ...
    contrast
        Viscosity of all crystals over the magma's; infinite where rigid.
    gap
        Least distance between two surfaces and from walls [m].
    seed
        Of all that is random.

    Raises
    ------
    OptionError
        If a value is impossible.
    """

    count: int = 6
    crystals: int | None = None
    contrast: float = 1e4
    gap: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in (("scenes", self.count), ("crystals", self.crystals)):
            if value is not None and value < 1:
                raise OptionError(f"{name} = {value}: expected 1 or more")
        if not self.contrast > 0:
            raise OptionError(f"contrast = {self.contrast:g}: expected a positive number")
        widest = 0.5 * Grid(1, 1).width - _RADII[1]
        if not 0 < self.gap < widest:
            raise OptionError(f"gap = {self.gap:g}: expected metres between 0 and {widest:g}")

    def cases(self, cells: int) -> xr.Dataset:
        """Draw the scenes, the same on every grid.

        Raises
        ------
        PlacementError
            If the crystals find no place.
        """
        grid, options = Grid(cells, cells), SceneOptions()
        return make_cases([self._scene(i, grid, options) for i in range(self.count)], grid, options)

    def _scene(self, index: int, grid: Grid, options: SceneOptions) -> list[dict[str, float]]:
        random = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(index,)))
        count = self.crystals or (1, 2, 4, 6, 8, 10)[index % 6]
        crystals: list[dict[str, float]] = []
        # Large ones first: they find it harder to find a place.
        for radius in sorted(random.uniform(*_RADII, count).tolist(), reverse=True):
            edge = radius + self.gap
            for _ in range(_TRIES):
                x = random.uniform(grid.x_min + edge, grid.x_max - edge)
                z = random.uniform(grid.z_min + edge, grid.z_max - edge)
                if all(
                    math.hypot(x - other["x"], z - other["z"]) > edge + other["radius"]
                    for other in crystals
                ):
                    break
            else:
                raise PlacementError(
                    f"random scene {index}: crystal {len(crystals)} of {count} finds no place with "
                    f"gap = {self.gap:g} m; expected fewer crystals or smaller gaps"
                )
            density = options.matrix_density + random.uniform(*_DENSITY_CONTRASTS)
            viscosity = self.contrast * options.matrix_viscosity
            crystals.append(
                {"x": x, "z": z, "radius": radius, "density": density, "viscosity": viscosity}
            )
        return crystals


def random_scenes(
    solver: Solver, cells: Sequence[int], truth: object, scenes: RandomScenes | None = None
) -> Result:
    """Crystals' velocities in random scenes, against those of an exact solver.

    The error is the largest of a crystal's velocity over the largest speed in its scene; the parts
    are the scenes.

    Parameters
    ----------
    solver
        What is checked.
    cells
        Cells in each direction, ascending.
    truth
        Solver with the capability `crystalsim.contracts.Motion`, exact whatever the grid.
    scenes
        What they look like.

    Raises
    ------
    UnsupportedError
        If `truth` has not that capability.
    CrystalsimError
        If `truth` has not converged.
    """
    scenes = scenes or RandomScenes()
    if not isinstance(truth, Motion):
        raise UnsupportedError(
            f"{type(truth).__name__} gives no motion without fields; expected an exact solver"
        )
    exact = truth.motion(scenes.cases(max(cells)))
    if not exact["converged"].values.all():
        raise CrystalsimError("the exact solver did not converge in all random scenes")
    truth_x, truth_z = _velocities(exact)
    speed = np.nanmax(np.hypot(truth_x, truth_z), axis=1)
    errors = []
    for n in cells:
        x, z = _velocities(crystal_motion(solved(solver, scenes.cases(n))))
        errors.append(np.nanmax(np.hypot(x - truth_x, z - truth_z), axis=1) / speed)
    grid = Grid(1, 1)
    sizes = [grid.width / n / _RADII[0] for n in cells]
    return Result(
        "random scenes",
        tuple(cells),
        tuple(float(error.max()) for error in errors),
        tuple(SCENE_BOUND * size * min(size, 1.0) for size in sizes),
        "largest error of a crystal's velocity over the largest speed",
        parts={
            f"scene {i}": tuple(float(error[i]) for error in errors) for i in range(scenes.count)
        },
    )


def _velocities(motion: xr.Dataset) -> tuple[Array, Array]:
    """Both components (sample, crystal)."""
    x, z = (motion[name].values for name in ("crystal_velocity_x", "crystal_velocity_z"))
    return x, z
