"""``crystalsim verify``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .common import echo_json, json_option


@click.command(
    "verify",
    epilog="\b\nExamples:\n  crystalsim verify solutions         # a folder of shards\n"
    "  crystalsim verify runs/polarization-1f3c97ab\n"
    "  crystalsim verify cases.nc",
)
@click.argument("paths", metavar="PATH...", type=click.Path(path_type=Path), nargs=-1)
@json_option
def command(paths: tuple[Path, ...], as_json: bool) -> None:
    """Find damaged and missing files in PATH: a file, a folder of shards or of a run.

    Compares checksums, reads every file, and checks that it follows the schema and that converged
    samples are finite. Prints one line for each damaged file and then exits with status 1.
    `crystalsim solve` started again makes damaged shards again.

    For solvers see `crystalsim validate`, for plugins `crystalsim check`; docs/checking.md tells
    them apart.
    """
    if not paths:
        raise click.UsageError("name a file or a folder")
    from ..runtime.progress import progress
    from ..runtime.words import plural
    from ..storage.verify import verify

    count, damaged = 0, []
    for path in paths:
        for verdict in progress(verify(path), description="verifying", unit="file"):
            count += 1
            if verdict.damage:
                damaged.append(verdict._asdict())
                if not as_json:
                    click.echo(f"{verdict.path}: {verdict.damage}")
    if as_json:
        echo_json({"files": count, "damaged": damaged})
    else:
        click.echo(f"{plural(count, 'file')}, {len(damaged) or 'none'} damaged")
    if damaged:
        sys.exit(1)
