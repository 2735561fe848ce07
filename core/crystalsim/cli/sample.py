"""``crystalsim sample``."""

from __future__ import annotations

from pathlib import Path

import click

from .common import choose, chosen_seed, configured, output_option, seed_option, tables


@click.command(
    "sample",
    epilog="\b\nExamples:\n  crystalsim sample -n 100 --output cases.nc\n"
    "  crystalsim sample -n 10 -o sampler.count=[1,15] -o sampler.cells=128 --output cases.nc\n"
    "  crystalsim sample --sampler list -o sampler.file=crystals.csv --output cases.nc",
)
@click.option(
    "-n", "--count", type=click.IntRange(min=1), help="Samples to draw [all of a list, or 1]."
)
@click.option("--sampler", help="Sampler plugin [random].")
@configured
@seed_option
@output_option("File to write (.nc).")
def command(
    count: int | None,
    sampler: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    seed: int | None,
    output: Path,
) -> None:
    """Draw cases: where the crystals are and what they are made of.

    A file of the same cases is left as it is; one of others is never replaced.
    """
    given = tables(config_file, assignments)
    chosen = choose("sampler", sampler, given)
    from ..runtime.log import logger
    from ..storage import netcdf
    from ..storage.claims import is_made
    from ..storage.files import remove_stale
    from ..workflows import run as pipeline

    number = chosen_seed(seed, given)
    if is_made(output, {"sampler": chosen.table}, samples=count, marks={"seed": number}):
        logger.info("%s is there already", output)
        cases = netcdf.open(output, "cases")
    else:
        remove_stale(output.parent)
        cases = pipeline.draw_cases(chosen, count, number)
        netcdf.write(cases, output)
    counts = cases["crystal_count"].values
    click.echo(
        f"{output}: {cases.sizes['sample']} samples of {counts.min()}-{counts.max()} crystals on "
        f"{cases.sizes['x']} x {cases.sizes['z']} cells"
    )
