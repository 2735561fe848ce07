"""The figures of a run or a comparison: those of the core, and those that evaluators offer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from ..errors import CrystalsimError
from ..evaluation.declarations import declared_figures, draw_figure, primary_errors
from ..metrics import ScoreFigure
from ..plotting import by_error, plot_gallery, plot_history, plot_sample, save_figure
from ..plotting.scores import typical_samples
from ..runtime.log import logger

Scores = Mapping[str, Mapping[str, xr.Dataset]]
"""Scores by contestant and evaluator."""

Drawings = dict[str, Callable[[], Figure]]
"""What draws a figure, by the name of its file."""

_OWN = {
    "gallery": (
        10,
        "Best, median and worst test sample: crystals, speed by solver and model, error.",
    ),
    "sample_median": (80, "The median test sample."),
    "sample_worst": (81, "The worst test sample."),
    "history": (90, "Losses over epochs."),
}
"""Place and caption of the figures of the core."""


def score_figures(scores: Scores) -> list[tuple[ScoreFigure, dict[str, xr.Dataset]]]:
    """Figures that evaluators offer of some scores, with those of each contestant, in order."""
    figures: dict[str, tuple[ScoreFigure, dict[str, xr.Dataset]]] = {}
    for contestant, datasets in scores.items():
        for dataset in datasets.values():
            for figure in declared_figures(dataset):
                figures.setdefault(figure.name, (figure, {}))[1][contestant] = dataset
    return sorted(figures.values(), key=lambda each: each[0].order)


def score_drawings(scores: Scores) -> Drawings:
    """What draws the figures that evaluators offer."""
    return {
        figure.name: functools.partial(draw_figure, figure, datasets)
        for figure, datasets in score_figures(scores)
    }


def sample_drawings(
    test: xr.Dataset, prediction: xr.Dataset, scores: Mapping[str, xr.Dataset], name: str
) -> Drawings:
    """What draws the samples of a model by its primary error: median, worst, and a gallery."""
    order, error = by_error(scores), primary_errors(scores.values())
    if order is None or error is None:
        return {}
    chosen = typical_samples(order)
    drawings: Drawings = {
        f"sample_{rank}": functools.partial(plot_sample, test, prediction, chosen[rank], name=name)
        for rank in ("median", "worst")
    }
    drawings["gallery"] = functools.partial(plot_gallery, test, prediction, error, name=name)
    return drawings


def history_drawings(history: xr.Dataset) -> Drawings:
    """What draws the history of a training, where there was one."""
    if not history.sizes.get("epoch"):
        return {}
    return {"history": functools.partial(plot_history, history)}


def write_drawings(drawings: Drawings, folder: Path) -> list[Path]:
    """Write the figures that are not there yet; one that cannot be drawn is named, others go on."""
    written = []
    for name, draw in drawings.items():
        path = folder / f"{name}.png"
        if not path.is_file():
            try:
                save_figure(draw(), path)
            except CrystalsimError as error:
                logger.info("no figure %s: %s", name, error)
                continue
        written.append(path)
    return written


def captions(scores: Scores, paths: Iterable[Path]) -> list[tuple[Path, str]]:
    """Figures in order with what they show; those that nobody declares are the last."""
    known = dict(_OWN)
    known |= {f.name: (f.order, f.caption) for f, _ in score_figures(scores)}
    entries = [(path, known.get(path.stem, (99, path.stem.replace("_", " ")))) for path in paths]
    entries.sort(key=lambda each: (each[1][0], each[0].stem))
    return [(path, caption) for path, (_, caption) in entries]
