"""``crystalsim study``."""

from __future__ import annotations

from pathlib import Path

import click

from ..runtime.processes import default_workers
from .common import output_option


@click.command(
    "study",
    epilog="\b\nExamples:\n  crystalsim study examples/studies/one_to_fifteen.toml\n"
    "  crystalsim study examples/studies/extremes.toml --output runs/extremes",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--workers", type=click.IntRange(min=1), help="Processes of the solver [all cores].")
@output_option("Folder of the study [runs/NAME of the file].", required=False)
def command(file: Path, workers: int | None, output: Path | None) -> None:
    """Run the study in FILE: train, then test on many kinds of samples.

    A table and a figure tell how each model does on each test; the same command again goes on
    where it was stopped. `crystalsim.workflows.study` describes the file.
    """
    from ..config.study import read_study
    from ..evaluation.studies import shown_metrics, table_text
    from ..workflows.study import run_study

    study = read_study(file)
    folder = output or Path("runs") / file.stem
    entries = run_study(study, folder, workers=workers or default_workers())
    click.echo(f"{study.title}: means")
    for metric in shown_metrics(entries):
        click.echo(f"\n{table_text(entries, metric)}")
    from ..plotting import save_figure
    from ..plotting.study import plot_study
    from ..reports.pages import make_study_report
    from ..storage.files import write_text

    figure, page = folder / "study.png", folder / "report.html"
    save_figure(plot_study(entries), figure)
    write_text(page, make_study_report(study, entries, [figure]))
    click.echo(f"\ntable: {folder / 'study.csv'}\nfigure: {figure}\nreport: {page}")
