"""A run as one page of HTML that needs nothing else: tables, figures, configuration."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from .._version import __version__
from ..config.study import Study
from ..evaluation.scores import summarise
from ..evaluation.studies import Entry
from ..evaluation.tables import COLUMNS, Column
from ..options import to_toml
from ..storage import netcdf
from ..storage.run_folder import RunFolder
from .html import figure, folded, page, paragraph, preformatted, section, table

CAPTIONS = {
    "gallery": "Best, median and worst test sample: crystals, speed by solver and model, error.",
    "relative_l2_by_count": "Error of the velocity by number of crystals; band: 5th to 95th "
    "percentile.",
    "crystal_velocity_error_by_count": "Error of crystals' velocities by number of crystals.",
    "cost": "Error over time for a sample, beside the solver stopped early.",
    "strata": "Error around crystals, sorted by their properties; bands: 95 % confidence.",
    "spectrum": "Error by wave number.",
    "interaction": "What neighbours change about crystals' velocities.",
    "sample_median": "The median test sample.",
    "sample_worst": "The worst test sample.",
    "history": "Losses over epochs.",
}
"""What figures show, by the name of their file."""

TITLES = {
    "relative_l2": "Relative L2 error of the velocity",
    "crystal_velocity_error_scaled": "Error of crystals' velocities over the largest speed",
}
"""Headings of the tables of studies."""

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
    with place.table.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    scores = _scores(place)
    results = _summaries(scores)
    body = [
        section("Results", _results(header, rows)),
        section("Worst samples", _worst(scores)),
        section("Extrema of the vertical velocity", _alignment(results)),
        *(
            figure(path, CAPTIONS.get(path.stem, path.stem.replace("_", " ")))
            for path in _in_order(place.figures.glob("*.png"))
        ),
        *(folded(f"All scores: {name}", _all_scores(found)) for name, found in results.items()),
        folded("Configuration", preformatted(place.config.read_text(encoding="utf-8"))),
        folded("Provenance", preformatted(_provenance(place))),
    ]
    return page(f"crystalsim: {run.resolve().name}", heading, body)


def make_study_report(study: Study, entries: Sequence[Entry], figures: Sequence[Path]) -> str:
    """Page of a study.

    Parameters
    ----------
    study
        What was done.
    entries
        Of `crystalsim.workflows.study.run_study`.
    figures
        PNG files.

    Returns
    -------
    str
        HTML with everything inside.
    """
    metrics = list(dict.fromkeys(metric for entry in entries for metric in entry.errors))
    tests = list(dict.fromkeys(entry.test for entry in entries))
    labels = list(dict.fromkeys(entry.label for entry in entries))
    found = {(entry.label, entry.test): entry.errors for entry in entries}
    body = [paragraph("Errors in %: mean (95th percentile, worst) over samples or crystals.")]
    for metric in metrics:
        rows = []
        for label in labels:
            cells = [found.get((label, test), {}).get(metric) for test in tests]
            rows.append([label, *("-" if c is None else _three(c) for c in cells)])
        body.append(section(TITLES.get(metric, metric), table(["model", *tests], rows)))
    body += [figure(path, study.title) for path in figures]
    for name, config in study.variants.items():
        text = preformatted(to_toml(config.as_dict()))
        body.append(folded(f"Configuration {name}".strip(), text))
    text = preformatted(to_toml({name: sampler.table for name, sampler in study.tests.items()}))
    body.append(folded("Tests", text))
    heading = f"{study.test_samples} samples a test, none seen in training"
    return page(f"crystalsim: {study.title}", heading, body)


def _three(values: tuple[float, float, float]) -> str:
    mean, tail, worst = (f"{100 * value:.2g}" for value in values)
    return f"{mean} ({tail}, {worst})"


def _scores(run: RunFolder) -> dict[str, dict[str, xr.Dataset]]:
    """Scores by evaluator and model, in the order of the configuration: the trained one first."""
    config = run.read_config()
    models = list(dict.fromkeys([config["model"]["plugin"], *config["baselines"]]))
    found: dict[str, dict[str, xr.Dataset]] = {}
    for evaluator in config["evaluators"]:
        for model in models:
            path = run.scores(evaluator, model)
            if path.is_file():
                found.setdefault(evaluator, {})[model] = netcdf.read_file(path)
    return found


def _summaries(
    scores: Mapping[str, Mapping[str, xr.Dataset]],
) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Summaries by evaluator, model and metric, where there are any."""
    found = {
        evaluator: {model: summarise(dataset) for model, dataset in datasets.items()}
        for evaluator, datasets in scores.items()
    }
    return {evaluator: each for evaluator, each in found.items() if any(each.values())}


