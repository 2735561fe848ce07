"""Results as text and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..storage.files import write_text
from .result import Result

_HEADINGS = ("check", "cells", "error %", "bound %", "order", "")
_COLUMNS = (
    "solver",
    "check",
    "part",
    "cells",
    "error",
    "bound",
    "order",
    "passed",
    "measure",
    "remark",
)


def table_text(results: Sequence[Result]) -> str:
    """Aligned columns, a line for each check and grid."""
    lines = [_HEADINGS, *(line for result in results for line in _lines(result))]
    widths = [max(len(line[i]) for line in lines) for i in range(5)]
    made = []
    for name, *numbers, verdict in lines:
        right = (text.rjust(width) for text, width in zip(numbers, widths[1:], strict=True))
        made.append("  ".join([name.ljust(widths[0]), *right, verdict]).rstrip())
    made.insert(1, "-" * (sum(widths) + 2 * len(widths) + len("passed")))
    return "\n".join(made)


def _lines(result: Result) -> Iterator[tuple[str, ...]]:
    if result.failure or result.skipped:
        verdict = f"FAILED: {result.failure}" if result.failure else f"skipped: {result.skipped}"
        yield result.name, "-", "-", "-", "-", verdict
        return
    orders = ("-", *(f"{order:.2f}" for order in result.orders))
    rows = zip(result.cells, result.errors, result.bounds, orders, strict=True)
    for k, (n, error, bound, order) in enumerate(rows):
        verdict = "passed" if error <= bound else "FAILED"
        if result.too_flat and k == len(result.cells) - 1:
            verdict = f"FAILED: expected an order of {result.minimum_order:g} in all"
        name = result.name if k == 0 else ""
        yield name, str(n), f"{100 * error:.2g}", f"{100 * bound:.2g}", order, verdict


def save_table(results: Mapping[str, Sequence[Result]], path: Path) -> None:
    """Write all numbers as CSV: a row for each check, grid and part, errors as fractions.

    The column `passed` is the verdict on the whole check.

    Parameters
    ----------
    results
        By the name of the solver, or of what else sets them apart.
    path
        Of the file.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for label, found in results.items():
        writer.writerows([label, *row] for result in found for row in _rows(result))
    write_text(path, buffer.getvalue())


def _rows(result: Result) -> Iterator[list[object]]:
    told = [str(result.passed).lower(), result.measure, result.failure or result.skipped]
    if not result.errors:
        yield [result.name, "", "", "", "", "", *told]
    orders = ("", *result.orders)
    for k, (n, error, bound) in enumerate(
        zip(result.cells, result.errors, result.bounds, strict=True)
    ):
        yield [result.name, "", n, error, bound, orders[k], *told]
        for part, errors in result.parts.items():
            yield [result.name, part, n, errors[k], bound, "", *told]
