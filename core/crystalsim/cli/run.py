"""``crystalsim run``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..config.run import DEFAULTS, resolve
from ..runtime.processes import default_workers
from .common import configured, output_option, seed_option, tables


@click.command(
    "run",
    epilog="\b\nExamples:\n  crystalsim run --solver builtin --model unet\n"
    "  crystalsim run --model fno -o samples.training=500 -o model.epochs=3\n"
    "  crystalsim run --config examples/ten_crystals.toml --output runs/ten",
)
@click.option("--sampler", help="Sampler plugin [random].")
@click.option("--solver", help="Solver plugin [builtin].")
@click.option("--model", help=f"Model plugin [{DEFAULTS['model']['plugin']}].")
@configured
@seed_option
@output_option("Run folder [runs/MODEL-HASH, the same for the same configuration].", required=False)
@click.option("--workers", type=click.IntRange(min=1), help="Processes for solving [all cores].")
def command(
    sampler: str | None,
    solver: str | None,
    model: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    seed: int | None,
    output: Path | None,
    workers: int | None,
) -> None:
    """Sample, solve, train, predict, evaluate and draw, all at once.

    Everything goes into one folder, with the resolved configuration. The same command again goes
    on where it was stopped, or shows the results.
    """
    flags: dict[str, Any] = {
        kind: {"plugin": name}
        for kind, name in (("sampler", sampler), ("solver", solver), ("model", model))
        if name
    }
    if seed is not None:
        flags["seed"] = seed
    config = resolve(tables(config_file, assignments), flags)
    from ..storage.files import file_name
    from ..storage.provenance import fingerprint

    if output is None:
        name = file_name(config.model.name)
        output = Path("runs") / f"{name}-{fingerprint(config.as_dict())[:8]}"
    from ..workflows import run as pipeline

    click.echo(pipeline.run(config, output, workers=workers or default_workers()))
    click.echo(f"\nFigures, scores and datasets: {output}")
