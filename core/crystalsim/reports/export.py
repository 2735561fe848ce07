"""Datasets for other tools: VTK for ParaView, tables as CSV and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from tabulate import tabulate

from ..datasets.cases import iterate_cases
from ..datasets.scenes import scenes
from ..datasets.schema import sample_numbers
from ..errors import OptionError
from ..evaluation.declarations import declared
from ..evaluation.summaries import summarise
from ..scene.case import CRYSTAL_FIELDS, Case
from ..scene.grid import Grid
from ..scene.shapes import case_discs
from ..stokes.crystal_motion import crystal_motion
from ..storage.files import make_folder, write_text
from .vtk import write_collection, write_grid, write_polygons

Array = NDArray[np.float64]

AXES = "xyz"
"""Order of axes in VTK; data without an axis lie in the plane where it is zero."""

_CORNERS = 64
"""Corners of the polygon that stands for a disc: its sides lie within 0.12 % of the radius."""


def write_vtk(dataset: xr.Dataset, folder: Path) -> list[Path]:
    """Write the grid and the crystals of each sample, and ``samples.pvd`` that lists them.

    ``sample-N.vtr`` has on cells velocity (means of the faces), speed, viscosity, density and
    everything that the dataset has there (pressure, phase, area fraction), and on corners the
    stream function and whatever else is there; ``crystals-N.vtp`` has the crystals as polygons
    with their number, properties and motion. All in SI units; the section is the x-z plane. Where
    the dataset has no viscosity or density of its own they are painted from the crystals, with the
    mean of the viscosity that the dataset names and the arithmetic one; rigid cells are infinitely
    viscous.

    Parameters
    ----------
    dataset
        Dataset of kind ``"cases"`` or ``"solutions"``.
    folder
        Folder to write to; it is made if need be.

    Returns
    -------
    list of pathlib.Path
        The files of the grids.
    """
    make_folder(folder)
    grid = Grid.from_dataset(dataset)
    numbers = sample_numbers(dataset)
    names = [(f"sample-{number:05d}.vtr", f"crystals-{number:05d}.vtp") for number in numbers]
    motion = crystal_motion(dataset) if "velocity_x" in dataset else None
    faces = [_faces(dataset, axis) for axis in AXES]
    for i, (case, scene) in enumerate(scenes(dataset, grid)):
        sample = dataset.isel(sample=i)
        media = {"viscosity": scene.viscosity_cell, "density": _density(case, grid)}
        if "density_face" in sample:  # given around faces alone: the mean of those of a cell
            face = sample["density_face"].values
            media["density"] = 0.5 * (face[1:] + face[:-1])
        painted = {name: values.ravel() for name, values in media.items()}
        cells = {**_velocity(sample), **painted, **_on(sample, "")}
        write_grid(folder / names[i][0], faces, cells, _on(sample, "_face"))
        moves = None if motion is None else motion.isel(sample=i)
        write_polygons(folder / names[i][1], _outlines(case), _crystals(case, moves))
    write_collection(folder / "samples.pvd", zip(numbers, names, strict=True))
    return [folder / grid_name for grid_name, _ in names]


def write_crystals(dataset: xr.Dataset, path: Path) -> None:
    """Write a CSV row for each crystal: its sample, number and properties, in SI units.

    Solutions add its motion. The sampler `list` reads the file; what it does not say is the grid
    and the magma, which are options of that sampler, and samples without crystals.

    Parameters
    ----------
    dataset
        Dataset of kind ``"cases"`` or ``"solutions"``.
    path
        File to write.
    """
    motion = crystal_motion(dataset) if "velocity_x" in dataset else None
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    columns = [] if motion is None else [str(name) for name in motion.data_vars]
    writer.writerow(["sample", "crystal", *CRYSTAL_FIELDS, *columns])
    cases = zip(sample_numbers(dataset), iterate_cases(dataset), strict=True)
    for i, (number, case) in enumerate(cases):
        for k in range(case.x.size):
            properties = [float(getattr(case, name)[k]) for name in CRYSTAL_FIELDS]
            moves = [] if motion is None else [float(motion[n].values[i, k]) for n in columns]
            writer.writerow([number, k, *properties, *moves])
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


def _faces(dataset: xr.Dataset, axis: str) -> Array:
    """Positions of the faces along an axis; zero where the data have none."""
    name = f"{axis}_face"
    return np.asarray(dataset[name].values if name in dataset.coords else np.zeros(1), dtype=float)


def _on(sample: xr.Dataset, ending: str) -> dict[str, NDArray[np.generic]]:
    """Variables of a sample on cells (no ending) or corners (``_face``), flattened."""
    dims = tuple(f"{axis}{ending}" for axis in reversed(AXES) if f"{axis}_face" in sample.coords)
    return {str(n): array.values.ravel() for n, array in sample.items() if array.dims == dims}


def _velocity(sample: xr.Dataset) -> dict[str, Array]:
    """Velocity at centres (cell, 3) and speed (cell), if the sample has a velocity [m s-1]."""
    components = []
    for axis in AXES:
        if (name := f"velocity_{axis}") in sample:
            faces = sample[name].astype(float)
            low, high = (faces.isel({f"{axis}_face": s}) for s in (slice(-1), slice(1, None)))
            components.append(0.5 * (low.values + high.values).ravel())
        else:
            components.append(None)
    present = [component for component in components if component is not None]
    if not present:
        return {}
    still = np.zeros_like(present[0])
    velocity = np.stack([still if c is None else c for c in components], axis=1)
    return {"velocity": velocity, "speed": np.linalg.norm(velocity, axis=1)}


def _density(case: Case, grid: Grid) -> Array:
    """Mean density of each cell by its crystals (z, x) [kg m-3]."""
    density = np.full((grid.nz, grid.nx), case.matrix_density)
    for disc, contrast in zip(case_discs(case, grid), case.density_contrast, strict=True):
        density[disc.cells] += contrast * disc.cell
    return density


def _outlines(case: Case) -> list[Array]:
    """Polygon of each crystal in the x-z plane (corner, 3) [m]."""
    angle = 2 * np.pi * np.arange(_CORNERS) / _CORNERS
    circle = np.stack([np.cos(angle), np.zeros(_CORNERS), np.sin(angle)], axis=1)
    return [
        np.array([x, 0.0, z]) + radius * circle
        for x, z, radius in zip(case.x, case.z, case.radius, strict=True)
    ]


def _crystals(case: Case, motion: xr.Dataset | None) -> dict[str, NDArray[np.generic]]:
    """Number, properties and motion of each crystal, in SI units."""
    count = case.x.size
    values: dict[str, NDArray[np.generic]] = {"crystal": np.arange(count, dtype=np.int32)}
    values |= {name: getattr(case, name) for name in ("radius", "density", "viscosity")}
    if motion is not None:
        parts = [motion.get(f"crystal_velocity_{axis}") for axis in AXES]
        columns = [np.zeros(count) if p is None else p.values[:count] for p in parts]
        values["velocity"] = np.stack(columns, axis=1)
        values["angular_velocity"] = motion["crystal_angular_velocity"].values[:count]
    return values
