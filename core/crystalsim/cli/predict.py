"""``crystalsim predict``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from ..config.run import DEFAULTS
from .common import compress_option, output_option


@click.command(
    "predict",
    epilog="\b\nExamples:\n"
    "  crystalsim predict cases.nc --output predictions.nc    # weights that come along\n"
    "  crystalsim predict cases.nc --model checkpoint --output predictions.nc\n"
    "  crystalsim predict cases.nc --model isoviscous --output baseline.nc\n"
    "  crystalsim predict cases.nc --model checkpoint --refine 1e-3 --output refined.nc",
)
@click.argument("cases", type=click.Path(path_type=Path))
@click.option(
    "--model",
    default=DEFAULTS["model"]["plugin"],
    show_default=True,
    help="Folder of a trained model or run, or a model that needs no training.",
)
@click.option(
    "--refine",
    type=click.FloatRange(min=0, min_open=True),
    help="Polish with a solver: by so many iterations, or if below 1 to this tolerance.",
)
@click.option(
    "--solver",
    default=DEFAULTS["solver"]["plugin"],
    show_default=True,
    help="Solver that refines.",
)
@output_option("File (.nc), or folder of shards for many samples.")
@compress_option
def command(
    cases: Path, model: str, refine: float | None, solver: str, output: Path, compress: bool
) -> None:
    """Predict the samples of CASES (a file or folder) with a model.

    The variable `residual` of the predictions is an error flag: it needs no solution, and ranks
    samples by how far they are off.
    """
    from ..datasets.resolution import warn_unresolved
    from ..execution.shards import predict_cases
    from ..storage import netcdf
    from ..storage.models import read_model
    from ..workflows.refine import Refined

    loaded, choice = read_model(model)
    if refine is not None:
        loaded = Refined(loaded, solver, refine)
        polish = {"refine": refine, "refined_by": solver}
        choice = dataclasses.replace(choice, options={**choice.options, **polish})
    dataset = netcdf.open(cases, "cases")
    warn_unresolved([dataset], loaded)
    predict_cases(dataset, loaded, output, choice=choice, compress=compress)
    click.echo(f"{output}: {dataset.sizes['sample']} samples")
