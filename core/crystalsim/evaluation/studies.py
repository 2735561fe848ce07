"""Errors of models on several kinds of samples, and their table."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .tables import aligned

METRICS = ("relative_l2", "crystal_velocity_error_scaled")


class Entry(NamedTuple):
    """Errors of one model on one test: mean, 95th percentile and worst of each of `METRICS`."""

    label: str
    test: str
    errors: dict[str, tuple[float, float, float]]


def table_text(entries: list[Entry], metric: str) -> str:
    """Mean errors in percent, a row for each model and a column for each test."""
    tests = list(dict.fromkeys(entry.test for entry in entries))
    labels = list(dict.fromkeys(entry.label for entry in entries))
    values = {(e.label, e.test): e.errors[metric][0] for e in entries if metric in e.errors}
    rows = [["", *tests]]
    for label in labels:
        cells = (values.get((label, test), np.nan) for test in tests)
        rows.append([label, *(f"{100 * value:.3g}" for value in cells)])
    return "\n".join(aligned(rows))
