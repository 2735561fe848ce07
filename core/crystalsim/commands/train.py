"""``crystalsim train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config import DEFAULTS
from ..ranks import is_chief
from .common import chosen_seed, configured, output_option, plugin_table, seed_option, tables

if TYPE_CHECKING:
    import xarray as xr


@click.command(
    "train",
    epilog="\b\nExamples:\n  crystalsim train solutions.nc --model unet --output checkpoint\n"
    "  crystalsim train solutions.nc --validation other.nc -o model.epochs=20 --output checkpoint\n"
    "  crystalsim train coarse.nc fine.nc --model polarization --output checkpoint",
)
@click.argument("solutions", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--model", help=f"Model plugin [{DEFAULTS['model']['plugin']}].")
@click.option(
    "--validation",
    default="0.1",
    show_default=True,
    help="Solutions to choose the best weights by: a file, or the share of SOLUTIONS held out.",
)
@configured
@seed_option
@output_option("Folder of the trained model.")
def command(
    solutions: tuple[Path, ...],
    model: str | None,
    validation: str,
    config_file: Path | None,
    assignments: tuple[str, ...],
    seed: int | None,
    output: Path,
) -> None:
    """Train a model on SOLUTIONS: files or folders, one for each grid.

    The state is kept twice a minute; the same command again goes on from there. Several processes
    or machines train together with ``torchrun --nproc-per-node 2 -m crystalsim train ...``.
    """
    given = tables(config_file, assignments)
    table = plugin_table("model", model, given)
    from .. import pipeline, store

    training = [store.open(path, "solutions") for path in solutions]
    try:
        share = float(validation)
    except ValueError:
        held_out = [store.open(validation, "solutions")]
    else:
        parts = [_split(dataset, share) for dataset in training]
        training, held_out = ([part[k] for part in parts] for k in (0, 1))
    history = pipeline.train_model(table, training, held_out, output, seed=chosen_seed(seed, given))
    if not is_chief():
        return
    click.echo(f"{output}: trained in {history.attrs['training_time']:.0f} s")
    if "validation_relative_l2" in history and history.sizes["epoch"]:
        best = float(history["validation_relative_l2"].min())
        click.echo(f"best relative L2 error on validation samples: {100 * best:.2f} %")


def _split(dataset: xr.Dataset, share: float) -> tuple[xr.Dataset, xr.Dataset]:
    """Hold out a share of the samples, the last ones."""
    count = round(share * dataset.sizes["sample"])
    if not 0 < count < dataset.sizes["sample"]:
        raise click.BadParameter(
            f"{share:g} of {dataset.sizes['sample']} samples; expected a share that leaves samples "
            "on both sides",
            param_hint="--validation",
        )
    return dataset.isel(sample=slice(None, -count)), dataset.isel(sample=slice(-count, None))
