"""Errors of LaMEM and of other solvers against finite elements, and how well LaMEM is modelled.

``python accuracy.py RESULTS REFERENCE [--solver NAME] [--output FOLDER]`` with folders of netCDF
files: results of LaMEM as `lamem_VERSION_CASE_..._CELLS.nc` with node velocities, and references as
`CASE.nc` with velocities on the faces of a 256 x 256 grid. Writes the table `accuracy.csv` and the
figure `accuracy.png`.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import crystalsim
from crystalsim import Grid, make_cases, make_solutions
from crystalsim.evaluation.comparison import compare
from crystalsim.plotting import save_figure
from crystalsim.plotting.style import MARKERS, MODELS, light_grid, logarithmic, styled
from crystalsim.stokes.operators import velocity
from crystalsim_lamem.coefficients import lamem_cases
from crystalsim_lamem.flow import stream_function, velocity_to_nodes

EVALUATORS: dict[str, dict[str, object]] = {"fields": {}, "crystals": {}}


def cases_of(dataset: xr.Dataset) -> xr.Dataset:
    """Cases of a file: crystals of 1e24 Pa s in magma of 1e20 Pa s and 2700 kg m-3."""
    crystals = [
        {
            "x": float(dataset.crystal_x[k]),
            "z": float(dataset.crystal_z[k]),
            "radius": float(dataset.crystal_radius[k]),
            "density": 2700.0 + float(dataset.crystal_density_contrast[k]),
            "viscosity": 1e24,
        }
        for k in range(dataset.sizes["crystal"])
    ]
    return make_cases([crystals], Grid(dataset.sizes["x"], dataset.sizes["z"]))


def lamem_solution(dataset: xr.Dataset, cases: xr.Dataset) -> tuple[xr.Dataset, float]:
    """Solution from LaMEM's node velocities, and the misfit of the stream function."""
    grid = Grid.from_dataset(cases)
    nodes = [dataset[f"velocity_{axis}_node"].values.astype(float) for axis in "xz"]
    psi, misfit = stream_function(nodes[0], nodes[1], grid)
    faces = velocity(psi, grid.hx, grid.hz)
    fields = {"velocity_x": faces[0][None], "velocity_z": faces[1][None]}
    return make_solutions(cases, fields), misfit


def agreement(dataset: xr.Dataset, solution: xr.Dataset) -> float:
    """Relative L2 difference of node velocities."""
    gaps = [
        velocity_to_nodes(solution[f"velocity_{axis}"].values[0], k)
        - dataset[f"velocity_{axis}_node"].values
        for k, axis in enumerate("xz")
    ]
    nodes = [dataset[f"velocity_{axis}_node"].values for axis in "xz"]
    return float(np.linalg.norm(np.hypot(*gaps)) / np.linalg.norm(np.hypot(*nodes)))


def faces_apart(solutions: xr.Dataset, expected: xr.Dataset) -> float:
    """Relative L2 difference of face velocities."""
    names = ("velocity_x", "velocity_z")
    above = np.hypot(*(np.linalg.norm(solutions[n] - expected[n]) for n in names))
    return float(above / np.hypot(*(np.linalg.norm(expected[n]) for n in names)))


def measure(path: Path, references: Path, solver: str) -> list[dict[str, object]]:
    """Rows of the table for one result of LaMEM."""
    dataset = xr.load_dataset(path)
    case, cells = path.stem.split("_")[2], dataset.sizes["x"]
    cases = cases_of(dataset)
    reference = xr.load_dataset(references / f"{case}.nc")
    truth = make_solutions(
        cases_of(reference),
        {name: reference[name].values[None] for name in ("velocity_x", "velocity_z")},
    )
    lamem, misfit = lamem_solution(dataset, cases)
    exactly = crystalsim.get("solver", solver, tolerance=1e-9)
    modelled = exactly.solve(lamem_cases(cases))
    comparison = compare(
        truth,
        {
            "LaMEM 2.2.1": lamem,
            f"{solver}, LaMEM's coefficients": modelled.assign(
                {name: cases[name] for name in cases.data_vars}
            ).drop_vars(("viscosity", "viscosity_corner", "density")),
            solver: crystalsim.get("solver", solver).solve(cases),
        },
        EVALUATORS,
    )
    shared = {
        "nodes_apart": agreement(dataset, modelled),
        "faces_apart": faces_apart(lamem, modelled),
        "misfit": misfit,
    }
    return [
        {
            "case": case,
            "cells": cells,
            "solution": row.name,
            "relative_l2": row.values["relative_l2.mean"],
            "crystal_velocity": row.values["crystal_velocity_error_scaled.worst"],
            **(shared if row.name.startswith("LaMEM") else {}),
        }
        for row in comparison.rows
    ]


@styled
def plot(rows: list[dict[str, object]]) -> Figure:
    """Errors over cells, a panel for each case and measure."""
    cases = list(dict.fromkeys(str(row["case"]) for row in rows))
    names = list(dict.fromkeys(str(row["solution"]) for row in rows))
    measures = {
        "relative_l2": "relative L2 of the velocity [%]",
        "crystal_velocity": "worst crystal velocity [%]",
    }
    figure = Figure(figsize=(7.2, 3.2 * len(cases)), layout="constrained")
    panels = figure.subplots(len(cases), 2, squeeze=False)
    for i, case in enumerate(cases):
        for j, (key, label) in enumerate(measures.items()):
            axes = panels[i, j]
            for k, name in enumerate(names):
                mine = [r for r in rows if r["case"] == case and r["solution"] == name]
                cells = [float(str(row["cells"])) for row in mine]
                errors = [100 * float(str(row[key])) for row in mine]
                style = {"color": MODELS[k], "marker": MARKERS[k], "markeredgecolor": "white"}
                # The model lies on LaMEM's line.
                width, size = (4.0, 12) if k == 0 else (1.4, 6.5)
                axes.plot(cells, errors, label=name, linewidth=width, markersize=size, **style)
            axes.set_xscale("log", base=2)
            logarithmic(axes)
            axes.set_xticks(sorted({float(str(r["cells"])) for r in rows if r["case"] == case}))
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.set_title(f"case {case}", loc="left")
            axes.set(xlabel="cells in each direction", ylabel=label)
            light_grid(axes)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(names))
    return figure


def main() -> None:
    """Measure all results and write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--solver", default="builtin")
    parser.add_argument("--output", type=Path, default=Path())
    arguments = parser.parse_args()
    paths = sorted(
        arguments.results.glob("lamem_*.nc"),
        key=lambda path: (path.stem.split("_")[2], int(path.stem.split("_")[-1])),
    )
    rows = []
    for path in paths:
        rows += measure(path, arguments.reference, arguments.solver)
        for row in rows[-3:]:
            print({k: f"{v:.3g}" if isinstance(v, float) else v for k, v in row.items()})
    arguments.output.mkdir(parents=True, exist_ok=True)
    with (arguments.output / "accuracy.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    save_figure(plot(rows), arguments.output / "accuracy.png", resolution=130)


if __name__ == "__main__":
    main()
