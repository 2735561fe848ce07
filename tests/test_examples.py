"""The examples run on small data and give known numbers."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread

import crystalsim
from crystalsim import Grid, make_cases
from crystalsim.config.run import resolve
from crystalsim.workflows import run as pipeline

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
    figures = []
    draw = example.draw
    example.draw = lambda *values: figures.append(draw(*values)) or figures[-1]
    summary = example.main(str(tmp_path / "solutions.nc"), str(tmp_path / "figure.png"))

    # In two dimensions a disc in this box sinks 1.844 times as fast as a sphere without walls.
    assert float(alone[0]) == pytest.approx(1.844, abs=1e-3)
    assert float(summary["mean"].sel(crystal_count=1)) == pytest.approx(1.844, rel=0.01)
    assert float(summary["mean"].sel(crystal_count=2)) == pytest.approx(
        float(together.mean()), rel=0.01
    )
    assert "0 % of the crystals are carried upward" in capsys.readouterr().out
    points, mean, *_ = figures[0].axes[0].lines
    assert np.isfinite(points.get_ydata().astype(float)).sum() == 3
    np.testing.assert_allclose(mean.get_ydata().astype(float), summary["mean"])
    assert imread(tmp_path / "figure.png").shape[:2] == (525, 750)  # 3.5 x 5 inches


def test_worst_samples(tmp_path, capsys):
    tables = {
        "samples": {"training": 2, "validation": 1, "test": 20},
        "sampler": {"cells": 24, "radius": [60.0, 300.0], "count": 1},
        "model": {"plugin": "isoviscous"},
        "baselines": ["dilute"],
        "evaluators": ["strata"],
    }
    pipeline.run(resolve(tables), tmp_path / "run")
    example = load_example("worst_samples")
    found = example.explain(tmp_path / "run")
    # The model that was trained, not the baseline whose name is the first in the alphabet.
    assert "isoviscous: 20 crystals" in capsys.readouterr().out
    # Larger crystals disturb the isoviscous flow more.
    assert found["stratum_radius"] > 0.5
    example.explain(tmp_path / "run", "dilute")
    assert "dilute: 20 crystals" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no scores of 'unet'"):
        example.explain(tmp_path / "run", "unet")


def test_measured_velocities(tmp_path, capsys):
    scores = load_example("measured_velocities").main(str(tmp_path))
    wrong, right, too_heavy = scores["reduced_chi_square"].values
    # 1 where the flow is right within the uncertainty; 2100 points are left.
    assert right == pytest.approx(1.0, abs=0.1)
    assert min(wrong, too_heavy) > 100
    # Velocities are proportional to the difference of densities, here 600, 1100 and 1600.
    np.testing.assert_allclose(scores["best_scale"], [11 / 6, 1.0, 11 / 16], rtol=0.01)
    assert capsys.readouterr().out.count("kg/m3") == 3
