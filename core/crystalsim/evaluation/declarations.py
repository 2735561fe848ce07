"""What scores say of themselves, and what the installed evaluators declare."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ..contracts import DrawsFigures
from ..errors import CrystalsimError, OptionError, PluginError, SchemaError
from ..metrics import Metric, Role, ScoreFigure
from ..registry import registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = "figures"
"""Attribute of scores that holds what figures there are of them, as JSON."""


def declared(scores: xr.Dataset) -> dict[str, Metric]:
    """Declaration of each score of a dataset, from its attributes.

    Raises
    ------
    SchemaError
        If an attribute is missing or wrong.
    """
    metrics = {}
    for name, array in scores.data_vars.items():
        try:
            metrics[str(name)] = Metric.from_attributes(array.attrs)
        except SchemaError as error:
            raise SchemaError(f"score '{name}': {error}; evaluate again") from None
    return metrics


def declared_figures(scores: xr.Dataset) -> list[ScoreFigure]:
    """Figures that a dataset of scores says there are of it.

    Raises
    ------
    SchemaError
        If the attribute is damaged.
    """
    try:
        return [ScoreFigure(**table) for table in json.loads(scores.attrs.get(FIGURES, "[]"))]
    except (TypeError, ValueError) as error:
        raise SchemaError(f"scores: attribute '{FIGURES}' is damaged: {error}") from None


def with_role(role: Role, scores: Iterable[xr.Dataset]) -> list[tuple[str, Metric, xr.Dataset]]:
    """Scores of a role in some datasets: name, declaration and dataset, in their order."""
    return [
        (name, metric, dataset)
        for dataset in scores
        for name, metric in declared(dataset).items()
        if metric.role == role
    ]


def primary_errors(scores: Iterable[xr.Dataset]) -> xr.DataArray | None:
    """First primary score on (sample): what samples are ranked by; None where there is none."""
    for name, _, dataset in with_role("primary", scores):
        if dataset[name].dims == ("sample",):
            return dataset[name]
    return None


def metrics_of(evaluator: str) -> Mapping[str, Metric]:
    """Metrics that an installed evaluator declares, by name."""
    metrics: Mapping[str, Metric] = registry().load("evaluator", evaluator).metrics
    return metrics


def primary_evaluators(names: Sequence[str]) -> tuple[str, ...]:
    """Those evaluators that declare a primary metric: they say how large errors are."""
    return tuple(n for n in names if any(m.role == "primary" for m in metrics_of(n).values()))


def find_metric(name: str, evaluators: Sequence[str]) -> tuple[str, str, Metric]:
    """Evaluator, name and declaration of a metric; of the first primary one where `name` is empty.

    Raises
    ------
    OptionError
        If none of the evaluators has it, or it is no score.
    """
    known = {e: metrics_of(e) for e in evaluators}
    for evaluator, metrics in known.items():
        for key, metric in metrics.items():
            if key == name or (not name and metric.role == "primary"):
                if metric.better == "none":
                    raise OptionError(f"metric = '{name}': '{metric.long_name}' is no score")
                return evaluator, key, metric
    scores = [k for metrics in known.values() for k, m in metrics.items() if m.better != "none"]
    what = f"metric = '{name}': no evaluator of the run gives it" if name else "no primary metric"
    raise OptionError(f"{what} (known: {', '.join(scores)})")


def drawing(figure: ScoreFigure) -> Callable[[Mapping[str, xr.Dataset], str], Figure]:
    """Function that draws a figure.

    Files say which figures there are, but nothing that a file names is imported: the target has to
    be that of an evaluator which is installed.

    Raises
    ------
    PluginError
        If no installed evaluator offers the figure, or its function cannot be imported.
    """
    for entry in registry().entries("evaluator"):
        try:
            evaluator = registry().load("evaluator", entry.qualified_name)
        except CrystalsimError:  # a broken plugin is told of elsewhere
            continue
        if isinstance(evaluator, DrawsFigures) and figure.target in [
            offered.target for offered in evaluator.figures
        ]:
            try:
                draw: Callable[..., Figure] = pkgutil.resolve_name(figure.target)
            except (ImportError, AttributeError, ValueError) as error:
                raise PluginError(f"figure '{figure.name}': {error}") from error
            return draw
    raise PluginError(f"figure '{figure.name}': no installed evaluator offers '{figure.target}'")


def draw_figure(figure: ScoreFigure, scores: Mapping[str, xr.Dataset]) -> Figure:
    """Draw a figure of the contestants that have a finite value of its score.

    Raises
    ------
    SchemaError
        If there is none of them, or the scores are not those that the figure needs.
    PluginError
        See `drawing`.
    """
    able = {
        name: dataset
        for name, dataset in scores.items()
        if figure.metric in dataset and np.isfinite(dataset[figure.metric].values).any()
    }
    if not able:
        raise SchemaError(f"expected a finite value of '{figure.metric}'")
    return drawing(figure)(able, figure.metric)
