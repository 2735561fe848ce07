"""``crystalsim sample``."""

from __future__ import annotations

from pathlib import Path

import click

from ..config.run import DEFAULTS
from ..config.settings import Settings
from .common import (
    configured,
    file_or_folder,
    output_option,
    overwrite_option,
    plugin_option,
    seed_option,
)


@click.command(
    "sample",
    epilog="\b\nExamples:\n  crystalsim sample -n 100 --output cases.nc\n"
    "  crystalsim sample -n 10 -o sampler.count=[1,15] -o sampler.cells=128 --output cases.nc\n"
    "  crystalsim sample --sampler list -o sampler.file=crystals.csv --output cases.nc",
)
@click.option(
    "-n", "--count", type=click.IntRange(min=1), help="Samples to draw [all of a list, or 1]."
)
@plugin_option("sampler", DEFAULTS["sampler"]["plugin"])
@configured
@seed_option
@output_option("File to write (.nc).")
@overwrite_option
def command(
    count: int | None,
    sampler: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    seed: int | None,
    output: Path,
    overwrite: bool,
) -> None:
    """Draw cases: where the crystals are and what they are made of.

    A file of the same cases is left as it is; one of others is never replaced.
    """
    settings = Settings.read(config_file, assignments, "sampler", "seed")
    chosen, number = settings.choose("sampler", sampler), settings.seed(seed)
    file_or_folder(output, folder=False)
    from ..runtime.log import logger
    from ..runtime.words import plural, span
    from ..storage import netcdf
    from ..storage.claims import is_made
    from ..storage.files import remove_stale
    from ..workflows import run as pipeline

    config = {"sampler": chosen.table}
    if is_made(output, config, samples=count, marks={"seed": number}, overwrite=overwrite):
        logger.info("%s is there already", output)
        cases = netcdf.open(output, "cases")
    else:
        remove_stale(output.parent)
        cases = pipeline.draw_cases(chosen, count, number)
        netcdf.write(cases, output)
    counts = cases["crystal_count"].values
    click.echo(
        f"{output}: {plural(cases.sizes['sample'], 'sample')} of "
        f"{span(int(counts.min()), int(counts.max()), 'crystal')} on "
        f"{cases.sizes['x']} x {cases.sizes['z']} cells"
    )
