"""Measured velocities, such as particle-image velocimetry, and how far a flow is from them.

Flows are interpolated to the measured points, never the other way: gaps, noise and resolution of a
measurement are its own.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from ..errors import SchemaError, StoreError
from ..metrics import PERCENT, Column, Metric
from ..scene.grid import Grid
from .scores import make_scores

__all__ = ["interpolate", "read_measurement", "score_measurement"]

Array = NDArray[np.float64]

YEAR = 365.25 * 24 * 3600.0
UNITS: Mapping[str, Mapping[str, float]] = {
    "length": {"m": 1.0, "km": 1e3, "cm": 1e-2, "mm": 1e-3, "um": 1e-6},
    "velocity": {
        "m s-1": 1.0,
        "m/s": 1.0,
        "cm/s": 1e-2,
        "mm/s": 1e-3,
        "um/s": 1e-6,
        "cm/yr": 1e-2 / YEAR,
        "mm/yr": 1e-3 / YEAR,
    },
}
"""SI units of one of each unit that a measurement may have."""

NAMES = {
    "x": ("x",),
    "z": ("z", "y"),
    "velocity_x": ("velocity_x", "vx", "u"),
    "velocity_z": ("velocity_z", "vz", "vy", "w", "v"),
    "uncertainty": ("uncertainty", "sigma"),
}
"""Names that are understood, in the order in which they are looked for."""

METRICS = {
    "misfit": Metric(
        "misfit of the velocity",
        "1",
        "||v - v_m|| / ||v_m|| over the measured points",
        "low",
        PERCENT,
        Column("misfit", statistics=("mean", "worst")),
        role="primary",
    ),
    "misfit_best_scale": Metric(
        "misfit of the velocity after scaling",
        "1",
        "the same with v times the factor that fits best: what is left if a density or viscosity "
        "is not known",
        "low",
        PERCENT,
    ),
    "best_scale": Metric("factor that fits best", "1", "<v, v_m> / <v, v>", "none"),
    "rms_error": Metric(
        "rms error of the velocity", "m s-1", "root of the mean of |v - v_m|**2", "low"
    ),
    "reduced_chi_square": Metric(
        "reduced chi-square",
        "1",
        "mean of ((v - v_m) / uncertainty)**2 over both components; 1 where the flow is right "
        "within the uncertainty; missing where none is given",
        "low",
    ),
    "points_used": Metric(
        "share of points used",
        "1",
        "points inside the domain with a value over all points",
        "none",
        PERCENT,
    ),
}


def read_measurement(path: Path) -> xr.Dataset:
    """Read measured velocities from CSV or netCDF.

    CSV has a header with names and, in brackets, units (``x [mm],z [mm],vx [mm/s],vz [mm/s]``);
    SI units are assumed where none is given. NetCDF has the same names, with attributes ``units``;
    velocities may be on a grid of ``x`` and ``z``. NaN marks gaps.

    Returns
    -------
    xarray.Dataset
        `x`, `z` [m], `velocity_x`, `velocity_z` [m s-1] and, if given, `uncertainty` [m s-1] on
        (point).

    Raises
    ------
    StoreError
        If the file cannot be read.
    SchemaError
        If a name is missing or a unit is not known.
    """
    if not path.is_file():
        raise StoreError(f"{path}: no such file; expected measured velocities")
    raw = _read_csv(path) if path.suffix == ".csv" else _read_netcdf(path)
    variables: dict[str, tuple[str, Array, dict[str, str]]] = {}
    for name, known in NAMES.items():
        column = next((key for key in known if key in raw), None)
        if column is None:
            if name == "uncertainty":
                continue
            raise SchemaError(f"{path}: no '{name}'; expected one of {', '.join(known)}")
        kind, unit = ("length", "m") if name in ("x", "z") else ("velocity", "m s-1")
        values, measured_in = raw[column]
        if (measured_in or unit) not in UNITS[kind]:
            raise SchemaError(
                f"{path}: '{column}' in '{measured_in}'; expected one of {', '.join(UNITS[kind])}"
            )
        variables[name] = ("point", values * UNITS[kind][measured_in or unit], {"units": unit})
    return xr.Dataset(variables)


def is_measurement(path: Path) -> bool:
    """Whether a file holds measured velocities: CSV, or netCDF without crystals."""
    if path.suffix == ".csv":
        return True
    if not path.is_file():
        return False
    try:
        with xr.open_dataset(path) as dataset:
            return "crystal_count" not in dataset.variables
    except (OSError, ValueError):
        return False


def score_measurement(measurement: xr.Dataset, solutions: xr.Dataset) -> xr.Dataset:
    """Score each sample of some flows against a measurement.

    Parameters
    ----------
    measurement
        See `read_measurement`.
    solutions
        Dataset of kind ``"solutions"``.

    Returns
    -------
    xarray.Dataset
        Dataset of kind ``"scores"``, see `METRICS`.

    Raises
    ------
    SchemaError
        If no point with a value is inside the domain.
    """
    grid = Grid.from_dataset(solutions)
    x, z = (measurement[name].values for name in ("x", "z"))
    measured = np.stack([measurement[name].values for name in ("velocity_x", "velocity_z")])
    inside = (grid.x_min <= x) & (x <= grid.x_max) & (grid.z_min <= z) & (z <= grid.z_max)
    used = inside & np.isfinite(measured).all(axis=0)
    if not used.any():
        raise SchemaError(
            f"measurement: none of {x.size} points has a value inside {grid}; are units and origin "
            "those of the flow?"
        )
    measured = measured[:, used]
    values: dict[str, list[float]] = {name: [] for name in METRICS}
    for i in range(solutions.sizes["sample"]):
        velocity = interpolate(solutions.isel(sample=i), grid, x[used], z[used])
        scale = float((velocity * measured).sum() / max((velocity**2).sum(), 1e-300))
        size = np.linalg.norm(measured)
        values["misfit"].append(float(np.linalg.norm(velocity - measured) / size))
        values["misfit_best_scale"].append(
            float(np.linalg.norm(scale * velocity - measured) / size)
        )
        values["best_scale"].append(scale)
        error = ((velocity - measured) ** 2).sum(axis=0)
        values["rms_error"].append(float(np.sqrt(error.mean())))
        chi = np.nan
        if "uncertainty" in measurement:
            chi = float((0.5 * error / measurement["uncertainty"].values[used] ** 2).mean())
        values["reduced_chi_square"].append(chi)
        values["points_used"].append(float(used.mean()))
    arrays = {name: np.array(each) for name, each in values.items()}
    return make_scores(solutions, arrays, METRICS)


def interpolate(solution: xr.Dataset, grid: Grid, x: Array, z: Array) -> Array:
    """Velocity at points (component, point), bilinear between faces, free slip along walls."""
    velocity_x = np.pad(solution["velocity_x"].values, ((1, 1), (0, 0)), mode="edge")
    velocity_z = np.pad(solution["velocity_z"].values, ((0, 0), (1, 1)), mode="edge")
    beyond_z = np.concatenate([[grid.z_min], grid.z, [grid.z_max]])
    beyond_x = np.concatenate([[grid.x_min], grid.x, [grid.x_max]])
    points = np.stack([z, x], axis=1)
    return np.stack(
        [
            RegularGridInterpolator((beyond_z, grid.x_face), velocity_x)(points),
            RegularGridInterpolator((grid.z_face, beyond_x), velocity_z)(points),
        ]
    )


def _read_csv(path: Path) -> dict[str, tuple[Array, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
        header, body = rows[0], [row for row in rows[1:] if row]
        table = np.array([[float(cell or "nan") for cell in row] for row in body], dtype=float)
        columns = table.reshape(len(body), len(header)).T
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, IndexError) as error:
        raise StoreError(f"{path}: not a table of numbers with a header: {error}") from None
    quantities = {}
    for title, values in zip(header, columns, strict=True):
        match = re.fullmatch(r"\s*([^\[\]]+?)\s*(?:\[\s*(.*?)\s*\])?\s*", title)
        if match:
            quantities[match[1].lower()] = (values, match[2] or "")
    return quantities


def _read_netcdf(path: Path) -> dict[str, tuple[Array, str]]:
    try:
        with xr.open_dataset(path) as dataset:
            names = [n for known in NAMES.values() for n in known if n in dataset.variables]
            flat = xr.broadcast(*(dataset[name] for name in names))
            return {
                name: (
                    np.asarray(array.values, dtype=np.float64).ravel(),
                    str(dataset[name].attrs.get("units", "")),
                )
                for name, array in zip(names, flat, strict=True)
            }
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise StoreError(f"{path}: not a netCDF file of velocities: {reason}") from None
