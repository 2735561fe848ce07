"""``crystalsim evaluate``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config.run import DEFAULTS
from ..config.settings import Settings
from .common import (
    complete,
    configured,
    echo_json,
    file_or_folder,
    json_option,
    output_option,
    overwrite_option,
    refuse_ignored,
)

if TYPE_CHECKING:
    import xarray as xr


@click.command(
    "evaluate",
    epilog="\b\nExamples:\n  crystalsim evaluate solutions.nc predictions.nc\n"
    "  crystalsim evaluate solutions.nc predictions.nc --evaluator crystals --output scores\n"
    "  crystalsim evaluate measured.csv predictions.nc    # columns x, z, vx, vz",
)
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("prediction", type=click.Path(path_type=Path))
@click.option(
    "--evaluator",
    "evaluators",
    multiple=True,
    shell_complete=complete("evaluator"),
    help="Evaluator plugin; may be repeated [those of a run].",
)
@configured
@output_option("Folder for the scores of each sample, EVALUATOR.nc; or one .csv.", required=False)
@overwrite_option
@json_option
def command(
    reference: Path,
    prediction: Path,
    evaluators: tuple[str, ...],
    config_file: Path | None,
    assignments: tuple[str, ...],
    output: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Score PREDICTION against REFERENCE (files or folders with the same samples).

    REFERENCE may be a measured velocity field: CSV with the columns x, z, vx, vz (and uncertainty;
    units in brackets, as "x [mm]"), or netCDF with these names. The flow is interpolated to the
    points; gaps are NaN.
    """
    settings = Settings.read(config_file, assignments, "evaluators", "evaluator")
    options = settings.evaluators(evaluators, DEFAULTS["evaluators"])
    if output:
        file_or_folder(output, reference, prediction, file=".csv")
    table = output if output and output.suffix == ".csv" else None
    results = _scores(reference, prediction, options, None if table else output, overwrite)
    if table:
        from ..evaluation.tables import csv_text, sample_rows
        from ..storage.claims import write_same

        write_same(table, csv_text(sample_rows(results)), overwrite=overwrite)
    if as_json:
        echo_json({name: _summary(scores) for name, scores in results.items()})
    else:
        _show(results)
    if output:
        click.echo(f"scores of each sample: {output}", err=as_json)


def _show(results: Mapping[str, xr.Dataset]) -> None:
    """Print tables of scores."""
    from ..evaluation.tables import aligned, score_cells

    for name, scores in results.items():
        judged, context = score_cells(name, {"": scores})
        for cells in (judged, [[f"{name}: inputs and context", *context[0][1:]], *context[1:]]):
            if len(cells) > 1:
                click.echo(aligned(cells) + "\n")
        if len(judged) + len(context) == 2:
            click.echo(f"{name}: no score has a mean over samples; see the file\n")


def _summary(scores: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Units and summary of each score, in SI units."""
    from ..evaluation.summaries import summarise

    summary = summarise(scores).items()
    return {name: {"units": scores[name].attrs.get("units", "1"), **v} for name, v in summary}


def _scores(
    reference: Path,
    prediction: Path,
    options: Mapping[str, dict[str, Any]],
    output: Path | None,
    overwrite: bool,
) -> dict[str, xr.Dataset]:
    """Scores by each evaluator, or of a measurement; kept in `output` if there is one."""
    from ..evaluation.measurements import is_measurement, read_measurement, score_measurement
    from ..evaluation.scores import Scoring
    from ..storage import netcdf
    from ..storage.provenance import fingerprint

    flow = netcdf.open(prediction, "solutions")
    make: dict[str, Callable[[], xr.Dataset | None]]
    if is_measurement(reference):
        reason = "a measured reference is judged by the evaluator `measurement` alone"
        refuse_ignored("evaluators assignments", reason)
        truth = read_measurement(reference)
        options = {"measurement": {}}
        make = {"measurement": functools.partial(score_measurement, truth, flow)}
    else:
        truth = netcdf.open(reference, "solutions")
        scoring = Scoring(truth, options)
        make = {name: functools.partial(scoring.score, name, flow) for name in options}
    marks = {"reference": fingerprint(truth), "prediction": fingerprint(flow)}
    datasets = {
        name: _kept_or_made(output, name, options[name], marks, each, overwrite)
        for name, each in make.items()
    }
    return {name: scores for name, scores in datasets.items() if scores is not None}


def _kept_or_made(
    output: Path | None,
    name: str,
    options: Mapping[str, Any],
    marks: Mapping[str, str],
    make: Callable[[], xr.Dataset | None],
    overwrite: bool,
) -> xr.Dataset | None:
    """Scores of the same options and data that are there already, or new ones, which are kept."""
    from ..storage import netcdf
    from ..storage.claims import is_made
    from ..storage.files import file_name
    from ..storage.provenance import provenance

    path = output / f"{file_name(name)}.nc" if output else None
    config = {"evaluator": {name: dict(options)}}
    if path and is_made(path, config, marks=marks, overwrite=overwrite):
        return netcdf.read_file(path)
    scores = make()
    if scores is None:
        return None
    scores = scores.assign_attrs({**provenance(config), **scores.attrs, **marks})
    if path:
        netcdf.write(scores, path)
    return scores
