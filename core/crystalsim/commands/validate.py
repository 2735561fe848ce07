"""``crystalsim validate``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .common import configured, output_option, plugin_table, tables


@click.command(
    "validate",
    epilog="\b\nExamples:\n  crystalsim validate builtin\n"
    "  crystalsim validate builtin -o solver.average=arithmetic --cells 64 --cells 128\n"
    "  crystalsim validate builtin --output validation    # table.csv and convergence.png",
)
@click.argument("solver")
@configured
@click.option(
    "--cells",
    type=click.IntRange(min=8),
    multiple=True,
    help="Cells in each direction; may be repeated [32, 64, 128].",
)
@output_option("Folder for table.csv and convergence.png.", required=False)
def command(
    solver: str,
    config_file: Path | None,
    assignments: tuple[str, ...],
    cells: tuple[int, ...],
    output: Path | None,
) -> None:
    """Check SOLVER against solutions that do not come from a grid, and laws of physics.

    Accuracy, on every grid: the velocity around discs as viscous as the magma against a Fourier
    series, and crystals' velocities in six cases against body-fitted finite elements. Laws, on the
    coarsest grid: mirror symmetry, superposition, balance of forces and of energy, divergence and
    impermeability. Exit status 1 if a check fails.
    """
    table = plugin_table("solver", solver, tables(config_file, assignments))
    from ..registry import build
    from ..store import make_folder
    from ..validation import CELLS, save_table, table_text, validate_solver

    if output:
        make_folder(output)
    name = table.pop("plugin")
    results = validate_solver(build("solver", name, table), cells or CELLS)
    click.echo(table_text(results))
    if output:
        from ..errors import SchemaError
        from ..plotting import save_figure
        from ..plotting.convergence import plot_convergence

        save_table(results, output / "table.csv")
        click.echo(f"table: {output / 'table.csv'}")
        try:
            figure = plot_convergence({name: results})
        except SchemaError as error:
            click.echo(f"no figure: {error}")
        else:
            save_figure(figure, output / "convergence.png")
            click.echo(f"figure: {output / 'convergence.png'}")
    if not all(result.passed for result in results):
        sys.exit(1)
