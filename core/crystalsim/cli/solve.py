"""``crystalsim solve``."""

from __future__ import annotations

from pathlib import Path

import click

from ..config.run import DEFAULTS
from ..config.settings import Settings
from ..errors import OptionError
from ..registry import registry
from ..runtime.processes import default_workers
from .common import (
    compress_option,
    configured,
    file_or_folder,
    output_option,
    overwrite_option,
    plugin_option,
    unconverged,
)


def _scheduler(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Check what kind of scheduler is meant."""
    if value not in ("processes", "local") and "://" not in value:
        raise click.BadParameter(
            f"'{value}'; expected 'processes', 'local' or an address, as tcp://host:8786"
        )
    return value


@click.command(
    "solve",
    epilog="\b\nExamples:\n  crystalsim solve cases.nc --solver builtin --output solutions.nc\n"
    "  crystalsim solve cases.nc -o solver.tolerance=1e-6 --output solutions.nc\n"
    "  crystalsim solve cases.nc --shard 3/20 --output solutions    # one task of a job array\n"
    "  crystalsim solve cases.nc --scheduler tcp://node7:8786 --output solutions    # Dask",
)
@click.argument("cases", type=click.Path(path_type=Path))
@plugin_option("solver", DEFAULTS["solver"]["plugin"])
@configured
@output_option("File (.nc), or folder of shards for many samples.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes [all cores].")
@click.option(
    "--scheduler",
    default="processes",
    show_default=True,
    metavar="ADDRESS",
    callback=_scheduler,
    help="'processes', 'local' (Dask on this machine), or tcp://HOST:PORT of a Dask scheduler.",
)
@click.option("--shard", default="1/1", metavar="I/N", help="Make every N-th shard from the I-th.")
@compress_option
@click.option("--shard-size", type=click.IntRange(min=1), help="Samples in a shard [64].")
@overwrite_option
def command(
    cases: Path,
    solver: str | None,
    config_file: Path | None,
    assignments: tuple[str, ...],
    output: Path,
    workers: int | None,
    scheduler: str,
    shard: str,
    shard_size: int | None,
    compress: bool,
    overwrite: bool,
) -> None:
    """Solve the samples of CASES (a file or folder) with a solver.

    Finished shards are kept when the command is stopped; the same command again makes the rest.
    Exit status 1 if no sample converges.
    """
    chosen = Settings.read(config_file, assignments, "solver").choose("solver", solver)
    file_or_folder(output, cases)
    part, _, parts = shard.partition("/")
    if not (part.isdigit() and parts.isdigit()):
        raise click.BadParameter(f"'{shard}'; expected I/N, as 3/20", param_hint="--shard")
    if overwrite and int(parts) > 1:
        raise OptionError("--overwrite with --shard would remove the shards of the others")
    from ..datasets.resolution import warn_unresolved
    from ..execution.schedule import Schedule
    from ..execution.shards import SHARD_SIZE, solve_cases
    from ..runtime.words import plural
    from ..storage import netcdf

    dataset = netcdf.open(cases, "cases")
    warn_unresolved([dataset], registry().load("solver", chosen.name))
    seed = dataset.attrs.get("seed")
    complete = solve_cases(
        dataset,
        chosen,
        output,
        schedule=Schedule(workers or default_workers(), scheduler, (int(part), int(parts))),
        shard_size=shard_size or SHARD_SIZE,
        seed=None if seed is None else int(seed),
        compress=compress,
        overwrite=overwrite,
    )
    missing = "" if complete else " (other shards are still missing)"
    samples = plural(dataset.sizes["sample"], "sample")
    click.echo(unconverged(output, f"{output}: {samples}", missing))
