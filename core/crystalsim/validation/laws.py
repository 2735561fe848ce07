"""Laws that the discrete flow obeys on any grid.

All use one scene: a crystal that sinks and one that rises, ten times as viscous as the magma, in a
domain that is wider than high so that x and z cannot be confused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ..contracts import Solver
from ..datasets.cases import make_cases
from ..datasets.scenes import scenes
from ..scene.grid import Grid
from ..scene.options import SceneOptions
from ..stokes import diagnostics, operators
from .result import Array, Result, ratio, relative, solved, velocities

MATRIX_DENSITY, MATRIX_VISCOSITY, GRAVITY = 2700.0, 1e20, 9.81
SINKING = {"x": -500.0, "z": 130.0, "radius": 150.0, "density": 2900.0, "viscosity": 1e21}
RISING = {"x": 500.0, "z": -200.0, "radius": 100.0, "density": 2400.0, "viscosity": 1e21}

BETWEEN = 25.0
"""Half way between the right end of the sinking crystal and the left end of the rising one [m]."""

STOPPING = 1.5e-3
"""What iterations that stop at a tolerance may leave: their error in the flow, relative.

A tolerance near the error of a good grid leaves up to 0.12 % of a flow in sums of three; what a
wrong equation does is several times larger.
"""

ROUNDING = 1e-6
"""What fields in single precision may leave."""

ENERGY_BOUND = 1e-2
"""Some ten times what stopping may leave."""


def mirror_symmetry(solver: Solver, cells: int) -> Result:
    """Crystals mirrored in x have the mirrored flow."""
    mirrored = [{**crystal, "x": -crystal["x"]} for crystal in (SINKING, RISING)]
    solutions = _solve(solver, cells, [SINKING, RISING], mirrored)
    vx, vz = velocities(solutions, 0)
    other_x, other_z = velocities(solutions, 1)
    error = relative((vx + other_x[:, ::-1], vz - other_z[:, ::-1]), (vx, vz))
    return _result("mirror symmetry", cells, error, STOPPING, "relative L2 of the velocity")


def superposition(solver: Solver, cells: int) -> Result:
    """The flow is the sum of those that each density anomaly drives in the same viscosity."""
    only_sinking = [SINKING, {**RISING, "density": MATRIX_DENSITY}]
    only_rising = [{**SINKING, "density": MATRIX_DENSITY}, RISING]
    solutions = _solve(solver, cells, [SINKING, RISING], only_sinking, only_rising)
    both, first, second = (velocities(solutions, i) for i in range(3))
    gap = (both[0] - first[0] - second[0], both[1] - first[1] - second[1])
    error = relative(gap, both)
    return _result("superposition", cells, error, STOPPING, "relative L2 of the velocity")


def force_balance(solver: Solver, cells: int) -> Result:
    """Walls, and the magma between the crystals, carry the weight of the crystals.

    On the face between the cells ``j - 1`` and ``j`` of column ``i``, all counted from 0, the
    discrete vertical momentum equation is

        (s[j, i] - s[j-1, i]) / hz + (t[j, i+1] - t[j, i]) / hx = g drho[j, i],

    with the normal stress ``s = 2 eta dv_z/dz - p`` of cells and the shear stress ``t = eta
    (dv_x/dz + dv_z/dx)`` of corners, zero on free-slip walls. Summed over the interior faces
    ``0 < j < nz`` of the columns ``i < m``, times ``hx hz``, all inner terms cancel:

        hx sum_(i<m) (s[nz-1, i] - s[0, i]) + hz sum_(0<j<nz) t[j, m] = g sum_(i<m) drho hx hz.

    With ``m = nx`` the shear is that of the right wall, zero, and the weight that of all crystals.
    The viscous part of ``s`` drops out too (the sum of ``dv_z/dz`` along a wall is that of
    ``-dv_x/dx``, zero), so that the walls' balance is one of pressures. With ``m`` between the
    crystals pressure, normal and shear stress all count, which also tests the size of the velocity.
    Crystals stay a cell away from walls and cut: the viscosity there is the magma's however the
    solver averages it, no weight is shared out across, and it is ``pi R**2 drho g``. Hence the
    balance is exact for staggered grids up to what the iterations leave.
    """
    solutions = _solve(solver, cells, [SINKING, RISING])
    if "pressure" not in solutions:
        return Result("force balance", (cells,), skipped="the solutions have no pressure")
    grid = Grid.from_dataset(solutions)
    weights = [
        GRAVITY * np.pi * crystal["radius"] ** 2 * (crystal["density"] - MATRIX_DENSITY)
        for crystal in (SINKING, RISING)
    ]
    gaps = (
        carried(solutions, cut_column(grid)) - weights[0],
        carried(solutions, grid.nx) - sum(weights),
    )
    error = np.abs(gaps).max() / np.abs(weights).sum()
    return _result("force balance", cells, error, STOPPING, "over the sum of the weights")


def cut_column(grid: Grid) -> int:
    """Column of corners nearest to the middle between the crystals."""
    return int(np.argmin(np.abs(grid.x_face - BETWEEN)))


def carried(solutions: xr.Dataset, columns: int) -> float:
    """Left side of the balance in `force_balance` for the first `columns` columns [N m-1]."""
    grid = Grid.from_dataset(solutions)
    _, vz = velocities(solutions, 0)
    rate = diagnostics.strain_rate(solutions)["strain_rate_xz"].values[0]
    pressure = solutions["pressure"].values[0].astype(np.float64)
    normal = 2 * MATRIX_VISCOSITY * np.diff(vz, axis=0) / grid.hz - pressure
    shear = 2 * MATRIX_VISCOSITY * rate[1:-1, columns]
    walls = normal[-1, :columns] - normal[0, :columns]
    return float(grid.hx * walls.sum() + grid.hz * shear.sum())


def energy_balance(solver: Solver, cells: int) -> Result:
    """The flow dissipates what gravity does as work.

    ``sum eta (2 e_xx)**2`` over cells plus ``sum eta (2 e_xz)**2`` over corners equals ``-g sum
    drho v_z`` over horizontal faces: the discrete momentum equations times the velocities, summed.
    The viscosity is the mean that the solutions name, see
    `crystalsim.datasets.scenes.average_of`.
    """
    solutions = _solve(solver, cells, [SINKING, RISING])
    (_, scene), *_ = scenes(solutions, Grid.from_dataset(solutions))
    rates = diagnostics.strain_rate(solutions)
    normal, shear = (rates[name].values[0] for name in ("strain_rate_xx", "strain_rate_xz"))
    dissipation = 4 * (
        (scene.viscosity_cell * normal**2).sum() + (scene.viscosity_corner * shear**2).sum()
    )
    work = -GRAVITY * (scene.density_face * velocities(solutions, 0)[1]).sum()
    error = ratio(abs(dissipation - work), abs(work))
    return _result("energy balance", cells, error, ENERGY_BOUND, "over the work of gravity")


def divergence(solver: Solver, cells: int) -> Result:
    """As much flows into each cell as out of it."""
    solutions = _solve(solver, cells, [SINKING, RISING])
    grid = Grid.from_dataset(solutions)
    vx, vz = velocities(solutions, 0)
    largest = np.abs(operators.divergence(vx, vz, grid.hx, grid.hz)).max() * min(grid.hx, grid.hz)
    error = ratio(largest, _largest(vx, vz))
    return _result("divergence", cells, error, ROUNDING, "times the cell size, over the speed")


def impermeability(solver: Solver, cells: int) -> Result:
    """Nothing flows through the walls."""
    vx, vz = velocities(_solve(solver, cells, [SINKING, RISING]), 0)
    error = ratio(_largest(vx[:, [0, -1]], vz[[0, -1]]), _largest(vx, vz))
    return _result("impermeability", cells, error, ROUNDING, "normal velocity over the speed")


def law_cases(cells: int, *crystals: list[dict[str, float]]) -> xr.Dataset:
    """Samples of some crystals in the domain of the laws."""
    grid = Grid(cells, cells, -1000.0, 1000.0, -800.0, 800.0)
    options = SceneOptions(
        matrix_density=MATRIX_DENSITY, matrix_viscosity=MATRIX_VISCOSITY, gravity=GRAVITY
    )
    return make_cases(crystals, grid, options)


def _solve(solver: Solver, cells: int, *crystals: list[dict[str, float]]) -> xr.Dataset:
    return solved(solver, law_cases(cells, *crystals))


def _largest(*fields: Array) -> float:
    """Largest magnitude; not a number if some value is none, unlike Python's `max`."""
    return float(np.max([np.abs(f).max() for f in fields]))


def _result(name: str, cells: int, error: Any, bound: float, measure: str) -> Result:
    return Result(name, (cells,), (float(error),), (bound,), measure)
