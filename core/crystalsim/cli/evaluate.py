"""``crystalsim evaluate``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config.choice import evaluator_options
from ..config.run import DEFAULTS
from .common import configured, output_option, tables

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
    "--evaluator", "evaluators", multiple=True, help="Evaluator plugin; may be repeated [all]."
)
@configured
@output_option("Folder for the scores of each sample, EVALUATOR.nc.", required=False)
def command(
    reference: Path,
    prediction: Path,
    evaluators: tuple[str, ...],
    config_file: Path | None,
    assignments: tuple[str, ...],
    output: Path | None,
) -> None:
    """Score PREDICTION against REFERENCE (files or folders with the same samples).

    REFERENCE may be a measured velocity field: CSV with the columns x, z, vx, vz (and uncertainty;
    units in brackets, as "x [mm]"), or netCDF with these names. The flow is interpolated to the
    points; gaps are NaN.
    """
    given = tables(config_file, assignments).get("evaluator", {})
    options = evaluator_options(evaluators or DEFAULTS["evaluators"], given)
    from ..evaluation.measurements import is_measurement, read_measurement, score_measurement
    from ..evaluation.scores import score, summarise
    from ..storage import netcdf
    from ..storage.provenance import fingerprint

    found = netcdf.open(prediction, "solutions")
    make: dict[str, Callable[[], xr.Dataset | None]]
    if is_measurement(reference):
        truth = read_measurement(reference)
        options = {"measurement": {}}
        make = {"measurement": lambda: score_measurement(truth, found)}
    else:
        truth = netcdf.open(reference, "solutions")
        make = {
            name: lambda name=name: score(truth, found, {name: options[name]}).get(name)  # type: ignore[misc]
            for name in options
        }
    marks = {"reference": fingerprint(truth), "prediction": fingerprint(found)}
    results = {
        name: scores
        for name, chosen in options.items()
        if (scores := _kept_or_made(output, name, chosen, marks, make[name])) is not None
    }
    for name, scores in results.items():
        heads = ("mean", "95 % interval", "p95", "worst", "in sample")
        widths = (11, 24, 11, 11, 11)
        title = "".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True))
        click.echo(f"{name:38}{title}")
        for metric, values in summarise(scores).items():
            low, high = values["mean_low"], values["mean_high"]
            shown = f"{values['mean']:11.4g}{f'{low:.4g} .. {high:.4g}':>24}"
            shown += f"{values['p95']:11.4g}{values['worst']:11.4g}{values['worst_sample']:11.0f}"
            click.echo(f"  {metric:36}{shown}")
    if output:
        click.echo(f"scores of each sample: {output}")


def _kept_or_made(
    output: Path | None,
    name: str,
    options: Mapping[str, Any],
    marks: Mapping[str, str],
    make: Callable[[], xr.Dataset | None],
) -> xr.Dataset | None:
    """Scores of the same options and data that are there already, or new ones, which are kept."""
    from ..storage import netcdf
    from ..storage.claims import is_made
    from ..storage.files import file_name
    from ..storage.provenance import provenance

    path = output / f"{file_name(name)}.nc" if output else None
    config = {"evaluator": {name: dict(options)}}
    if path and is_made(path, config, marks=marks):
        return netcdf.read_file(path)
    scores = make()
    if scores is None:
        return None
    scores = scores.assign_attrs({**provenance(config), **scores.attrs, **marks})
    if path:
        netcdf.save(scores, path)
    return scores
