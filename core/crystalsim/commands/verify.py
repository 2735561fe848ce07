"""``crystalsim verify``."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command(
    "verify",
    epilog="\b\nExamples:\n  crystalsim verify solutions           # a folder of shards\n"
    "  crystalsim verify runs/ten            # a whole run\n"
    "  crystalsim verify solutions.nc",
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(paths: tuple[Path, ...]) -> None:
    """Look for damaged and missing files in PATHS; exits with 1 if there are any."""
    from ..verify import verify

    findings = [finding for path in paths for finding in verify(path)]
    damaged = [finding for finding in findings if finding.damage]
    for finding in damaged:
        click.echo(f"{finding.path}: {' '.join(finding.damage.split())}")
    click.echo(f"{len(findings)} files, {len(damaged)} damaged or missing")
    if damaged:
        sys.exit(1)
