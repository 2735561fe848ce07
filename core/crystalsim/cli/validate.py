"""``crystalsim validate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config.choice import Choice
from ..config.run import EXACT_SOLVER
from ..config.settings import Settings
from ..errors import OptionError, SchemaError
from .common import (
    complete,
    configured,
    echo_json,
    file_or_folder,
    json_option,
    output_option,
    seed_option,
)

if TYPE_CHECKING:
    from ..validation import Result


@click.command(
    "validate",
    epilog="\b\nExamples:\n  crystalsim validate builtin\n"
    "  crystalsim validate builtin -o solver.average=arithmetic --cells 64 --cells 128\n"
    "  crystalsim validate builtin --vary average=curvature,harmonic,arithmetic \\\n"
    "      --output validation    # table.csv and convergence.png\n"
    "  crystalsim validate builtin --crystals 10 --gap 5 --contrast inf --cells 256",
)
@click.argument("solver", shell_complete=complete("solver"))
@configured
@click.option(
    "--cells",
    type=click.IntRange(min=8),
    multiple=True,
    help="Cells in each direction; may be repeated [32, 64, 128].",
)
@click.option(
    "--vary",
    metavar="NAME=VALUE,...",
    help="Validate once for each of these values of one option of the solver.",
)
@click.option(
    "--truth",
    metavar="SOLVER",
    help=f"Exact solver for random scenes [{EXACT_SOLVER}, where installed].",
)
@click.option("--scenes", type=click.IntRange(min=1), help="Number of random scenes [6].")
@click.option(
    "--crystals", type=click.IntRange(min=1), help="Crystals in each random scene [1 to 10]."
)
@click.option("--contrast", type=float, help="Their viscosity over the magma's, or inf [1e4].")
@click.option("--gap", type=float, help="Least distance between surfaces, and to walls [60 m].")
@seed_option
@output_option("Folder for table.csv and convergence.png.", required=False)
@json_option
def command(
    solver: str,
    config_file: Path | None,
    assignments: tuple[str, ...],
    cells: tuple[int, ...],
    vary: str | None,
    truth: str | None,
    scenes: int | None,
    crystals: int | None,
    contrast: float | None,
    gap: float | None,
    seed: int | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Check SOLVER against solutions that do not come from a grid, and laws of physics.

    Accuracy, on every grid: the velocity around discs as viscous as the magma against a Fourier
    series, around a viscous disc in pure shear and across a jump of the viscosity against closed
    forms; crystals' velocities alone in a box and between plates against series, in six cases
    against body-fitted finite elements, and in random scenes against an exact solver. Laws, on the
    coarsest grid: mirror symmetry, superposition, balance of forces and of energy, divergence and
    impermeability. Exit status 1 if a check fails.

    For files see `crystalsim verify`, for plugins `crystalsim check`; docs/checking.md tells them
    apart.
    """
    variants = [(*assignments, *extra) for extra in _variants(vary)]
    wanted = [
        Settings.read(config_file, each, "solver").choose("solver", solver) for each in variants
    ]
    if output:
        file_or_folder(output, file="")
    exact = _exact_solver(truth)
    from ..storage.files import make_folder
    from ..validation import CELLS, RandomScenes, table_text, validate_solver

    asked: dict[str, Any] = {
        "count": scenes,
        "crystals": crystals,
        "contrast": contrast,
        "gap": gap,
        "seed": seed,
    }
    random = RandomScenes(**{name: value for name, value in asked.items() if value is not None})
    if output:
        make_folder(output)
    results = {}
    for choice, extra in zip(wanted, _variants(vary), strict=True):
        label = extra[0].removeprefix("solver.") if extra else choice.name
        results[label] = validate_solver(
            choice.build(),
            cells or CELLS,
            truth=exact.build() if exact else None,
            scenes=random,
        )
        if not as_json:
            click.echo(
                (f"\n{choice.name}, {label}\n" if extra else "") + table_text(results[label])
            )
    if as_json:
        echo_json({label: [result.as_dict() for result in each] for label, each in results.items()})
    if output:
        _write(results, output, aside=as_json)
    if not all(result.passed for checks in results.values() for result in checks):
        sys.exit(1)


def _exact_solver(truth: str | None) -> Choice | None:
    """Choose the exact solver; the default one only where it is installed."""
    from ..registry import registry

    installed = [entry.plugin.name for entry in registry().entries("solver")]
    if truth is None and EXACT_SOLVER not in installed:
        return None
    return Choice.of("solver", {"plugin": truth or EXACT_SOLVER})


def _variants(vary: str | None) -> list[tuple[str, ...]]:
    """Assignments of each variant, ``()`` where nothing varies."""
    if vary is None:
        return [()]
    name, _, values = vary.partition("=")
    if not name or not all(values.split(",")):
        raise OptionError(f"--vary {vary}: expected NAME=VALUE,... as average=point,harmonic")
    return [(f"solver.{name.removeprefix('solver.')}={value}",) for value in values.split(",")]


def _write(results: dict[str, list[Result]], output: Path, *, aside: bool) -> None:
    """Write table and figure, and say so; aside, on stderr, where stdout is JSON."""
    from ..plotting import save_figure
    from ..plotting.convergence import plot_convergence
    from ..validation import save_table

    save_table(results, output / "table.csv")
    click.echo(f"table: {output / 'table.csv'}", err=aside)
    try:
        figure = plot_convergence(results)
    except SchemaError as error:
        click.echo(f"no figure: {error}", err=aside)
    else:
        save_figure(figure, output / "convergence.png")
        click.echo(f"figure: {output / 'convergence.png'}", err=aside)
