"""The datasets that crystalsim exchanges: the one table of variables, and `validate`.

All are netCDF datasets in SI units with z upward and ascending. ``crystal`` is padded with NaN up
to the largest count in the file. Solutions name their walls in the attribute ``walls`` unless these
are free-slip (`crystalsim.datasets.solutions.walls`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike, NDArray

from ..errors import SchemaError
from ..scene.grid import Grid

__all__ = ["GIVEN_FIELDS", "VARIABLES", "Variable", "attributes", "validate"]


class Variable(NamedTuple):
    """One row of the schema.

    Attributes
    ----------
    dims
        Dimension names, in order.
    units
        The only accepted value of the attribute ``units``.
    long_name
        Name in words, for axes and legends.
    kinds
        Kinds of dataset that must have it.
    sign
        ``"positive"``, ``"nonnegative"``, ``"positive or infinite"`` or ``""``.
    """

    dims: tuple[str, ...]
    units: str
    long_name: str
    kinds: tuple[str, ...] = ()
    sign: str = ""


KINDS = ("cases", "solutions", "scores")
_BOTH = ("cases", "solutions")
_CRYSTAL = ("sample", "crystal")

VARIABLES: dict[str, Variable] = {
    "crystal_x": Variable(_CRYSTAL, "m", "horizontal position of the crystal's centre", _BOTH),
    "crystal_z": Variable(_CRYSTAL, "m", "vertical position of the crystal's centre", _BOTH),
    "crystal_radius": Variable(_CRYSTAL, "m", "radius of the crystal", _BOTH, "positive"),
    "crystal_density": Variable(_CRYSTAL, "kg m-3", "density of the crystal", _BOTH, "positive"),
    "crystal_viscosity": Variable(
        _CRYSTAL, "Pa s", "viscosity of the crystal", _BOTH, "positive or infinite"
    ),
    "crystal_count": Variable(("sample",), "1", "number of crystals", _BOTH, "nonnegative"),
    "matrix_density": Variable(("sample",), "kg m-3", "density of the magma", _BOTH, "positive"),
    "matrix_viscosity": Variable(("sample",), "Pa s", "viscosity of the magma", _BOTH, "positive"),
    "gravity": Variable(
        ("sample",), "m s-2", "acceleration of gravity, downward", _BOTH, "nonnegative"
    ),
    "viscosity": Variable(
        ("sample", "z", "x"),
        "Pa s",
        "viscosity, given instead of the crystals'",
        (),
        "positive or infinite",
    ),
    "viscosity_corner": Variable(
        ("sample", "z_face", "x_face"),
        "Pa s",
        "viscosity around corners, where not the mean",
        (),
        "positive or infinite",
    ),
    "density": Variable(
        ("sample", "z", "x"), "kg m-3", "density, given instead of the crystals'", (), "positive"
    ),
    "density_face": Variable(
        ("sample", "z_face", "x"),
        "kg m-3",
        "density around horizontal faces, where not the mean",
        (),
        "positive",
    ),
    "crystal_fraction": Variable(
        ("sample", "z", "x"), "1", "area fraction of crystals", ("solutions",), "nonnegative"
    ),
    "phase": Variable(
        ("sample", "z", "x"),
        "1",
        "crystal that fills most of the cell from 1, 0 for magma",
        ("solutions",),
        "nonnegative",
    ),
    "velocity_x": Variable(
        ("sample", "z", "x_face"), "m s-1", "horizontal velocity", ("solutions",)
    ),
    "velocity_z": Variable(
        ("sample", "z_face", "x"), "m s-1", "vertical velocity, upward", ("solutions",)
    ),
    "pressure": Variable(("sample", "z", "x"), "Pa", "dynamic pressure of zero mean"),
    "stream_function": Variable(
        ("sample", "z_face", "x_face"),
        "m2 s-1",
        "stream function (velocity_x = d/dz, velocity_z = -d/dx)",
    ),
    "viscosity_node": Variable(
        ("sample", "z_face", "x_face"), "Pa s", "viscosity on corners that the solver used"
    ),
    "density_node": Variable(
        ("sample", "z_face", "x_face"), "kg m-3", "density on corners that the solver used"
    ),
    "converged": Variable(("sample",), "1", "whether the solver met its tolerance", ("solutions",)),
    "resolved": Variable(
        ("sample",), "1", "whether crystals and gaps are large enough for the cells"
    ),
    "extra_stress_xx": Variable(
        ("sample", "z", "x"), "Pa", "extra stress of the crystals, xx and minus zz"
    ),
    "extra_stress_xz": Variable(
        ("sample", "z_face", "x_face"), "Pa", "extra shear stress of the crystals"
    ),
    "error_estimate": Variable(
        ("sample",), "1", "solver's estimate of the relative error of the flow", (), "nonnegative"
    ),
    "residual": Variable(("sample",), "1", "relative residual", (), "nonnegative"),
    "iterations": Variable(("sample",), "1", "iterations of the solver", (), "nonnegative"),
    "wall_time": Variable(("sample",), "s", "time for the sample", (), "nonnegative"),
}
"""All variables that a dataset may hold: dimensions, unit, long name, and what it must be."""


GIVEN_FIELDS = ("viscosity", "viscosity_corner", "density", "density_face")
"""Optional variables of cases: media that no crystals describe; see `scene.scenes`."""

INPUTS = (*(n for n, variable in VARIABLES.items() if "cases" in variable.kinds), *GIVEN_FIELDS)
"""Everything that decides the flow; solvers hand it on."""


def attributes(name: str) -> dict[str, Any]:
    """Return the attributes of a variable of the schema: ``units``, ``long_name`` and flags."""
    variable = VARIABLES[name]
    made: dict[str, Any] = {"units": variable.units, "long_name": variable.long_name}
    if name in ("converged", "resolved"):  # netCDF has no truth values: files hold bytes
        made |= flags((f"not_{name}", name), np.int8)
    return made


def flags(meanings: Sequence[str], kind: DTypeLike) -> dict[str, Any]:
    """Attributes that tell what the values 0, 1 ... of a variable mean (CF 1.11, section 3.5).

    Parameters
    ----------
    meanings
        A word for each value.
    kind
        Type of the variable in a file.
    """
    values = np.arange(len(meanings), dtype=kind)
    return {"flag_values": values, "flag_meanings": " ".join(meanings)}


def crystal_numbers(width: int) -> tuple[str, NDArray[np.int32], dict[str, str]]:
    """Coordinate `crystal`: numbers from 0, as messages and figures count.

    Parameters
    ----------
    width
        Largest number of crystals in a sample.
    """
    numbers = np.arange(width, dtype=np.int32)
    return "crystal", numbers, {"long_name": "number of the crystal in its sample"}


def sample_numbers(dataset: xr.Dataset) -> list[int]:
    """Numbers of the samples: the coordinate `sample`, or positions where there is none."""
    if "sample" not in dataset.coords:
        return list(range(dataset.sizes["sample"]))
    return list(dataset["sample"].values.tolist())


def has_media(dataset: xr.Dataset) -> bool:
    """Whether a dataset holds viscosity or density on the grid, in place of the crystals'."""
    return any(name in dataset.variables for name in GIVEN_FIELDS)


