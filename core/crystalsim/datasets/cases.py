"""Cases: make the dataset that says where the crystals are, and read it crystal by crystal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ..errors import SchemaError
from ..scene.case import CRYSTAL_FIELDS, Case
from ..scene.grid import Grid
from ..scene.options import SceneOptions
from . import schema
from .crystals import read_crystal

__all__ = ["cases_only", "each_alone", "iterate_cases", "make_cases"]


def make_cases(
    crystals: Sequence[Sequence[Mapping[str, Any]]] | None = None,
    grid: Grid | None = None,
    options: SceneOptions | None = None,
    *,
    viscosity: ArrayLike | None = None,
    viscosity_corner: ArrayLike | None = None,
    density: ArrayLike | None = None,
    density_face: ArrayLike | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Make a cases dataset from lists of crystals, from media on the grid, or from both.

    Parameters
    ----------
    crystals
        For each sample a list of mappings; `read_crystal` says what they hold. None for none.
    grid
        The grid to solve on.
    options
        Magma and gravity; the standard values by default.
    viscosity, density
        Media on cells (z, x) or (sample, z, x), in place of the crystals' [Pa s], [kg m-3].
    viscosity_corner, density_face
        The same around corners (z_face, x_face) and around horizontal faces (z_face, x), where
        they are not means of the cells; see `crystalsim.datasets.scenes.scenes`.
    attributes
        Attributes of the dataset.

    Raises
    ------
    SchemaError
        If crystals overlap, reach outside or have impossible properties, or a field has the wrong
        shape or values; the message names the sample, the crystal, the value and what was expected.

    Examples
    --------
    >>> one = dict(x=0, z=0, radius=100, density_contrast=200, viscosity="rigid")
    >>> make_cases([[one]], Grid(64, 64)).sizes["crystal"]
    1
    >>> layers = np.linspace(3000, 2600, 32)[:, None] * np.ones(32)
    >>> make_cases(grid=Grid(32, 32), density=layers).density.dims
    ('sample', 'z', 'x')
    """
    options = options or SceneOptions()
    if not isinstance(grid, Grid):
        raise SchemaError(f"make_cases: grid = {grid!r}; expected a crystalsim.Grid")
    media = {
        "viscosity": viscosity,
        "viscosity_corner": viscosity_corner,
        "density": density,
        "density_face": density_face,
    }
    fields = {name: np.asarray(v, dtype=float) for name, v in media.items() if v is not None}
    if crystals is None:
        crystals = [[]] * max([1, *(len(field) for field in fields.values() if field.ndim == 3)])
    read = [_read_sample(i, sample, options) for i, sample in enumerate(crystals)]
    samples = len(read)
    data: dict[str, NDArray[Any]] = {
        f"crystal_{name}": _padded(read, name) for name in CRYSTAL_FIELDS
    }
    data["crystal_count"] = np.array([len(sample) for sample in read], dtype=np.int32)
    for name in ("matrix_density", "matrix_viscosity", "gravity"):
        data[name] = np.full(samples, float(getattr(options, name)))
    coordinates: dict[str, Any] = {
        "sample": ("sample", np.arange(samples), {"long_name": "number of the sample"}),
        "crystal": schema.crystal_numbers(data["crystal_x"].shape[1]),
        **grid.coordinates(),
    }
    sizes = {"sample": samples, **{n: c[1].size for n, c in coordinates.items()}}
    for name, field in fields.items():
        shape = tuple(sizes[dimension] for dimension in schema.VARIABLES[name].dims)
        if field.shape not in (shape, shape[1:]):
            raise SchemaError(
                f"make_cases: {name} has the shape {field.shape}; expected {shape[1:]} or {shape}"
            )
        data[name] = np.broadcast_to(field, shape)
    dataset = xr.Dataset(
        {n: (schema.VARIABLES[n].dims, array, schema.attributes(n)) for n, array in data.items()},
        coords=coordinates,
        attrs={"Conventions": "CF-1.11", "title": "Crystals in magma", **(attributes or {})},
    )
    return schema.validate(dataset, "cases")


def _read_sample(
    i: int, sample: Sequence[Mapping[str, Any]], options: SceneOptions
) -> list[dict[str, float]]:
    if isinstance(sample, Mapping):
        raise SchemaError(
            f"crystals[{i}] is one crystal; expected a list of crystals for each sample: "
            "make_cases([crystals], grid) makes one sample"
        )
    return [read_crystal(c, options, f"crystals[{i}][{k}]") for k, c in enumerate(sample)]


def _padded(samples: Sequence[Sequence[Mapping[str, float]]], name: str) -> NDArray[np.float64]:
    """Values of one property (sample, crystal), NaN beyond the crystals of a sample."""
    values = np.full((len(samples), max([1, *map(len, samples)])), np.nan)
    for i, sample in enumerate(samples):
        values[i, : len(sample)] = [crystal[name] for crystal in sample]
    return values


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
        Dataset of kind ``"cases"``, with a sample for each crystal.
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
