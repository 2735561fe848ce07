"""The accessor, and files for other tools, read back."""

import csv
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim import Grid, make_cases, make_solutions
from crystalsim.config.run import resolve
from crystalsim.datasets.cases import cases_only
from crystalsim.datasets.scenes import scenes
from crystalsim.reports.export import write_crystals, write_latex, write_vtk
from crystalsim.stokes import diagnostics, operators
from crystalsim.stokes.crystal_motion import crystal_motion
from crystalsim.workflows import run

GRID = Grid(30, 20, -1000, 1000, -500, 500)
CRYSTAL = {"x": 100, "z": -50, "radius": 200, "density": 2900, "viscosity": 1e23}


@pytest.fixture(scope="module")
def solution():
    cases = make_cases([[CRYSTAL], [CRYSTAL, {**CRYSTAL, "x": -500, "density": 2600}]], GRID)
    return crystalsim.get("solver", "builtin").solve(cases)


def uniform_rotation():
    """``psi = -(x**2 + z**2) / 2``: velocity (-z, x), which means of faces give exactly."""
    psi = -0.5 * (GRID.x_face**2 + GRID.z_face[:, None] ** 2)
    vx, vz = operators.velocity(psi, GRID.hx, GRID.hz)
    return make_solutions(make_cases([[]], GRID), {"velocity_x": vx[None], "velocity_z": vz[None]})


def test_velocity_and_speed_at_centres():
    flow = uniform_rotation()
    x, z = np.meshgrid(GRID.x, GRID.z)
    velocity = flow.crystals.velocity
    np.testing.assert_allclose(velocity.velocity_x[0], -z, atol=1e-9)
    np.testing.assert_allclose(velocity.velocity_z[0], x, atol=1e-9)
    speed = flow.crystals.speed
    np.testing.assert_allclose(speed[0], np.hypot(x, z))
    assert speed.dims == ("sample", "z", "x")
    assert speed.attrs["units"] == "m s-1"


def test_the_rest_is_what_the_library_gives(solution):
    assert solution.crystals.vorticity.equals(diagnostics.vorticity(solution))
    assert solution.crystals.strain_rate.equals(diagnostics.strain_rate(solution))
    centres = solution.crystals.at_centres()
    assert centres.crystal_velocity_z.equals(crystal_motion(solution).crystal_velocity_z)
    np.testing.assert_array_equal(centres.crystal_x, solution.crystal_x)
    assert solution.crystals.plot(1).axes


