"""Errors of models on several kinds of samples, and their table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import xarray as xr

from ..metrics import Metric
from .declarations import with_role
from .summaries import summarise
from .tables import aligned

STATISTICS = ("mean", "p95", "worst")


class Entry(NamedTuple):
    """Errors of one model on one test.

    Attributes
    ----------
    label
        Name of the model.
    test
        Name of the test.
    errors
        Mean, 95th percentile and worst of each primary score [SI].
    metrics
        Declarations of these scores.
    """

    label: str
    test: str
    errors: dict[str, tuple[float, float, float]]
    metrics: dict[str, Metric]


def make_entry(label: str, test: str, scores: Iterable[xr.Dataset]) -> Entry:
    """Summarise the primary scores of a model on a test."""
    metrics, errors = {}, {}
    for name, metric, dataset in with_role("primary", scores):
        values = summarise(dataset[[name]]).get(name)
        if values:
            mean, tail, worst = (values[key] for key in STATISTICS)
            metrics[name], errors[name] = metric, (mean, tail, worst)
    return Entry(label, test, errors, metrics)


def shown_metrics(entries: Sequence[Entry]) -> Mapping[str, Metric]:
    """Declarations of all scores of a study, by name."""
    return {name: metric for entry in entries for name, metric in entry.metrics.items()}


def labels_and_tests(entries: Sequence[Entry]) -> tuple[list[str], list[str]]:
    """Names of the models and of the tests, each once."""
    labels = list(dict.fromkeys(entry.label for entry in entries))
    return labels, list(dict.fromkeys(entry.test for entry in entries))


def table_cells(entries: Sequence[Entry], metric: str, tails: bool = False) -> list[list[str]]:
    """Mean errors in the unit that is shown, a row for each model and a column for each test.

    With `tails`, the 95th percentile and the worst follow in brackets.
    """
    labels, tests = labels_and_tests(entries)
    shown = shown_metrics(entries)[metric]
    errors = {(e.label, e.test): e.errors[metric] for e in entries if metric in e.errors}

    def text(place: tuple[str, str]) -> str:
        if place not in errors:
            return "-"
        mean, tail, worst = (shown.text(value, ".3g") for value in errors[place])
        return f"{mean} ({tail}, {worst})" if tails else mean

    return [["model", *tests], *([label, *(text((label, t)) for t in tests)] for label in labels)]


def table_text(entries: Sequence[Entry], metric: str) -> str:
    """Aligned table of `table_cells`, below what it shows."""
    return f"{shown_metrics(entries)[metric].label}\n\n{aligned(table_cells(entries, metric))}"
