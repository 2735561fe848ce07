"""``crystalsim report``."""

from __future__ import annotations

from pathlib import Path

import click

from .common import output_option


@click.command(
    "report",
    epilog="\b\nExamples:\n  crystalsim report runs/polarization-1f3c97ab\n"
    "  crystalsim report runs/ten --output ten.html",
)
@click.argument("run", type=click.Path(path_type=Path))
@output_option("Page to write [report.html in the folder of the run].", required=False)
def command(run: Path, output: Path | None) -> None:
    """Write a page of HTML about the finished RUN that opens anywhere without a network."""
    from ..reports.pages import make_report
    from ..storage.files import write_text

    path = output or run / "report.html"
    write_text(path, make_report(run))
    click.echo(f"report: {path}")
