"""Accuracy against solutions that do not come from a grid."""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import tomllib
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..contracts import Solver
from ..datasets.cases import iterate_cases, make_cases
from ..datasets.schema import VARIABLES, attributes
from ..scene.grid import Grid
from ..scene.options import SceneOptions
from ..stokes import analytic, operators
from ..stokes.crystal_motion import crystal_motion
from .result import Array, Result, relative, solved, velocities

ISOVISCOUS_BOUND = 12.0
"""Relative error of the velocity over the square of the cell size in widths of the domain."""

INCLUSION_BOUND = 140.0
"""The same for the flow around a disc a thousand times as viscous."""

JUMP_BOUND = 25.0
"""The same for a jump of the viscosity on the faces between cells."""

FINITE_ELEMENT_BOUND = 0.06
"""Relative error of a crystal's velocity where a cell is as large as the smallest radius.

Quadratic in the cell size below that, linear above. The mean `curvature` has a quarter of it from
64 cells on; it is that wide because coarser grids, on which crystals are cells, need it.
"""


def isoviscous_discs(solver: Solver, cells: Sequence[int]) -> Result:
    """Discs as viscous as the magma, against a Fourier series.

    Velocities are compared as fluxes through faces, which the stream function of the series gives
    exactly. The error is their relative L2 norm. Isoviscous flow on the staggered grid has 0.5 to
    0.8 of the bound and converges with second order (1.8 between 8 and 16 cells).
    """
    crystals = [
        {"x": 120, "z": -70, "radius": 150, "density": 2900, "viscosity": 1e20},
        {"x": -300, "z": 370, "radius": 80, "density": 3000, "viscosity": 1e20},
    ]
    errors = []
    for n in cells:
        grid = Grid(n, n)
        cases = make_cases([crystals], grid)
        psi = analytic.isoviscous_discs(next(iterate_cases(cases)), grid)
        exact = operators.velocity(psi, grid.hx, grid.hz)
        errors.append(_relative_error(solver, cases, exact))
    return _second_order("isoviscous discs", cells, errors, ISOVISCOUS_BOUND)


def viscous_inclusion(solver: Solver, cells: Sequence[int]) -> Result:
    """A disc a thousand times as viscous as the magma, in pure shear (SolVi).

    The crystal is the solver's own to paint; the density that drives the flow is given on faces.
    Harmonic means of the viscosity, from exact areas, converge with second order, `arithmetic` and
    `geometric` ones with first. See `crystalsim.stokes.analytic.SolVi`.
    """
    known = analytic.SolVi()
    x, z = known.centre
    disc = {"x": x, "z": z, "radius": known.radius, "density": _DENSITY, "viscosity": 1e3}
    errors = []
    for n in cells:
        grid = Grid(n, n, -1.0, 1.0, -1.0, 1.0)
        cases = _with_fields([disc], grid, density_face=_DENSITY + known.density_face(grid))
        psi = known.stream_function(grid.x_face, grid.z_face[:, None])
        exact = operators.velocity(psi, grid.hx, grid.hz)
        errors.append(_relative_error(solver, cases, exact))
    return _second_order("viscous inclusion", cells, errors, INCLUSION_BOUND)


def viscosity_jump(solver: Solver, cells: Sequence[int]) -> Result:
    """Viscosity that jumps by a factor of 1e4 half way, given on the grid (SolCx).

    Velocities are compared as point values, which differ from fluxes in second order. See
    `crystalsim.stokes.analytic.SolCx`.
    """
    known = analytic.SolCx(contrast=1e4)
    errors = []
    for n in cells:
        grid = Grid(n, n, 0.0, 1.0, 0.0, 1.0)
        fields = known.fields(grid)
        density = _DENSITY + fields.density_face
        cases = _with_fields([], grid, viscosity=fields.viscosity_cell, density_face=density)
        errors.append(_relative_error(solver, cases, (fields.velocity_x, fields.velocity_z)))
    return _second_order("viscosity jump", cells, errors, JUMP_BOUND)


