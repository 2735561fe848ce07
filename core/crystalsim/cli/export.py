"""``crystalsim export``."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import OptionError


@click.command(
    "export",
    epilog="\b\nExamples:\n  crystalsim export solutions.nc paraview        # a folder of .vtr\n"
    "  crystalsim export solutions.nc crystals.csv\n"
    "  crystalsim export scores/fields.nc fields.tex",
)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def command(source: Path, target: Path) -> None:
    """Write SOURCE for other tools.

    TARGET tells how: a name without an ending is a folder of VTK files for ParaView, with
    samples.pvd to open; .csv holds the crystals and how they move; .tex is a table of scores.
    """
    from ..reports.export import write_crystals, write_latex, write_vtk
    from ..storage import netcdf

    if target.suffix == ".tex":
        write_latex({source.stem: netcdf.open(source, "scores")}, target)
    elif target.suffix == ".csv":
        write_crystals(netcdf.open(source, "solutions"), target)
    elif not target.suffix:
        count = len(write_vtk(netcdf.open(source, "solutions"), target))
        click.echo(f"{count} samples; open {target / 'samples.pvd'} in ParaView")
        return
    else:
        raise OptionError(f"{target}: expected a folder, or a file .csv or .tex")
    click.echo(str(target))
