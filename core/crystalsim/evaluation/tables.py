"""The table of results: one row a model."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr
from tabulate import tabulate

from ..datasets.schema import sample_numbers
from ..metrics import MILLISECONDS, Metric, Unit
from ..storage.files import write_text
from .declarations import declared, with_role
from .summaries import summarise

STATISTICS = {
    "mean": "mean over samples or crystals",
    "median": "median over samples or crystals",
    "p95": "95th percentile over samples or crystals (the 5th of what is better when it is high)",
    "worst": "worst of all samples or crystals",
}


SCORE_HEADINGS = (
    "unit",
    "mean",
    "95 % interval",
    "median",
    "p95",
    "worst",
    "in sample",
    "reference",
)
"""Columns of the tables of all scores; the last is the mean that the reference itself has."""


class TableColumn(NamedTuple):
    """A column: heading, key in `Row.values`, unit and format of its numbers, and what it shows."""

    heading: str
    key: str
    unit: Unit
    form: str
    explanation: str


class Row(NamedTuple):
    """Values of one model, by ``metric.statistic`` or name."""

    name: str
    values: dict[str, float]


_SECONDS = Unit("s", 1.0)

COSTS = (
    TableColumn(
        "ms a sample", "prediction_time", MILLISECONDS, ".1f", "time of a prediction, mean"
    ),
    TableColumn("train s", "training_time", _SECONDS, ".0f", "time of the training"),
    TableColumn(
        "pays after",
        "solves_to_pay",
        Unit("", 1.0),
        ".2g",
        "samples after which the training has cost less time than it saved",
    ),
)
"""What each run measures itself."""


def columns(scores: Iterable[xr.Dataset]) -> list[TableColumn]:
    """Columns that some datasets of scores ask for, each once."""
    by_key: dict[str, TableColumn] = {}
    for dataset in scores:
        for name, metric in declared(dataset).items():
            for column in _columns(name, metric):
                by_key.setdefault(column.key, column)
    return list(by_key.values())


def _columns(name: str, metric: Metric) -> Iterable[TableColumn]:
    if metric.column is None:
        return
    heading = f"{metric.column.heading} {metric.unit.label}".strip()
    for k, statistic in enumerate(metric.column.statistics):
        unit = f" [{metric.unit.label}]" if metric.unit.label else ""
        text = f"{metric.long_name}{unit}, {STATISTICS[statistic]}: {metric.description}"
        key, shown = f"{name}.{statistic}", statistic if k else heading
        yield TableColumn(shown, key, metric.unit, metric.column.form, text)


def row(
    name: str,
    prediction: xr.Dataset,
    scores: Mapping[str, xr.Dataset],
    history: xr.Dataset | None,
) -> Row:
    """Row of a model from its prediction, its scores and, if it was trained, its history.

    `solves_to_pay` is the number of samples after which training has cost less time than it saved,
    where a score says what the same would have cost without the model (`alternative_time`);
    missing where nothing is saved.
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
        for alternative, _, _ in with_role("alternative_time", scores.values()):
            same = values.get(f"{alternative}.mean", float("nan"))
            saved = same - values.get("prediction_time", float("nan"))
            if saved > 0:
                values["solves_to_pay"] = spent / saved
    return Row(name, values)


def reference_row(solver: str, reference: xr.Dataset) -> Row:
    """Row of the solver that made the reference: what it costs."""
    values = {}
    if "wall_time" in reference:
        values["prediction_time"] = float(reference["wall_time"].mean())
    return Row(f"{solver} (reference)", values)


def quoted_rows(scores: Iterable[xr.Dataset]) -> list[Row]:
    """Rows of means that others published, as the scores quote them; not measured here."""
    means: dict[str, dict[str, float]] = {}
    for dataset in scores:
        for name, metric in declared(dataset).items():
            for label, value in metric.quoted.items():
                means.setdefault(label, {})[f"{name}.mean"] = value
    return [Row(label, values) for label, values in means.items()]


def table_cells(rows: Sequence[Row], shown: Sequence[TableColumn], heading: str) -> list[list[str]]:
    """Headings and formatted numbers of a table; columns without any value are left out."""
    used = [c for c in shown if any(c.key in r.values for r in rows)]
    cells = [[heading, *(c.heading for c in used)]]
    for r in rows:
        numbers = (
            format(r.values[c.key] / c.unit.size, c.form) if c.key in r.values else "-"
            for c in used
        )
        cells.append([r.name, *numbers])
    return cells


