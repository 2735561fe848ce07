"""Runs and studies as one page of HTML that needs nothing else: tables, figures, configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from .._version import __version__
from ..config.study import Study
from ..datasets.schema import sample_numbers
from ..evaluation.declarations import declared, with_role
from ..evaluation.studies import Entry, shown_metrics
from ..evaluation.studies import table_cells as study_cells
from ..evaluation.tables import COSTS, columns, read_table, score_cells, table_cells
from ..metrics import Metric
from ..options import to_toml
from ..storage import netcdf
from ..storage.run_folder import RunFolder
from .figures import Scores, captions
from .html import Block, page, picture

_WORST = 10


def make_report(run: Path) -> str:
    """Page of a finished run.

    Parameters
    ----------
    run
        Folder of the run.

    Returns
    -------
    str
        HTML with everything inside: no file, font or script is loaded from anywhere.

    Raises
    ------
    StoreError
        If the folder holds no finished run.
    """
    place = RunFolder(run)
    place.require_complete()
    heading = place.summary.read_text(encoding="utf-8").splitlines()[0]
    scores = _scores(place)
    config = place.config.read_text(encoding="utf-8")
    pictures = [picture(*each) for each in captions(scores, place.figures.glob("*.png"))]
    blocks = [
        *_results(place.table, scores),
        _worst(scores),
        Block("Figures", pictures=pictures),
        *_all_scores(scores),
        Block("Configuration", plain=config, folded=True),
        Block("Provenance", plain=_provenance(place), folded=True),
    ]
    return page(f"crystalsim: {run.resolve().name}", heading, blocks)


def make_study_report(study: Study, entries: Sequence[Entry], figures: Sequence[Path]) -> str:
    """Page of a study.

    Parameters
    ----------
    study
        What was done.
    entries
        Errors of each model on each test, by `crystalsim.workflows.study.run_study`.
    figures
        PNG files.

    Returns
    -------
    str
        HTML with everything inside.
    """
    metrics = shown_metrics(entries)
    blocks = [Block("", "Mean (95th percentile, worst) over samples or crystals.")]
    for name, metric in metrics.items():
        cells = study_cells(entries, name, tails=True)
        blocks.append(Block(_sentence(metric), metric.description, cells))
    blocks.append(Block("", pictures=[picture(path, study.title) for path in figures]))
    for name, config in study.variants.items():
        text = to_toml(config.as_dict())
        blocks.append(Block(f"Configuration {name}".strip(), plain=text, folded=True))
    text = to_toml({name: sampler.table for name, sampler in study.tests.items()})
    blocks.append(Block("Tests", plain=text, folded=True))
    heading = f"{study.test_samples} samples a test, none seen in training"
    return page(f"crystalsim: {study.title}", heading, blocks)


def _sentence(metric: Metric) -> str:
    return metric.label[:1].upper() + metric.label[1:]


def _scores(run: RunFolder) -> Scores:
    """Scores by model and evaluator, in the order of the configuration: the trained one first."""
    config = run.read_config()
    scores: dict[str, dict[str, xr.Dataset]] = {}
    for model in dict.fromkeys([config["model"]["plugin"], *config["baselines"]]):
        for evaluator in config["evaluators"]:
            path = run.scores(evaluator, model)
            if path.is_file():
                scores.setdefault(model, {})[evaluator] = netcdf.read_file(path)
    return scores


def _results(path: Path, scores: Scores) -> list[Block]:
    """Table that the run printed, and what its columns say."""
    rows = read_table(path)
    shown = [*columns(d for each in scores.values() for d in each.values()), *COSTS]
    used = [column for column in shown if any(column.key in row.values for row in rows)]
    explained, heading = [], ""
    for column in used:
        first = column.heading not in column.key.split(".")
        heading = column.heading if first else heading
        explained.append((heading if first else f"{heading}, {column.heading}", column.explanation))
    return [
        Block("Results", cells=table_cells(rows, used, "model")),
        Block("What the columns say", text="In their order:", explained=explained, folded=True),
    ]


def _worst(scores: Scores) -> Block:
    """Samples with the largest primary error of the trained model, with what is in them."""
    trained = next(iter(scores.values()), {})
    for name, metric, dataset in with_role("primary", trained.values()):
        if dataset[name].dims != ("sample",):
            continue
        errors = dataset[name].values
        order = np.argsort(-np.where(np.isfinite(errors), errors, -np.inf))[:_WORST]
        rows = [
            [
                str(int(sample_numbers(dataset)[i])),
                metric.text(errors[i]),
                str(int(dataset["crystal_count"].values[i])),
            ]
            for i in order
        ]
        return Block("Worst samples", cells=[["sample", metric.label, "crystals"], *rows])
    return Block("Worst samples")


def _all_scores(scores: Scores) -> list[Block]:
    """Each score of each evaluator with its definition, and what is beside the scores."""
    by_evaluator: dict[str, dict[str, xr.Dataset]] = {}
    for model, datasets in scores.items():
        for evaluator, dataset in datasets.items():
            by_evaluator.setdefault(evaluator, {})[model] = dataset
    blocks = []
    for evaluator, each in by_evaluator.items():
        judged, context = score_cells("score", each)
        metrics = declared(next(iter(each.values())))
        for title, cells in (
            (f"All scores: {evaluator}", judged),
            (f"Inputs and context: {evaluator}", context),
        ):
            named = dict.fromkeys(row[0] for row in cells[1:])
            explained = [(n, f"{metrics[n].long_name}: {metrics[n].description}") for n in named]
            blocks.append(Block(title, cells=cells, explained=explained, folded=True))
    return blocks


def _provenance(run: RunFolder) -> str:
    lines = [f"report made by crystalsim {__version__}"]
    for path in run.predictions():
        lines.append(f"\n{path.relative_to(run.path)}")
        attributes = netcdf.read_samples(path, 0, 0).attrs
        lines += [f"  {name}: {value}" for name, value in attributes.items()]
    return "\n".join(lines)
