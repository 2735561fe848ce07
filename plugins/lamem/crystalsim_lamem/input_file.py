"""LaMEM's input file for a case: which keys it takes depends on its version.

Lengths are in km, times in Myr, viscosities in Pa s and densities in kg m-3 (``units = geo``).
Optional keys that are misspelt are ignored by LaMEM in silence, so that every key here was seen to
work in 2.2.1 or 3.1.0.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from crystalsim import Grid
from crystalsim.errors import OptionError
from crystalsim.scene.case import Case

from .failures import LamemError
from .plugin import LamemOptions

PHASES = 32
"""Largest number of phases, the magma's among them."""

PRIMITIVES = 100
"""Largest number of geometric primitives."""

_SECONDS_PER_MYR = 365.25 * 86400 * 1e6
_DIRECT_PENALTY = {2: 1e4, 3: 1e3}


class Version(NamedTuple):
    """Version of LaMEM, such as 2.2.1."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return ".".join(map(str, self))

    @property
    def cells_y(self) -> int:
        """Fewest cells across the slab: 3.x refuses a single one."""
        return 1 if self.major < 3 else 2


class Phase(NamedTuple):
    """Density [kg m-3] and viscosity [Pa s] of a phase."""

    density: float
    viscosity: float


def phases(case: Case) -> tuple[list[Phase], list[int]]:
    """Materials of a case, the magma first, and the phase of each crystal.

    Crystals of equal properties share a phase.
    """
    materials = [Phase(case.matrix_density, case.matrix_viscosity)]
    of_crystals = []
    for density, viscosity in zip(case.density.tolist(), case.viscosity.tolist(), strict=True):
        phase = Phase(density, viscosity)
        if phase not in materials:
            materials.append(phase)
        of_crystals.append(materials.index(phase))
    return materials, of_crystals


def check_limits(case: Case, name: str) -> None:
    """Refuse what LaMEM cannot take, or would take in silence and get wrong.

    Parameters
    ----------
    case
        Valid by `crystalsim.validate`, so that crystals are inside the domain and their
        properties positive.
    name
        Name of the sample, for the message.

    Raises
    ------
    LamemError
        For infinite viscosity, or too many different properties or crystals.
    """
    for k, viscosity in enumerate(case.viscosity.tolist()):
        if not math.isfinite(viscosity):
            raise LamemError(
                f"{name} crystal {k}: crystal_viscosity = {viscosity:g} Pa s; LaMEM expects a "
                "finite number (1e4 times the magma's is nearly rigid)"
            )
    if case.x.size > PRIMITIVES:
        raise LamemError(f"{name}: {case.x.size} crystals; LaMEM takes {PRIMITIVES} at most")
    kinds = len(phases(case)[0])
    if kinds > PHASES:
        raise LamemError(
            f"{name}: {kinds - 1} different pairs of crystal_density and crystal_viscosity; LaMEM "
            f"takes {PHASES - 1} at most (crystals of equal properties share one)"
        )


def write_input(case: Case, grid: Grid, version: Version, options: LamemOptions) -> str:
    """Text of the input file.

    Parameters
    ----------
    case
        Crystals and magma, within LaMEM's limits.
    grid
        Its cells are LaMEM's.
    version
        Decides the keys of the solver.
    options
        Markers, method, tolerance.
    """
    length = 0.5 * max(grid.width, grid.height)
    contrast = float(np.abs(case.density_contrast).max(initial=1.0))
    # Round units: the limit of the momentum residual is in them.
    stress = 10.0 ** round(math.log10(0.5 * contrast * case.gravity * length))
    step = 1e-6 * case.matrix_viscosity / stress / _SECONDS_PER_MYR
    slab = version.cells_y * grid.hx
    sections = [
        _settings(
            {
                "units": "geo",
                "unit_temperature": 1000,
                "unit_length": length,
                "unit_viscosity": case.matrix_viscosity,
                "unit_stress": stress,
            }
        ),
        # One tiny step: the flow is wanted at the start.
        _settings(
            {
                "time_end": 1e6 * step,
                "dt": step,
                "dt_min": 1e-3 * step,
                "dt_max": 10 * step,
                "inc_dt": 0.1,
                "CFL": 0.5,
                "CFLMAX": 0.8,
                "nstep_max": 1,
                "nstep_out": 1,
                "nstep_rdb": 0,
            }
        ),
        _settings(
            {
                "nel_x": grid.nx,
                "nel_y": version.cells_y,
                "nel_z": grid.nz,
                "coord_x": (grid.x_min / 1e3, grid.x_max / 1e3),
                "coord_y": (-0.5e-3 * slab, 0.5e-3 * slab),
                "coord_z": (grid.z_min / 1e3, grid.z_max / 1e3),
                "noslip": (0, 0, 0, 0, 0, 0),
                "gravity": (0.0, 0.0, -case.gravity),
                "FSSA": 0,
                "init_guess": 0,
                "act_p_shift": 1,
            }
        ),
        _settings(
            {
                "msetup": "geom",
                "nmark_x": options.markers,
                "nmark_y": 2,
                "nmark_z": options.markers,
                "bg_phase": 0,
                "rand_noise": 0,
                "advect": "basic",
                "interp": "stag",
                "mark_ctrl": "none",
            }
        ),
        _geometry(case, slab),
        _settings(
            {
                "out_file_name": "output",
                "out_pvd": 1,
                "out_density": 1,
                "out_visc_total": 1,
                "out_velocity": 1,
                "out_pressure": 1,
            }
        ),
        _linear_solver(grid, version, options),
    ]
    return "\n".join(sections)


def _geometry(case: Case, slab: float) -> str:
    """Crystals as cylinders along y, which spheres would be cut short by the slab, and phases."""
    materials, of_crystals = phases(case)
    text = ""
    crystals = zip(of_crystals, case.x.tolist(), case.z.tolist(), case.radius.tolist(), strict=True)
    for phase, x, z, radius in crystals:
        if phase:
            text += _block(
                "Cylinder",
                {
                    "phase": phase,
                    "radius": radius / 1e3,
                    "base": (x / 1e3, -slab / 1e3, z / 1e3),
                    "cap": (x / 1e3, slab / 1e3, z / 1e3),
                },
            )
    for number, material in enumerate(materials):
        # No eta_min and eta_max: LaMEM would mix them into every viscosity.
        text += _block(
            "Material", {"ID": number, "rho": material.density, "eta": material.viscosity}
        )
    return text


def _linear_solver(grid: Grid, version: Version, options: LamemOptions) -> str:
    """Keys of the linear solver: 3.x ignores those of 2.x in silence, so each gets its own."""
    tolerances = (options.tolerance, 1e-20, options.maximum_iterations)
    penalty = _DIRECT_PENALTY[2 if version.major < 3 else 3]
    if version.major >= 3:
        keys: dict[str, object] = {"set_linear_problem": 1, "monitor_solvers": 1}
        if options.method == "direct":
            keys |= {
                "stokes_solver": "coupled_direct",
                "direct_solver_type": "mumps",
                "penalty": penalty,
            }
        else:
            keys |= {
                "stokes_solver": "coupled_mg",
                "num_mg_levels": multigrid_levels(grid),
                "coarse_solver": "direct",
                "direct_solver_type": "mumps",
            }
        return _block("SolverOptions", {**keys, "linear_tolerances": tolerances})
    petsc = ["-snes_type ksponly", "-js_ksp_monitor"]
    petsc += [
        f"-js_ksp_{name} {_value(value)}"
        for name, value in zip(("rtol", "atol", "max_it"), tolerances, strict=True)
    ]
    if options.method == "direct":
        text = _settings(
            {"SolverType": "direct", "DirectSolver": "mumps", "DirectPenalty": penalty}
        )
        # On one process 2.2.1 ignores DirectSolver and takes PETSc's own, slower LU.
        petsc.append("-jp_pc_factor_mat_solver_type mumps")
    else:
        text = _settings(
            {
                "SolverType": "multigrid",
                "MGLevels": multigrid_levels(grid),
                "MGSweeps": 10,
                "MGSmoother": "chebyshev",
                "MGCoarseSolver": "mumps",
            }
        )
    lines = "".join(f"    {line}\n" for line in petsc)
    return f"{text}<PetscOptionsStart>\n{lines}<PetscOptionsEnd>\n"


def multigrid_levels(grid: Grid) -> int:
    """Number of grids that multigrid can use: halved while even, down to 8 cells.

    Raises
    ------
    OptionError
        If there is but one.
    """
    levels, nx, nz = 1, grid.nx, grid.nz
    while nx % 2 == 0 and nz % 2 == 0 and min(nx, nz) >= 16:
        levels, nx, nz = levels + 1, nx // 2, nz // 2
    if levels == 1:
        raise OptionError(
            f"option solver.method = 'multigrid' on {grid.nx} x {grid.nz} cells: expected even "
            "numbers of 16 or more; 'direct' takes any"
        )
    return levels


def _settings(keys: dict[str, object]) -> str:
    return "".join(f"    {name} = {_value(value)}\n" for name, value in keys.items())


def _block(name: str, keys: dict[str, object]) -> str:
    return f"<{name}Start>\n{_settings(keys)}<{name}End>\n"


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_value, value))
    return repr(float(value)) if isinstance(value, float) else str(value)
