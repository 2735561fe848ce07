"""``crystalsim verify``."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command(
    "verify",
    epilog="\b\nExamples:\n  crystalsim verify solutions         # a folder of shards\n"
    "  crystalsim verify runs/polarization-1f3c97ab\n"
    "  crystalsim verify cases.nc",
)
@click.argument("paths", metavar="PATH...", type=click.Path(path_type=Path), nargs=-1)
def command(paths: tuple[Path, ...]) -> None:
    """Find damaged and missing files in PATH: a file, a folder of shards or of a run.

    Compares checksums, reads every file, and checks that it follows the schema and that converged
    samples are finite. Prints one line for each damaged file and then exits with status 1.
    `crystalsim solve` started again makes damaged shards again.
    """
    if not paths:
        raise click.UsageError("name a file or a folder")
    from ..runtime.progress import progress
    from ..storage.verify import verify

    count = damaged = 0
    for path in paths:
        for verdict in progress(verify(path), description="verifying", unit="file"):
            count += 1
            if verdict.damage:
                damaged += 1
                click.echo(f"{verdict.path}: {verdict.damage}")
    click.echo(f"{count} files, {damaged or 'none'} damaged")
    if damaged:
        sys.exit(1)
