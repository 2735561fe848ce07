"""The table of results: one row a model."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import xarray as xr

from ..storage.files import write_text
from .scores import summarise


class Column(NamedTuple):
    """A column: heading, unit factor and format of a value in `Row.values`."""

    heading: str
    key: str
    factor: float
    form: str


class Row(NamedTuple):
    """Values of one model, by ``metric.statistic`` or name."""

    name: str
    values: dict[str, float]


COLUMNS = (
    Column("rel. L2 %", "relative_l2.mean", 100, ".3g"),
    Column("p95", "relative_l2.p95", 100, ".3g"),
    Column("worst", "relative_l2.worst", 100, ".3g"),
    Column("R2", "r2.mean", 1, ".7f"),
    Column("MSE vz/Vs2", "mse_stokes.mean", 1, ".1e"),
    Column("crystal vel. %", "crystal_velocity_error_scaled.mean", 100, ".3g"),
    Column("p95", "crystal_velocity_error_scaled.p95", 100, ".3g"),
    Column("worst", "crystal_velocity_error_scaled.worst", 100, ".3g"),
    Column("ms a sample", "prediction_time", 1000, ".1f"),
    Column("solver ms", "solver_time_same_error.mean", 1000, ".1f"),
    Column("train s", "training_time", 1, ".0f"),
    Column("pays after", "solves_to_pay", 1, ".2g"),
)


def row(
    name: str,
    prediction: xr.Dataset,
    scores: Mapping[str, xr.Dataset],
    history: xr.Dataset | None,
) -> Row:
    """Row of a model from its prediction, its scores and, if it was trained, its history.

    `solves_to_pay` is the number of samples after which training has cost less time than it saved
    against the solver at the same error; missing where nothing is saved.
    """
    values = {
        f"{metric}.{statistic}": value
        for dataset in scores.values()
        for metric, statistics in summarise(dataset).items()
        for statistic, value in statistics.items()
    }
    if "wall_time" in prediction:
        values["prediction_time"] = float(prediction["wall_time"].mean())
    if history is not None and history.sizes.get("epoch"):
        spent = float(history.attrs.get("training_time", float("nan")))
        values["training_time"] = spent
        same = values.get("solver_time_same_error.mean", float("nan"))
        saved = same - values.get("prediction_time", float("nan"))
        if saved > 0:
            values["solves_to_pay"] = spent / saved
    return Row(name, values)


def reference_row(solver: str, reference: xr.Dataset) -> Row:
    """What the solver itself costs that made the reference."""
    values = {}
    if "wall_time" in reference:
        values["prediction_time"] = float(reference["wall_time"].mean())
    return Row(f"{solver} (reference)", values)


def prototype_row() -> Row:
    """The headline of the Julia prototype that crystalsim replaces.

    One crystal, 256 x 256, labels by LaMEM; quoted, not measured here.
    """
    return Row("prototype (quoted)", {"r2.mean": 0.944, "mse_stokes.mean": 1.5e-3})


def table_text(
    rows: Sequence[Row], columns: Sequence[Column] = COLUMNS, heading: str = "model"
) -> str:
    """Aligned columns; those without any value are left out."""
    columns = [c for c in columns if any(c.key in r.values for r in rows)]
    cells = [[heading, *(c.heading for c in columns)]]
    for r in rows:
        shown = [
            format(c.factor * r.values[c.key], c.form) if c.key in r.values else "-"
            for c in columns
        ]
        cells.append([r.name, *shown])
    lines = aligned(cells)
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def save_table(rows: Sequence[Row], path: Path, heading: str = "model") -> None:
    """Write all values of all rows as CSV."""
    keys = list(dict.fromkeys(key for r in rows for key in r.values))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([heading, *keys])
    writer.writerows([r.name, *(r.values.get(key, "") for key in keys)] for r in rows)
    write_text(path, buffer.getvalue())
