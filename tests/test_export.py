"""The accessor, and files for other tools, read back."""

import csv
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid, make_cases, make_solutions
from crystalsim.reports.export import write_crystals, write_latex, write_vtk
from crystalsim.stokes import diagnostics, operators
from crystalsim.stokes.crystal_motion import crystal_motion

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


def test_vtk_is_read_back(solution, tmp_path):
    paths = write_vtk(solution, tmp_path / "vtk")
    assert [p.name for p in paths] == ["sample-00000.vtr", "sample-00001.vtr"]
    piece = ET.parse(paths[1]).getroot().find(".//Piece")
    assert piece.get("Extent") == "0 30 0 0 0 20"
    arrays = {a.get("Name"): np.array(a.text.split(), float) for a in piece.iter("DataArray")}
    np.testing.assert_allclose(arrays["x"], GRID.x_face)
    np.testing.assert_allclose(arrays["z"], GRID.z_face)
    # x runs fastest in VTK, as in our arrays on (z, x).
    expected = solution.crystals.velocity.velocity_z.values[1].ravel()
    np.testing.assert_allclose(arrays["velocity"].reshape(-1, 3)[:, 2], expected, rtol=1e-6)
    np.testing.assert_allclose(arrays["pressure"], solution.pressure.values[1].ravel(), rtol=1e-6)
    listed = ET.parse(tmp_path / "vtk" / "samples.pvd").getroot().iter("DataSet")
    assert [d.get("file") for d in listed] == [p.name for p in paths]


def test_crystals_as_a_table(solution, tmp_path):
    write_crystals(solution, tmp_path / "c.csv")
    rows = list(csv.DictReader((tmp_path / "c.csv").open()))
    assert [(r["sample"], r["crystal"]) for r in rows] == [("0", "1"), ("1", "1"), ("1", "2")]
    assert float(rows[2]["x"]) == -500
    expected = crystal_motion(solution).crystal_velocity_z.values[1, 1]
    assert float(rows[2]["crystal_velocity_z"]) == expected > 0


def test_scores_as_latex(solution, tmp_path):
    scores = crystalsim.get("evaluator", "fields").evaluate(solution, solution)
    write_latex({"fields": scores}, tmp_path / "t.tex")
    text = (tmp_path / "t.tex").read_text()
    rows = [[cell.strip() for cell in line.rstrip(" \\").split("&")] for line in text.splitlines()]
    assert ["fields", r"relative\_l2", r"\%", "0", "0", "0"] in rows
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1


def test_command(command, solution, tmp_path):
    crystalsim.save(solution, tmp_path / "s.nc")
    for target in ("vtk", "c.csv"):
        assert command("export", tmp_path / "s.nc", tmp_path / target).status == 0
        assert (tmp_path / target).exists()
    wrong = command("export", tmp_path / "s.nc", tmp_path / "s.xlsx")
    assert wrong.status == 2
    assert "expected a folder, or a file .csv or .tex" in wrong.err
