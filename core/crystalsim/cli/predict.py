"""``crystalsim predict``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from ..config.run import DEFAULTS
from .common import (
    complete,
    compress_option,
    file_or_folder,
    output_option,
    overwrite_option,
    refuse_ignored,
    unconverged,
)


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
    shell_complete=complete("model"),
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
    shell_complete=complete("solver"),
    help="Solver that refines.",
)
@output_option("File (.nc), or folder of shards for many samples.")
@compress_option
@overwrite_option
def command(
    cases: Path,
    model: str,
    refine: float | None,
    solver: str,
    output: Path,
    compress: bool,
    overwrite: bool,
) -> None:
    """Predict the samples of CASES (a file or folder) with a model.

    The variable `residual` of the predictions is an error flag: it needs no solution, and ranks
    samples by how far they are off.
    """
    if refine is None:
        refuse_ignored("solver", "only with --refine is there anything to solve")
    file_or_folder(output, cases, Path(model))
    from ..datasets.resolution import warn_unresolved
    from ..execution.shards import predict_cases
    from ..runtime.words import plural
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
    predict_cases(dataset, loaded, output, choice=choice, compress=compress, overwrite=overwrite)
    samples = plural(dataset.sizes["sample"], "sample")
    click.echo(unconverged(output, f"{output}: {samples}"))
