"""``crystalsim explore``."""

from __future__ import annotations

from pathlib import Path

import click

from ..runtime.processes import default_workers
from .common import output_option


@click.command(
    "explore",
    epilog="\b\nExamples:\n  crystalsim explore examples/explorations/unet.toml\n"
    "  crystalsim explore examples/explorations/unet.toml --output shared/unet  # on each\n"
    "  crystalsim run --config runs/unet/best.toml",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--workers", type=click.IntRange(min=1), help="Processes of the solver [all cores].")
@output_option("Folder of the exploration [runs/NAME of the file].", required=False)
def command(file: Path, workers: int | None, output: Path | None) -> None:
    """Search options as the exploration in FILE says, and keep the best.

    Poor trials are ended early. Processes with the same folder share the work; the same command
    again goes on where it was stopped. `crystalsim.config.exploration` describes the file.
    Needs Optuna: pip install 'crystalsim[explore]'.
    """
    from ..config.exploration import read_exploration

    exploration = read_exploration(file)  # a mistake in it is told before anything heavy is loaded
    from ..workflows.exploration.search import explore, summary_text

    folder = output or Path("runs") / file.stem
    outcomes = explore(exploration, folder, workers=workers or default_workers())
    click.echo(f"{exploration.title}\n{summary_text(exploration, outcomes)}")
    click.echo(
        f"\ntrials: {folder / 'trials.csv'}\nbest: {folder / 'best.toml'}\n"
        f"importance: {folder / 'importance.csv'}\nreport: {folder / 'report.html'}"
    )
