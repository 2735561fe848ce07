"""Solutions for other tools: VTK for ParaView, tables as CSV and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from tabulate import tabulate

from ..datasets.cases import iterate_cases
from ..datasets.schema import sample_numbers
from ..errors import OptionError
from ..evaluation.declarations import declared
from ..evaluation.summaries import summarise
from ..scene.grid import Grid
from ..stokes.crystal_motion import crystal_motion
from ..stokes.operators import at_centres
from ..storage.files import make_folder, write_text

_CELL_FIELDS = ("pressure", "crystal_fraction", "phase", "extra_stress_xx")
_CRYSTAL_COLUMNS = ("x", "z", "radius", "density", "viscosity")
_MOTION = ("crystal_velocity_x", "crystal_velocity_z", "crystal_angular_velocity")


def write_vtk(solutions: xr.Dataset, folder: Path) -> list[Path]:
    """Write a rectilinear VTK file for each sample, and ``samples.pvd`` that lists them.

    Cells carry velocity (at centres), speed, pressure, phase and area fraction of crystals, in SI
    units; the section is the x-z plane.

    Parameters
    ----------
    solutions
        Dataset of kind ``"solutions"``.
    folder
        Is made if it is not there.
    """
    make_folder(folder)
    grid = Grid.from_dataset(solutions)
    velocity = at_centres(*(solutions[name].values for name in ("velocity_x", "velocity_z")))
    numbers = sample_numbers(solutions)
    paths = [folder / f"sample-{int(number):05d}.vtr" for number in numbers]
    for i, path in enumerate(paths):
        vx, vz = (component[i].ravel() for component in velocity)
        fields: dict[str, NDArray[np.float64]] = {
            "velocity": np.stack([vx, np.zeros_like(vx), vz], axis=1),
            "speed": np.hypot(vx, vz),
        }
        fields |= {n: solutions[n].values[i].ravel() for n in _CELL_FIELDS if n in solutions}
        write_text(path, _rectilinear(grid, fields))
    listed = "\n".join(
        f'    <DataSet timestep="{number}" part="0" file={quoteattr(path.name)}/>'
        for number, path in zip(numbers, paths, strict=True)
    )
    write_text(
        folder / "samples.pvd",
        '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1">\n  <Collection>\n'
        f"{listed}\n  </Collection>\n</VTKFile>\n",
    )
    return paths


def write_crystals(solutions: xr.Dataset, path: Path) -> None:
    """Write a CSV row for each crystal: its sample, properties and motion, in SI units."""
    motion = crystal_motion(solutions)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["sample", "crystal", *_CRYSTAL_COLUMNS, *_MOTION])
    for i, (number, case) in enumerate(
        zip(sample_numbers(solutions), iterate_cases(solutions), strict=True)
    ):
        for k in range(case.x.size):
            properties = [float(getattr(case, name)[k]) for name in _CRYSTAL_COLUMNS]
            moves = [float(motion[name].values[i, k]) for name in _MOTION]
            writer.writerow([number, k + 1, *properties, *moves])
    write_text(path, buffer.getvalue())


def write_latex(scores: Mapping[str, xr.Dataset], path: Path) -> None:
    """Write a LaTeX table (booktabs) of mean, 95th percentile and worst of each score.

    Parameters
    ----------
    scores
        Datasets of kind ``"scores"`` by name.
    path
        File to write.
    """
    if not scores:
        raise OptionError("no scores to write")
    rows = []
    for name, dataset in scores.items():
        metrics = declared(dataset)
        for key, values in summarise(dataset).items():
            if metrics[key].better != "none":
                numbers = (metrics[key].text(values[s]) for s in ("mean", "p95", "worst"))
                rows.append([name, key, metrics[key].unit.label, *numbers])
    heads = ["", "score", "unit", "mean", "p95", "worst"]
    aligns = ["left"] * 3 + ["right"] * 3
    table = tabulate(rows, heads, "latex_booktabs", disable_numparse=True, colalign=aligns)
    write_text(path, table + "\n")


def _rectilinear(grid: Grid, fields: Mapping[str, NDArray[np.float64]]) -> str:
    """VTK's XML for cell data on a section one cell thick, numbers as text."""
    extent = f'"0 {grid.nx} 0 0 0 {grid.nz}"'
    axes = "".join(
        _array(name, values, 8)
        for name, values in (("x", grid.x_face), ("y", np.zeros(1)), ("z", grid.z_face))
    )
    cells = "".join(_array(name, values, 8) for name, values in fields.items())
    return (
        '<?xml version="1.0"?>\n<VTKFile type="RectilinearGrid" version="0.1">\n'
        f"  <RectilinearGrid WholeExtent={extent}>\n    <Piece Extent={extent}>\n"
        f'      <CellData Vectors="velocity">\n{cells}      </CellData>\n'
        f"      <Coordinates>\n{axes}      </Coordinates>\n"
        "    </Piece>\n  </RectilinearGrid>\n</VTKFile>\n"
    )


def _array(name: str, values: NDArray[np.float64], digits: int) -> str:
    components = values.shape[1] if values.ndim > 1 else 1
    text = " ".join(f"{value:.{digits}g}" for value in values.ravel().tolist())
    return (
        f'        <DataArray type="Float64" Name={quoteattr(name)} '
        f'NumberOfComponents="{components}" format="ascii">{text}</DataArray>\n'
    )
