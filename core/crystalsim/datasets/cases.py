"""Cases: make the dataset that says where the crystals are, and read it crystal by crystal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ..scene.case import CRYSTAL_FIELDS, Case
from ..scene.grid import Grid
from ..scene.options import SceneOptions
from . import schema


def make_cases(
    crystals: Sequence[Sequence[Mapping[str, float]]],
    grid: Grid,
    options: SceneOptions | None = None,
    *,
    attributes: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Make a cases dataset from lists of crystals.

    Parameters
    ----------
    crystals
        For each sample a list of mappings with ``x, z, radius, density, viscosity`` in SI units.
    grid
        The grid to solve on.
    options
        Matrix and gravity; the standard values by default.
    attributes
        Attributes of the dataset.

    Raises
    ------
    SchemaError
        If crystals overlap, reach outside or have impossible properties.

    Examples
    --------
    >>> one = dict(x=0, z=0, radius=100, density=2900, viscosity=1e24)
    >>> make_cases([[one]], Grid(64, 64)).sizes["crystal"]
    1
    """
    options = options or SceneOptions()
    samples = len(crystals)
    width = max(1, *map(len, crystals), 1)
    values = {name: np.full((samples, width), np.nan) for name in CRYSTAL_FIELDS}
    for i, sample in enumerate(crystals):
        for j, crystal in enumerate(sample):
            for name in CRYSTAL_FIELDS:
                values[name][i, j] = crystal[name]
    data: dict[str, tuple[tuple[str, ...], ArrayLike]] = {
        f"crystal_{name}": (("sample", "crystal"), array) for name, array in values.items()
    }
    counts = np.array([len(sample) for sample in crystals], dtype=np.int32)
    data["crystal_count"] = (("sample",), counts)
    for name in ("matrix_density", "matrix_viscosity", "gravity"):
        data[name] = (("sample",), np.full(samples, float(getattr(options, name))))
    dataset = xr.Dataset(
        {name: (*array, schema.attributes(name)) for name, array in data.items()},
        coords={
            "sample": ("sample", np.arange(samples), {"long_name": "number of the sample"}),
            **grid.coordinates(),
        },
        attrs={"Conventions": "CF-1.11", **(attributes or {})},
    )
    return schema.validate(dataset, "cases")


def each_alone(case: Case, grid: Grid) -> xr.Dataset:
    """Make cases of the crystals of a sample one by one, each alone in the same matrix and box.

    Parameters
    ----------
    case
        The sample.
    grid
        Its grid.

    Returns
    -------
    xarray.Dataset
        Of kind ``"cases"``, with a sample for each crystal.
    """
    crystals = [
        [{name: float(getattr(case, name)[k]) for name in CRYSTAL_FIELDS}]
        for k in range(case.x.size)
    ]
    matrix = SceneOptions(
        matrix_density=case.matrix_density,
        matrix_viscosity=case.matrix_viscosity,
        gravity=case.gravity,
    )
    return make_cases(crystals, grid, matrix)


def iterate_cases(cases: xr.Dataset) -> Iterator[Case]:
    """Give the samples of a cases (or solutions) dataset one by one."""
    arrays = {name: cases[f"crystal_{name}"].values for name in CRYSTAL_FIELDS}
    counts = cases["crystal_count"].values.astype(int)
    matrix = {n: cases[n].values for n in ("matrix_density", "matrix_viscosity", "gravity")}
    for i, count in enumerate(counts):
        values: dict[str, Any] = {n: float(array[i]) for n, array in matrix.items()}
        for name in CRYSTAL_FIELDS:
            values[name] = np.asarray(arrays[name][i, :count], dtype=np.float64)
        yield Case(**values)


def cases_only(dataset: xr.Dataset) -> xr.Dataset:
    """Drop everything but what decides the flow (`schema.INPUTS`) and the coordinates."""
    names = [name for name in schema.INPUTS if name in dataset.variables]
    return dataset[names].assign_coords(dataset.coords)