def finite_elements(solver: Solver, cells: Sequence[int]) -> Result:
    """Six cases of 1-3 nearly rigid crystals, against finite elements on body-fitted meshes.

    The error is the largest of a crystal's velocity over the largest speed in its case; the parts
    are the cases. How the solver averages the viscosity where crystal and magma share a control
    volume decides it: `curvature` has 0.9 of the bound at 16 cells and a quarter of it from 64 on,
    harmonic means 0.8 to 1, all others exceed it.
    """
    reference = load_finite_elements()
    parts: dict[str, list[float]] = {name: [] for name in reference["cases"]}
    for n in cells:
        motion = crystal_motion(solved(solver, finite_element_cases(n)))
        for i, (name, case) in enumerate(reference["cases"].items()):
            parts[name].append(_worst_crystal(motion.isel(sample=i), case))
    radius = min(min(case["radius"]) for case in reference["cases"].values())
    low, high = reference["domain"]
    sizes = [(high - low) / n / radius for n in cells]
    return Result(
        "finite elements",
        tuple(cells),
        tuple(np.max(list(parts.values()), axis=0).tolist()),
        tuple(FINITE_ELEMENT_BOUND * size * min(size, 1.0) for size in sizes),
        "largest error of a crystal's velocity over the largest speed",
        parts={name: tuple(errors) for name, errors in parts.items()},
    )


def finite_element_cases(cells: int) -> xr.Dataset:
    """Cases of the finite-element reference, in its order, on a square grid."""
    reference = load_finite_elements()
    low, high = reference["domain"]
    density, viscosity = reference["matrix_density"], reference["crystal_viscosity"]
    crystals = [
        [
            {"x": x, "z": z, "radius": radius, "density": density + drho, "viscosity": viscosity}
            for x, z, radius, drho in zip(
                case["x"], case["z"], case["radius"], case["density_contrast"], strict=True
            )
        ]
        for case in reference["cases"].values()
    ]
    options = SceneOptions(
        matrix_density=density,
        matrix_viscosity=reference["matrix_viscosity"],
        gravity=reference["gravity"],
    )
    return make_cases(crystals, Grid(cells, cells, low, high, low, high), options)


@functools.cache
def load_finite_elements() -> dict[str, Any]:
    """Crystals and their velocities in SI units, and where they come from; not to be changed."""
    file = importlib.resources.files(__package__) / "data" / "finite_elements.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


_DENSITY = 2700.0
"""Of the matrix, where fields are given; flows depend on differences from it alone."""


def _with_fields(crystals: list[dict[str, float]], grid: Grid, **fields: Array) -> xr.Dataset:
    """One sample with media given on the grid; the viscosity of the matrix and gravity are one."""
    options = dataclasses.replace(
        SceneOptions(), matrix_density=_DENSITY, matrix_viscosity=1.0, gravity=1.0
    )
    cases = make_cases([crystals], grid, options)
    return cases.assign(
        {
            name: (VARIABLES[name].dims, values[None], attributes(name))
            for name, values in fields.items()
        }
    )


def _relative_error(solver: Solver, cases: xr.Dataset, exact: tuple[Array, Array]) -> float:
    found = velocities(solved(solver, cases), 0)
    return relative((found[0] - exact[0], found[1] - exact[1]), exact)


def _second_order(name: str, cells: Sequence[int], errors: list[float], bound: float) -> Result:
    return Result(
        name,
        tuple(cells),
        tuple(errors),
        tuple(bound / n**2 for n in cells),
        "relative L2 of the velocity",
        minimum_order=1.7,
    )


def _worst_crystal(motion: xr.Dataset, case: dict[str, Any]) -> float:
    true_x, true_z = np.array(case["velocity_x"]), np.array(case["velocity_z"])
    found_x, found_z = (
        motion[name].values[: true_x.size] for name in ("crystal_velocity_x", "crystal_velocity_z")
    )
    error = np.hypot(found_x - true_x, found_z - true_z)
    return float(error.max() / np.hypot(true_x, true_z).max())