def _all_scores(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Mean with its confidence interval, and the worst sample, of each score and model."""
    rows = [
        [
            metric,
            model,
            f"{values['mean']:.4g}",
            f"{values['mean_low']:.4g} to {values['mean_high']:.4g}",
            *(f"{values[key]:.4g}" for key in ("median", "p95", "worst")),
            f"{values['worst_sample']:.0f}",
        ]
        for model, summary in found.items()
        for metric, values in summary.items()
    ]
    header = ["score", "model", "mean", "95 % confidence", "median", "p95", "worst", "in sample"]
    return table(header, sorted(rows, key=lambda row: row[0]))


def _alignment(results: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]) -> str:
    """Distances of extrema from centres, with those in the exact flow beside them."""
    rows: list[list[str]] = []
    for found in results.values():
        for model, summary in found.items():
            pairs = (
                (model, "alignment_distance", "detection_rate"),
                ("exact solution", "alignment_distance_reference", "reference_detection_rate"),
            )
            for label, distance, rate in pairs:
                if distance in summary and rate in summary and label not in [r[0] for r in rows]:
                    rows.append(
                        [
                            label,
                            f"{summary[distance]['mean']:.3g}",
                            f"{summary[distance]['p95']:.3g}",
                            f"{100 * summary[rate]['mean']:.3g}",
                        ]
                    )
    if not rows:
        return ""
    rows.sort(key=lambda row: row[0] != "exact solution")
    header = ["", "distance from the centre [m]", "p95", "crystals detected %"]
    return paragraph(
        "A rigid crystal moves with one velocity, so that the extremum of the vertical "
        "velocity is not at its centre even in the exact solution: judge models by what they "
        "add to its distance."
    ) + table(header, rows)


def _results(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of the table that the run printed, where any row has a value."""
    columns = [
        column
        for column in COLUMNS
        if column.key in header and any(row[header.index(column.key)] for row in rows)
    ]

    def show(row: Sequence[str], column: Column) -> str:
        text = row[header.index(column.key)]
        return f"{column.factor * float(text):{column.form}}" if text else ""

    return table(
        ["model", *(column.heading for column in columns)],
        [[row[0], *(show(row, column) for column in columns)] for row in rows],
    )


def _worst(scores: Mapping[str, Mapping[str, xr.Dataset]]) -> str:
    """Samples with the largest error of the trained model, with what is in them."""
    of_trained = (next(iter(datasets.values())) for datasets in scores.values())
    found = next((dataset for dataset in of_trained if "relative_l2" in dataset), None)
    if found is None:
        return ""
    errors = found["relative_l2"].values
    order = [int(i) for i in np.argsort(-np.nan_to_num(errors, nan=-1.0))[:_WORST]]
    rows = [
        [
            str(int(found["sample"].values[i])),
            f"{100 * errors[i]:.4g}",
            str(int(found["crystal_count"].values[i])),
        ]
        for i in order
    ]
    return table(["sample", "relative L2 of the velocity %", "crystals"], rows)


def _in_order(paths: Iterable[Path]) -> list[Path]:
    """Figures that have a caption first, in the order of the captions."""
    known = list(CAPTIONS)
    return sorted(
        paths, key=lambda p: (known.index(p.stem) if p.stem in known else len(known), p.stem)
    )


def _provenance(run: RunFolder) -> str:
    lines = [f"report made by crystalsim {__version__}"]
    for path in run.predictions():
        lines.append(f"\n{path.relative_to(run.path)}")
        attributes = netcdf.read_samples(path, 0, 0).attrs
        lines += [f"  {name}: {value}" for name, value in attributes.items()]
    return "\n".join(lines)
