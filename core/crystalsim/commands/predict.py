"""``crystalsim predict``."""

from __future__ import annotations

from pathlib import Path

import click

from .common import compress_option, output_option


@click.command(
    "predict",
    epilog="\b\nExamples:\n"
    "  crystalsim predict cases.nc --model checkpoint --output predictions.nc\n"
    "  crystalsim predict cases.nc --model isoviscous --output baseline.nc",
)
@click.argument("cases", type=click.Path(path_type=Path))
@click.option(
    "--model", required=True, help="Folder of a trained model or run, or a model without training."
)
@output_option("File (.nc), or folder of shards for many samples.")
@compress_option
def command(cases: Path, model: str, output: Path, compress: bool) -> None:
    """Predict the samples of CASES (a file or folder) with a model."""
    from .. import store
    from ..checkpoints import load_model
    from ..shards import predict_cases

    loaded, table = load_model(model)
    dataset = store.open(cases, "cases")
    predict_cases(dataset, loaded, output, config=table, compress=compress)
    click.echo(f"{output}: {dataset.sizes['sample']} samples")
