"""``crystalsim run``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..config.run import DEFAULTS, RunConfig, resolve
from ..config.settings import TABLES, Settings
from ..runtime.processes import default_workers
from .common import (
    configured,
    file_or_folder,
    output_option,
    overwrite_option,
    plugin_option,
    seed_option,
)


@click.command(
    "run",
    epilog="\b\nTables of --config and -o (`crystalsim describe run` has all defaults):\n"
    "  sampler, solver, model   the plugin, and its options beside it\n"
    "  samples                  training, validation and test: how many samples\n"
    "  baselines                models without training to compare with\n"
    "  evaluators               evaluators that judge every model\n"
    "  evaluator.NAME           options of an evaluator\n"
    "  seed                     of everything that is random\n"
    "\n\b\nExamples:\n  crystalsim run --solver builtin --model unet\n"
    "  crystalsim run --model fno -o samples.training=500 -o model.epochs=3\n"
    "  crystalsim run --config examples/ten_crystals.toml --output runs/ten\n"
    "  crystalsim run --dry-run    # what would be done",
)
@plugin_option("sampler", DEFAULTS["sampler"]["plugin"])
@plugin_option("solver", DEFAULTS["solver"]["plugin"])
@plugin_option("model", DEFAULTS["model"]["plugin"])
@configured
@seed_option
@output_option("Run folder [runs/MODEL-HASH, the same for the same configuration].", required=False)
@click.option("--workers", type=click.IntRange(min=1), help="Processes for solving [all cores].")
@overwrite_option
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def command(
    sampler: str | None,
    solver: str | None,
    model: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    seed: int | None,
    output: Path | None,
    workers: int | None,
    overwrite: bool,
    dry_run: bool,
) -> None:
    """Sample, solve, train, predict, evaluate and draw, all at once.

    Everything goes into one folder, with the resolved configuration. The same command again goes
    on where it was stopped, or shows the results.
    """
    settings = Settings.read(config_file, assignments, *TABLES)
    flags: dict[str, Any] = {
        kind: {"plugin": settings.choose(kind, name).name}
        for kind, name in (("sampler", sampler), ("solver", solver), ("model", model))
        if name
    }
    config = resolve(settings.tables, flags, {"seed": settings.seed(seed)})
    output = output or _folder(config)
    file_or_folder(output, *([config_file] if config_file else []), file="")
    if dry_run:
        from ..workflows.preview import preview

        click.echo(preview(config, output, workers=workers or default_workers()))
        return
    from ..storage.claims import discard
    from ..storage.run_folder import RunFolder
    from ..workflows import run as pipeline

    if overwrite:
        discard(output, RunFolder(output).config.name)
    click.echo(pipeline.run(config, output, workers=workers or default_workers()))
    click.echo(f"\nFigures, scores and datasets: {output}")


def _folder(config: RunConfig) -> Path:
    """Folder of a configuration."""
    from ..storage.files import file_name
    from ..storage.provenance import fingerprint

    return Path("runs") / f"{file_name(config.model.name)}-{fingerprint(config.as_dict())[:8]}"