def table_text(rows: Sequence[Row], shown: Sequence[TableColumn], heading: str = "model") -> str:
    """Aligned columns; those without any value are left out."""
    return aligned(table_cells(rows, shown, heading))


def aligned(cells: Sequence[Sequence[str]]) -> str:
    """Plain table of cells, the headings first: the first column to the left, others to the right.

    The cells are texts already, whose digits stay as they are.
    """
    aligns = ["left", *["right"] * (len(cells[0]) - 1)]
    text = tabulate(
        cells, tablefmt="plain", disable_numparse=True, colalign=aligns, preserve_whitespace=True
    )
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def sample_rows(scores: Mapping[str, xr.Dataset]) -> list[list[object]]:
    """Scores of each sample, and of each crystal where there are any, in SI units, as a long table.

    Parameters
    ----------
    scores
        Dataset of kind ``"scores"`` of each evaluator.
    """
    rows: list[list[object]] = [["evaluator", "score", "units", "sample", "crystal", "value"]]
    for evaluator, dataset in scores.items():
        numbers = sample_numbers(dataset)
        for name in declared(dataset):
            array = dataset[name]
            if array.dims not in (("sample",), ("sample", "crystal")):
                continue
            units = array.attrs.get("units", "1")
            for position, value in np.ndenumerate(array.values):
                crystal = position[1] if len(position) > 1 else ""
                if np.isfinite(value):
                    number = numbers[position[0]]
                    rows.append([evaluator, name, units, number, crystal, float(value)])
    return rows


def save_table(rows: Sequence[Row], path: Path, heading: str = "model") -> None:
    """Write all values of all rows as CSV, in SI units."""
    keys = list(dict.fromkeys(key for r in rows for key in r.values))
    body = [[r.name, *(r.values.get(key, "") for key in keys)] for r in rows]
    write_text(path, csv_text([[heading, *keys], *body]))


def read_table(path: Path) -> list[Row]:
    """Rows that `save_table` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        (_, *keys), *body = list(csv.reader(file))
    return [
        Row(name, {key: float(text) for key, text in zip(keys, texts, strict=True) if text})
        for name, *texts in body
    ]


def score_cells(
    name: str, scores: Mapping[str, xr.Dataset]
) -> tuple[list[list[str]], list[list[str]]]:
    """Tables of all scores by an evaluator, and of inputs and context, in the units shown.

    Parameters
    ----------
    name
        Heading of the first column.
    scores
        Dataset of kind ``"scores"`` of each contestant; where there are several, their names are
        in the second column.

    Returns
    -------
    judged, context
        Cells, the headings first. The context, what is no score, is that of the first contestant;
        it has no tail and no worst.
    """
    several = ["model"] if len(scores) > 1 else []
    judged = [[name, *several, *SCORE_HEADINGS]]
    context = [[name, *SCORE_HEADINGS[:3]]]
    rows: dict[str, list[list[str]]] = {}
    for k, (contestant, dataset) in enumerate(scores.items()):
        metrics, summary = declared(dataset), summarise(dataset)
        beside = {metric.beside for metric in metrics.values()}
        for key, values in summary.items():
            metric = metrics[key]
            cells = _score_cells(metric, values, summary.get(metric.beside))
            if metric.better != "none" or metric.beside:
                rows.setdefault(key, []).append([key, *([contestant] if several else []), *cells])
            elif key not in beside and k == 0:
                context.append([key, *cells[:3]])
    return [*judged, *(row for each in rows.values() for row in each)], context


def _score_cells(
    metric: Metric, values: Mapping[str, float], reference: Mapping[str, float] | None
) -> list[str]:
    """Cells of one score below `SCORE_HEADINGS`."""
    low, high = (metric.text(values[end]) for end in ("mean_low", "mean_high"))
    return [
        metric.unit.label,
        metric.text(values["mean"]),
        f"{low} .. {high}",
        *(metric.text(values[key]) if key in values else "" for key in ("median", "p95", "worst")),
        f"{values['worst_sample']:.0f}" if "worst_sample" in values else "",
        metric.text(reference["mean"]) if reference else "",
    ]
