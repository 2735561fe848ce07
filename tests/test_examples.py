"""The examples run on small data and give known numbers."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim import Grid, make_cases

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "tests" / "data" / "reference"


def load_example(name):
    path = ROOT / "examples" / f"{name}.py"
    specification = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def reference_case(name):
    """Crystals of a finite-element solution, and their sinking over their Stokes velocities."""
    reference = xr.load_dataset(REFERENCE / f"{name}.nc")
    columns = ("crystal_x", "crystal_z", "crystal_radius", "crystal_density_contrast")
    crystals = [
        {"x": x, "z": z, "radius": radius, "density": 2700 + contrast, "viscosity": 1e24}
        for x, z, radius, contrast in np.transpose([reference[c].values for c in columns])
    ]
    driving = reference["crystal_density_contrast"] * 9.81 * reference["crystal_radius"] ** 2
    return crystals, -reference["crystal_velocity_z"] / (2 / 9 * driving / 1e20)


def test_analyse_solutions(tmp_path, capsys):
    single, alone = reference_case("a")
    pair, together = reference_case("b2")
    cases = make_cases([single, pair], Grid(64, 64))
    solutions = crystalsim.get("solver", "builtin").solve(cases)
    crystalsim.save(solutions, tmp_path / "solutions.nc")

    example = load_example("analyse_solutions")
    summary = example.main(str(tmp_path / "solutions.nc"), str(tmp_path / "figure.png"))

    # In two dimensions a disc in this box sinks 1.844 times as fast as a sphere without walls.
    assert float(alone[0]) == pytest.approx(1.844, abs=1e-3)
    assert float(summary["mean"].sel(crystal_count=1)) == pytest.approx(1.844, rel=0.01)
    assert float(summary["mean"].sel(crystal_count=2)) == pytest.approx(
        float(together.mean()), rel=0.01
    )
    assert "0 % of the crystals are carried upward" in capsys.readouterr().out
    assert (tmp_path / "figure.png").stat().st_size > 5000
