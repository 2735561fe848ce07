"""Compare solutions of the same cases, also from grids of different resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..datasets.schema import INPUTS, VARIABLES, sample_numbers
from ..datasets.solutions import make_solutions
from ..errors import CrystalsimError, SchemaError
from ..metrics import Unit
from ..scene.grid import Grid
from .scores import Scoring
from .tables import Row, TableColumn, columns, row

__all__ = ["Comparison", "compare"]

_CELLS = tuple(
    TableColumn(f"cells {axis}", f"cells_{axis}", Unit("", 1.0), ".0f", f"cells in {axis}")
    for axis in ("x", "z")
)
_TIME = TableColumn("s a sample", "prediction_time", Unit("s", 1.0), ".3g", "time, mean")


class Comparison(NamedTuple):
    """Result of a comparison.

    Attributes
    ----------
    rows
        One for each contestant.
    columns
        Columns of the table of these rows.
    scores
        Scores of each contestant by evaluator.
    grid
        Grid on which all were compared.
    notes
        What a reader of the table must know.
    """

    rows: list[Row]
    columns: list[TableColumn]
    scores: dict[str, dict[str, xr.Dataset]]
    grid: Grid
    notes: list[str]


def compare(
    reference: xr.Dataset,
    contestants: Mapping[str, xr.Dataset],
    evaluators: Mapping[str, Mapping[str, Any]],
) -> Comparison:
    """Score solutions against a reference, all on the coarsest of their grids.

    Samples that did not converge somewhere are left out for all.

    Parameters
    ----------
    reference, contestants
        Datasets of kind ``"solutions"`` with the same samples; contestants by name.
    evaluators
        Options by the name of the evaluator.

    Raises
    ------
    SchemaError
        If the samples differ, or a grid is no refinement of the coarsest.
    CrystalsimError
        If no sample converged everywhere.
    """
    everything = {"reference": reference, **contestants}
    grid = common_grid(everything)
    notes = []
    finer = [
        f"{name} from {d.sizes['x']} x {d.sizes['z']}"
        for name, d in everything.items()
        if Grid.from_dataset(d) != grid
    ]
    if finer:
        notes.append(
            f"compared on {grid.nx} x {grid.nz} cells, as exact averages over their faces: "
            + ", ".join(finer)
        )
    counts = {name: d.sizes["sample"] for name, d in everything.items()}
    if len(set(counts.values())) > 1:
        raise SchemaError(
            "cannot compare different numbers of samples: "
            + ", ".join(f"{name} has {count}" for name, count in counts.items())
        )
    good = np.all([d["converged"].values.astype(bool) for d in everything.values()], axis=0)
    if not good.any():
        raise CrystalsimError("cannot compare: no sample converged in all solutions")
    if not good.all():
        lost = ", ".join(map(str, sample_numbers(reference.isel(sample=~good))[:10]))
        notes.append(f"left out for all, since not converged somewhere: samples {lost}")
    chosen = {name: coarsen(d.isel(sample=good), grid) for name, d in everything.items()}
    scoring = Scoring(chosen["reference"], evaluators)
    scores, rows = {}, []
    for name, dataset in contestants.items():
        scores[name] = scoring.score_all(chosen[name])
        result = row(name, dataset.isel(sample=good), scores[name], None)
        result.values.update(cells_x=dataset.sizes["x"], cells_z=dataset.sizes["z"])
        rows.append(result)
    shown = columns(dataset for each in scores.values() for dataset in each.values())
    return Comparison(rows, [*_CELLS, *shown, _TIME], scores, grid, notes)


def common_grid(datasets: Mapping[str, xr.Dataset]) -> Grid:
    """Coarsest grid of some datasets.

    Raises
    ------
    SchemaError
        If the faces of the coarsest are not faces of all others.
    """
    grids = {name: Grid.from_dataset(dataset) for name, dataset in datasets.items()}
    coarsest = min(grids.values(), key=lambda grid: grid.nx * grid.nz)
    for name, grid in grids.items():
        walls = [
            abs(getattr(grid, side) - getattr(coarsest, side)) / coarsest.width
            for side in ("x_min", "x_max", "z_min", "z_max")
        ]
        if max(walls) > 1e-6 or grid.nx % coarsest.nx or grid.nz % coarsest.nz:
            raise SchemaError(
                f"cannot compare: '{name}' is on {grid}, which does not refine {coarsest}"
            )
    return coarsest


def coarsen(solutions: xr.Dataset, grid: Grid) -> xr.Dataset:
    """Average solutions exactly onto a coarser grid.

    The velocity on a face becomes the mean over the faces that make it up, so that fluxes are kept
    and the flow stays divergence-free; pressure becomes the mean over cells.

    Parameters
    ----------
    solutions
        Dataset of kind ``"solutions"``.
    grid
        Coarser grid, whose faces are all faces of the dataset's grid.
    """
    fine = Grid.from_dataset(solutions)
    if (fine.nx, fine.nz) == (grid.nx, grid.nz):
        # Walls may differ by rounding.
        return solutions.assign_coords(grid.coordinates())
    kept = [n for n in INPUTS if n in solutions.variables and "x" not in VARIABLES[n].dims]
    kept = [n for n in kept if "x_face" not in VARIABLES[n].dims]
    cases = solutions[kept].drop_vars(("x", "z", "x_face", "z_face"), errors="ignore")
    cases = cases.assign_coords(grid.coordinates())
    steps = fine.nz // grid.nz, fine.nx // grid.nx
    fields: dict[str, Any] = {
        name: _reduce(solutions[name], steps)
        for name in ("velocity_x", "velocity_z", "pressure", "stream_function")
        if name in solutions
    }
    fields["converged"] = solutions["converged"].values
    return make_solutions(cases, fields, attributes=solutions.attrs)


def _reduce(field: xr.DataArray, steps: Sequence[int]) -> NDArray[np.float64]:
    """Means along centres, every n-th value along faces."""
    values = field.values.astype(np.float64)
    for axis, (dim, step) in enumerate(zip(field.dims[1:], steps, strict=True), start=1):
        if str(dim).endswith("_face"):
            values = np.take(values, range(0, values.shape[axis], step), axis=axis)
        else:
            shape = (*values.shape[:axis], -1, step, *values.shape[axis + 1 :])
            values = values.reshape(shape).mean(axis=axis + 1)
    return values