def kind_of(dataset: xr.Dataset) -> str:
    """Kind that a dataset seems to be of, by what it holds."""
    if "velocity_x" in dataset.variables:
        return "solutions"
    return "cases" if "crystal_x" in dataset.variables or has_media(dataset) else "scores"


def validate(dataset: xr.Dataset, kind: str) -> xr.Dataset:
    """Check a dataset against the schema of its kind.

    Not to be confused with ``crystalsim validate``, ``verify`` and ``check``; ``docs/checking.md``
    tells them apart.

    Parameters
    ----------
    dataset
        Any dataset.
    kind
        ``"cases"``, ``"solutions"`` or ``"scores"``.

    Returns
    -------
    xarray.Dataset
        The same object.

    Raises
    ------
    SchemaError
        With all violations at once, each naming the variable, what it holds and what was expected.
    """
    if kind not in KINDS:
        raise SchemaError(f"unknown kind of dataset '{kind}'; known: {', '.join(KINDS)}")
    if kind == "scores":
        violations = _score_violations(dataset)
    else:
        violations = _structure_violations(dataset, kind)
        if not violations:
            violations = _crystal_violations(dataset)
    if violations:
        shown = violations[:8]
        if len(violations) > len(shown):
            shown.append(f"and {len(violations) - len(shown)} more")
        raise SchemaError(f"not a valid dataset of kind '{kind}': " + "; ".join(shown))
    return dataset


def _structure_violations(dataset: xr.Dataset, kind: str) -> list[str]:
    violations = []
    try:
        Grid.from_dataset(dataset)
    except SchemaError as error:
        violations.append(str(error))
    for name, variable in VARIABLES.items():
        if name not in dataset.variables:
            if kind in variable.kinds:
                violations.append(
                    f"variable '{name}' [{variable.units}] on ({', '.join(variable.dims)}) "
                    "is missing"
                )
            continue
        array = dataset[name]
        if array.dims != variable.dims:
            violations.append(
                f"variable '{name}' is on ({', '.join(map(str, array.dims))}); "
                f"expected ({', '.join(variable.dims)})"
            )
            continue
        units = array.attrs.get("units", "1" if variable.units == "1" else None)
        if units != variable.units:
            violations.append(f"variable '{name}' has units {units!r}; expected '{variable.units}'")
        if array.dtype.kind not in "biuf":
            violations.append(f"variable '{name}' is of type {array.dtype}; expected numbers")
    return violations


