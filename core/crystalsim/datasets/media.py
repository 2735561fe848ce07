"""Media on the grid, in place of crystals: make cases of nothing but fields."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ..errors import SchemaError
from ..scene.grid import Grid
from ..scene.options import SceneOptions
from . import schema
from .cases import make_cases


def complete_cases(fields: xr.Dataset) -> xr.Dataset:
    """Make cases of a dataset that holds nothing but media on the grid.

    What is not there is filled in: no crystals, standard gravity, and as magma the medium that is
    most common (the median), to which the pressure refers; faces halfway between cell centres.

    Parameters
    ----------
    fields
        `viscosity`, `density` or both on (z, x) or (sample, z, x), with `x` and `z` [m], and what
        else of cases there is. Fields without units are in SI units.

    Raises
    ------
    SchemaError
        If cell centres are missing or not evenly spaced.
    """
    grid = _grid_of_centres(fields)
    options: dict[str, Any] = {}
    media = {}
    for name in (n for n in schema.GIVEN_FIELDS if n in fields.variables):
        media[name] = fields[name].transpose(..., *schema.VARIABLES[name].dims[1:]).values
    for name in ("viscosity", "density"):
        if name in media and f"matrix_{name}" not in fields.variables:
            finite = media[name][np.isfinite(media[name])]
            if finite.size and np.median(finite) > 0:
                options[f"matrix_{name}"] = float(np.median(finite))
    cases = make_cases(None, grid, SceneOptions(**options), attributes=fields.attrs, **media)
    said = [n for n in schema.INPUTS if n in fields.variables and n not in schema.GIVEN_FIELDS]
    return cases.assign({name: fields[name] for name in said})


def _grid_of_centres(fields: xr.Dataset) -> Grid:
    if "x_face" in fields.coords and "z_face" in fields.coords:
        return Grid.from_dataset(fields)
    faces = {}
    for axis in ("x", "z"):
        if axis not in fields.coords:
            raise SchemaError(f"coordinate '{axis}' is missing: it holds the cell centres [m]")
        centres = np.asarray(fields[axis].values, dtype=float)
        if centres.size < 2:
            raise SchemaError(f"coordinate '{axis}': expected 2 cells or more")
        half = 0.5 * (centres[-1] - centres[0]) / (centres.size - 1)
        faces[f"{axis}_face"] = np.concatenate([centres - half, centres[-1:] + half])
    return Grid.from_dataset(xr.Dataset(coords={n: (n, v) for n, v in faces.items()}))