def test_opening_a_file_registers_the_accessor(solution, tmp_path):
    crystalsim.save(solution, tmp_path / "s.nc")
    code = (
        "import sys, crystalsim; ds = crystalsim.open(sys.argv[1]);"
        "print(float(ds.crystals.speed.max()))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "s.nc")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) == float(solution.crystals.speed.max())


def appended(path):
    """Extent and arrays of a binary VTK file, by an independent reading of the format."""
    content = path.read_bytes()
    head, _, rest = content.partition(b'<AppendedData encoding="raw">_')
    root = ET.fromstring(head + b"</VTKFile>")
    arrays = {}
    for element in root.iter("DataArray"):
        start = int(element.get("offset"))
        size = int.from_bytes(rest[start : start + 8], "little")
        kind, bits = re.fullmatch(r"(\D+)(\d+)", element.get("type")).groups()
        dtype = f"<{kind[0].lower()}{int(bits) // 8}"
        array = np.frombuffer(rest[start + 8 : start + 8 + size], dtype)
        components = int(element.get("NumberOfComponents"))
        arrays[element.get("Name")] = array if components == 1 else array.reshape(-1, components)
    return root.find(".//Piece").attrib, arrays


def test_vtk_is_read_back(solution, tmp_path):
    paths = write_vtk(solution, tmp_path / "vtk")
    assert [p.name for p in paths] == ["sample-00000.vtr", "sample-00001.vtr"]
    piece, arrays = appended(paths[1])
    assert piece["Extent"] == "0 30 0 0 0 20"
    np.testing.assert_array_equal(arrays["x"], GRID.x_face)
    np.testing.assert_array_equal(arrays["y"], [0])
    np.testing.assert_array_equal(arrays["z"], GRID.z_face)
    # x runs fastest in VTK, as in our arrays on (z, x).
    velocity = solution.crystals.velocity.isel(sample=1)
    np.testing.assert_array_equal(arrays["velocity"][:, 0], velocity.velocity_x.values.ravel())
    np.testing.assert_array_equal(arrays["velocity"][:, 1], 0)
    np.testing.assert_array_equal(arrays["velocity"][:, 2], velocity.velocity_z.values.ravel())
    for name in ("pressure", "phase", "crystal_fraction", "stream_function"):
        np.testing.assert_array_equal(arrays[name], solution[name].values[1].ravel())
    listed = ET.parse(tmp_path / "vtk" / "samples.pvd").getroot().iter("DataSet")
    names = [(d.get("timestep"), d.get("part"), d.get("file")) for d in listed]
    assert names[2:] == [("1", "0", "sample-00001.vtr"), ("1", "1", "crystals-00001.vtp")]


def test_media_in_vtk_are_painted_or_given(solution, tmp_path):
    _, arrays = appended(write_vtk(solution, tmp_path / "painted")[0])
    fraction = solution["crystal_fraction"].values[0].ravel()
    np.testing.assert_allclose(arrays["density"], 2700 + 200 * fraction)
    (_, scene), *_ = scenes(solution, GRID)
    np.testing.assert_array_equal(arrays["viscosity"], scene.viscosity_cell.ravel())
    assert ((fraction == 0) == (arrays["viscosity"] == 1e20)).all()
    layers = np.linspace(3000, 2600, 20)[:, None] * np.ones(30)
    cases = make_cases(grid=GRID, density=layers, viscosity=layers * 1e17)
    _, arrays = appended(write_vtk(cases, tmp_path / "given")[0])
    np.testing.assert_array_equal(arrays["density"], layers.ravel())
    np.testing.assert_array_equal(arrays["viscosity"], 1e17 * layers.ravel())
    assert "velocity" not in arrays
    faces = np.linspace(3000, 2600, 21)[:, None] * np.ones(30)
    cases = make_cases(grid=GRID, density_face=faces)
    _, arrays = appended(write_vtk(cases, tmp_path / "faces")[0])
    np.testing.assert_allclose(arrays["density"], (0.5 * (faces[1:] + faces[:-1])).ravel())


def test_crystals_in_vtk_have_their_area_and_motion(solution, tmp_path):
    folder = write_vtk(solution, tmp_path)[1].parent
    piece, arrays = appended(folder / "crystals-00001.vtp")
    assert piece == {"NumberOfPoints": "128", "NumberOfPolys": "2"}
    assert arrays["offsets"].tolist() == [64, 128]
    for k, polygon in enumerate(arrays["points"].reshape(2, 64, 3)):
        np.testing.assert_allclose(polygon.mean(axis=0), [(100, -500)[k], 0, -50], atol=1e-9)
        np.testing.assert_allclose(np.linalg.norm(polygon - polygon.mean(axis=0), axis=1), 200)
    np.testing.assert_array_equal(arrays["crystal"], [0, 1])
    motion = crystal_motion(solution).isel(sample=1)
    np.testing.assert_array_equal(arrays["velocity"][:, 2], motion["crystal_velocity_z"])
    np.testing.assert_array_equal(arrays["angular_velocity"], motion["crystal_angular_velocity"])


def test_paraviews_library_reads_it(solution, tmp_path):
    """VTK itself: crystals lie where the phase says, and stand still where the flow does."""
    pyvista = pytest.importorskip("pyvista", reason="pip install pyvista")
    folder = write_vtk(solution, tmp_path)[1].parent
    section, crystals = pyvista.PVDReader(folder / "samples.pvd"), []
    assert section.time_values == [0, 1]
    section.set_active_time_value(1)
    grid, crystals = section.read()
    assert grid.n_cells == 600
    assert grid.bounds == pytest.approx((-1000, 1000, 0, 0, -500, 500))
    np.testing.assert_array_equal(grid.cell_data["phase"], solution["phase"].values[1].ravel())
    expected = solution["stream_function"].values[1].ravel()
    np.testing.assert_array_equal(grid.point_data["stream_function"], expected)
    assert crystals.n_cells == 2
    for k in range(2):
        polygon = crystals.get_cell(k)
        cells = grid.find_cells_within_bounds(polygon.bounds)
        inside = grid.cell_data["phase"][cells] == k + 1
        assert np.pi * 200**2 == pytest.approx(inside.sum() * GRID.hx * GRID.hz, rel=0.1)
    sizes = crystals.compute_cell_sizes()["Area"]
    np.testing.assert_allclose(sizes, np.pi * 200**2, rtol=2e-3)


def test_crystals_as_a_table(solution, tmp_path):
    write_crystals(solution, tmp_path / "c.csv")
    rows = list(csv.DictReader((tmp_path / "c.csv").open()))
    assert [(r["sample"], r["crystal"]) for r in rows] == [("0", "0"), ("1", "0"), ("1", "1")]
    assert float(rows[2]["x"]) == -500
    expected = crystal_motion(solution).crystal_velocity_z.values[1, 1]
    assert float(rows[2]["crystal_velocity_z"]) == expected > 0


@pytest.mark.parametrize("kind", ["cases", "solutions"])
def test_the_table_is_what_the_sampler_list_reads(kind, tmp_path):
    rigid, other = {**CRYSTAL, "viscosity": np.inf}, {**CRYSTAL, "x": -500}
    cases = make_cases([[rigid], [CRYSTAL, other]], GRID)
    dataset = crystalsim.get("solver", "builtin").solve(cases) if kind == "solutions" else cases
    write_crystals(dataset, tmp_path / "c.csv")
    walls = {"x_range": (-1000.0, 1000.0), "z_range": (-500.0, 500.0)}
    options = {"file": str(tmp_path / "c.csv"), "cells": (30, 20), **walls}
    xr.testing.assert_equal(crystalsim.get("sampler", "list", **options).sample(), cases)


def test_scores_as_latex(solution, tmp_path):
    scores = crystalsim.get("evaluator", "fields").evaluate(solution, solution)
    write_latex({"fields": scores}, tmp_path / "t.tex")
    text = (tmp_path / "t.tex").read_text()
    rows = [[cell.strip() for cell in line.rstrip(" \\").split("&")] for line in text.splitlines()]
    assert ["fields", r"relative\_l2", r"\%", "0", "0", "0"] in rows
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1


def test_command(command, solution, tmp_path):
    crystalsim.save(solution, tmp_path / "s.nc")
    crystalsim.save(cases_only(solution), tmp_path / "cases.nc")
    for source in ("s", "cases"):
        for target in (source, f"{source}.csv"):
            assert command("export", tmp_path / f"{source}.nc", tmp_path / target).status == 0
        assert len(list(csv.DictReader((tmp_path / f"{source}.csv").open()))) == 3
        _, arrays = appended(tmp_path / source / "sample-00001.vtr")
        assert ("velocity" in arrays) == (source == "s")
    wrong = command("export", tmp_path / "s.nc", tmp_path / "s.xlsx")
    assert wrong.status == 2
    assert "expected a folder, or a file .csv or .tex" in wrong.err


def test_a_run_is_exported_with_its_predictions(command, tmp_path):
    tables = {
        "samples": {"training": 1, "validation": 1, "test": 2},
        "sampler": {"cells": 16, "radius": [100.0, 200.0]},
        "model": {"plugin": "dilute"},
        "baselines": ["isoviscous"],
        "evaluators": ["fields"],
    }
    run.run(resolve(tables), tmp_path / "run")
    assert command("export", tmp_path / "run", tmp_path / "vtk").status == 0
    folders = {path.parent.name for path in tmp_path.glob("vtk/*/samples.pvd")}
    assert folders == {"solved", "dilute", "isoviscous"}
    solved = crystalsim.open(tmp_path / "run" / "solutions" / "test")
    _, arrays = appended(tmp_path / "vtk" / "solved" / "sample-00001.vtr")
    np.testing.assert_array_equal(arrays["speed"], solved.crystals.speed.values[1].ravel())
    assert command("export", tmp_path / "run", tmp_path / "c.csv").status == 0
    rows = list(csv.DictReader((tmp_path / "c.csv").open()))
    assert len(rows) == solved["crystal_count"].sum()
    assert command("export", tmp_path / "run", tmp_path / "t.tex").status == 0
    assert "fields-isoviscous" in (tmp_path / "t.tex").read_text()
    (tmp_path / "run" / "summary.txt").unlink()
    half = command("export", tmp_path / "run", tmp_path / "other")
    assert half.status == 1
    assert "no finished run" in half.err