def _crystal_violations(dataset: xr.Dataset) -> list[str]:
    """Find impossible crystals: padding, signs, outside the walls, overlaps."""
    counts, most = dataset["crystal_count"].values, dataset.sizes["crystal"]
    if counts.size and counts.max() > most:
        return [f"crystal_count is up to {counts.max()} but there are {most} crystals at most"]
    return _value_violations(dataset) or _place_violations(dataset)


def _value_violations(dataset: xr.Dataset) -> list[str]:
    """Find values that are missing, not finite or of the wrong sign, and values in the padding."""
    violations = []
    numbers = sample_numbers(dataset)
    present = np.arange(dataset.sizes["crystal"]) < dataset["crystal_count"].values[:, None]
    for name in INPUTS:
        if name not in dataset.variables:
            continue
        variable, values = VARIABLES[name], dataset[name].values
        padded = variable.dims == _CRYSTAL
        rigid = variable.sign.endswith("infinite")
        bad = (np.isnan(values) if rigid else ~np.isfinite(values)) & (present if padded else True)
        if variable.sign.startswith("positive"):
            bad |= values <= 0
        elif variable.sign == "nonnegative":
            bad |= values < 0
        for where in np.argwhere(bad)[:3]:
            crystal = f" crystal {where[1]}" if padded else ""
            violations.append(
                f"sample {numbers[where[0]]}{crystal}: {name} = {values[tuple(where)]:g} "
                f"{variable.units}; expected a {variable.sign or 'finite'} number"
            )
        if padded and np.isfinite(values[~present]).any():
            violations.append(f"{name} has values beyond crystal_count; expected NaN there")
    return violations


def _place_violations(dataset: xr.Dataset) -> list[str]:
    """Find crystals that reach outside the walls or overlap."""
    violations = []
    numbers, grid = sample_numbers(dataset), Grid.from_dataset(dataset)
    x, z, radius = (dataset[f"crystal_{name}"].values for name in ("x", "z", "radius"))
    # A crystal may touch a wall up to rounding.
    slack = 1e-9 * max(grid.width, grid.height)
    outside = (x - radius < grid.x_min - slack) | (x + radius > grid.x_max + slack)
    outside |= (z - radius < grid.z_min - slack) | (z + radius > grid.z_max + slack)
    for i, k in np.argwhere(outside)[:3]:
        violations.append(
            f"sample {numbers[i]} crystal {k} at ({x[i, k]:g}, {z[i, k]:g}) m with radius "
            f"{radius[i, k]:g} m reaches outside the domain [{grid.x_min:g}, {grid.x_max:g}] x "
            f"[{grid.z_min:g}, {grid.z_max:g}] m"
        )
    for i, first, second, gap in overlaps(x, z, radius, slack)[:3]:
        violations.append(
            f"sample {numbers[i]}: crystals {first} and {second} overlap by {-gap:g} m"
        )
    return violations


def overlaps(
    x: NDArray[np.float64],
    z: NDArray[np.float64],
    radius: NDArray[np.float64],
    slack: float = 0.0,
) -> list[tuple[int, int, int, float]]:
    """Find overlapping pairs.

    Parameters
    ----------
    x, z, radius
        (sample, crystal) [m], NaN-padded.
    slack
        Overlap to let pass [m].

    Returns
    -------
    list of (sample, first, second, gap)
        With the negative gap between the surfaces [m].
    """
    pairs = []
    for i in range(x.shape[0]):
        gap = np.hypot(x[i, :, None] - x[i], z[i, :, None] - z[i])
        gap -= radius[i, :, None] + radius[i]
        first, second = np.nonzero(np.triu(gap < -slack, k=1))
        pairs += [(i, int(a), int(b), float(gap[a, b])) for a, b in zip(first, second, strict=True)]
    return pairs


def _score_violations(dataset: xr.Dataset) -> list[str]:
    violations = []
    for name, array in dataset.data_vars.items():
        known = array.dims[:1] == ("sample",) and len(array.dims) < 3
        if not known or any(d != "crystal" and d not in dataset.coords for d in array.dims[1:]):
            violations.append(
                f"score '{name}' is on {array.dims}; expected (sample[, crystal]), or a second "
                "dimension with a coordinate"
            )
        for attribute in ("long_name", "units", "description", "better"):
            if not array.attrs.get(attribute):
                violations.append(f"score '{name}' has no attribute '{attribute}'")
    return violations
