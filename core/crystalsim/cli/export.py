"""``crystalsim export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import OptionError, SchemaError

if TYPE_CHECKING:
    import xarray as xr


@click.command(
    "export",
    epilog="\b\nExamples:\n"
    "  crystalsim export solutions.nc paraview        # a folder of files\n"
    "  crystalsim export cases.nc crystals.csv        # the sampler list reads it\n"
    "  crystalsim export runs/unet-0123abcd paraview  # solved and predicted samples\n"
    "  crystalsim export scores/fields.nc fields.tex",
)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def command(source: Path, target: Path) -> None:
    """Write SOURCE for other tools: cases, solutions or scores, or the folder of a run.

    TARGET tells how: a name without an ending is a folder of VTK files for ParaView, with
    samples.pvd to open; .csv holds the crystals and, of solutions, how they move; .tex is a table
    of scores. Of a run, VTK has the test samples as solved and as predicted, each in a folder of
    its own; .csv the crystals as solved; .tex all scores.
    """
    from ..reports.export import write_crystals, write_latex, write_vtk
    from ..runtime.words import plural
    from ..storage import netcdf
    from ..storage.run_folder import RunFolder

    run = RunFolder(source)
    if run.is_run:
        run.require_complete()
    solved = run.solutions("test") if run.is_run else source
    if target.suffix == ".tex":
        paths = sorted(run.path.glob("scores/*.nc")) if run.is_run else [source]
        write_latex({path.stem: netcdf.open(path, "scores") for path in paths}, target)
        click.echo(str(target))
    elif target.suffix == ".csv":
        write_crystals(_flow(solved), target)
        click.echo(str(target))
    elif not target.suffix:
        folders = {target: solved}
        if run.is_run:
            folders = {target / "solved": solved}
            folders |= {target / path.stem: path for path in run.predictions()}
        for folder, path in folders.items():
            count = len(write_vtk(_flow(path), folder))
            click.echo(f"{plural(count, 'sample')}; open {folder / 'samples.pvd'} in ParaView")
    else:
        raise OptionError(f"{target}: expected a folder, or a file .csv or .tex")


def _flow(path: Path) -> xr.Dataset:
    """Read cases or solutions."""
    from ..storage import netcdf

    dataset = netcdf.open(path)
    if "crystal_x" not in dataset:
        raise SchemaError(f"{path}: expected cases or solutions; scores are written as .tex")
    return dataset
