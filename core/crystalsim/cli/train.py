"""``crystalsim train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config.run import DEFAULTS
from ..config.settings import Settings
from ..runtime.processes import is_chief
from .common import (
    configured,
    file_or_folder,
    output_option,
    overwrite_option,
    plugin_option,
    seed_option,
)

if TYPE_CHECKING:
    import xarray as xr


@click.command(
    "train",
    epilog="\b\nExamples:\n  crystalsim train solutions.nc --model unet --output checkpoint\n"
    "  crystalsim train solutions.nc --validation other.nc -o model.epochs=20 --output checkpoint\n"
    "  crystalsim train coarse.nc fine.nc --model polarization --output checkpoint",
)
@click.argument("solutions", type=click.Path(path_type=Path), nargs=-1, required=True)
@plugin_option("model", DEFAULTS["model"]["plugin"])
@click.option(
    "--validation",
    default="0.1",
    show_default=True,
    help="Solutions to choose the best weights by: a file, or the share of SOLUTIONS held out.",
)
@configured
@seed_option
@output_option("Folder of the trained model.")
@overwrite_option
def command(
    solutions: tuple[Path, ...],
    model: str | None,
    validation: str,
    config_file: Path | None,
    assignments: tuple[str, ...],
    seed: int | None,
    output: Path,
    overwrite: bool,
) -> None:
    """Train a model on SOLUTIONS: files or folders, one for each grid.

    The state is kept twice a minute; the same command again goes on from there. Several processes
    or machines train together with ``torchrun --nproc-per-node 2 -m crystalsim train ...``.
    """
    settings = Settings.read(config_file, assignments, "model", "seed")
    chosen, number = settings.choose("model", model), settings.seed(seed)
    file_or_folder(output, *solutions, file="")
    from ..storage import netcdf
    from ..storage.claims import discard
    from ..storage.models import TRAINING
    from ..workflows.training import train_model

    sources = [netcdf.open_parts(path, "solutions") for path in solutions]
    try:
        share = float(validation)
    except ValueError:
        training = [part for parts in sources for part in parts]
        held_out = netcdf.open_parts(validation, "solutions")
    else:
        splits = [_split(parts, share) for parts in sources]
        training, held_out = ([part for split in splits for part in split[k]] for k in (0, 1))
    if overwrite and is_chief():
        discard(output, TRAINING)
    history = train_model(chosen, training, held_out, output, seed=number)
    if not is_chief():
        return
    click.echo(f"{output}: trained in {history.attrs['training_time']:.0f} s")
    if "validation_relative_l2" in history and history.sizes["epoch"]:
        best = float(history["validation_relative_l2"].min())
        click.echo(f"best relative L2 error on validation samples: {100 * best:.2f} %")


def _split(parts: list[xr.Dataset], share: float) -> tuple[list[xr.Dataset], list[xr.Dataset]]:
    """Hold out a share of the samples of one source, the last ones."""
    from ..runtime.words import plural

    total = sum(part.sizes["sample"] for part in parts)
    left = total - round(share * total)
    if not 0 < left < total:
        raise click.BadParameter(
            f"{share:g} of {plural(total, 'sample')}; expected a share that leaves some on "
            "both sides",
            param_hint="--validation",
        )
    kept, held_out = [], []
    for part in parts:
        cut = min(max(left, 0), part.sizes["sample"])
        left -= cut
        if cut:
            kept.append(part.isel(sample=slice(cut)))
        if cut < part.sizes["sample"]:
            held_out.append(part.isel(sample=slice(cut, None)))
    return kept, held_out
