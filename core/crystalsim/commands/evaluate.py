"""``crystalsim evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config import DEFAULTS
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
    from ..config import split_plugin

    given = tables(config_file, assignments).get("evaluator", {})
    names = evaluators or tuple(DEFAULTS["evaluators"])
    options = {
        name: split_plugin("evaluator", {**given.get(name, {}), "plugin": name})[1]
        for name in names
    }
    from .. import store
    from ..measurements import is_measurement, read_measurement, score_measurement
    from ..scores import summarise

    found = store.open(prediction, "solutions")
    if is_measurement(reference):
        results = {"measurement": score_measurement(read_measurement(reference), found)}
    else:
        results = _scores(store.open(reference, "solutions"), found, options, output)
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
        if output and not (path := _path(output, name)).is_file():
            store.save(scores, path)
    if output:
        click.echo(f"scores of each sample: {output}")


def _path(folder: Path, evaluator: str) -> Path:
    return folder / f"{evaluator.replace('/', '-')}.nc"


def _scores(
    reference: xr.Dataset,
    prediction: xr.Dataset,
    evaluators: dict[str, dict[str, Any]],
    output: Path | None,
) -> dict[str, xr.Dataset]:
    """Scores by evaluator: those that the folder holds already, and new ones."""
    import json

    from .. import store
    from ..pipeline import score

    both = {"reference": reference, "prediction": prediction}
    inputs = {n: store.fingerprint(d[["velocity_x", "velocity_z"]]) for n, d in both.items()}
    found = {}
    for name, options in evaluators.items():
        manifest = {"kind": "scores", "config": {"evaluator": {name: options}}, **inputs}
        if output and store.is_made(_path(output, name), manifest):
            found[name] = store.open(_path(output, name), "scores")
            continue
        for scores in score(reference, prediction, {name: options}).values():
            found[name] = scores.assign_attrs({store.MADE_FROM: json.dumps(manifest)})
            if output:
                store.save(found[name], _path(output, name))
    return found
