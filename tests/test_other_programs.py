"""Our files before programs that know nothing of crystalsim."""

from __future__ import annotations

import json
import shutil
import subprocess

import netCDF4
import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim import get

JUSTIFIED = (
    # x is a length in metres along an axis X; the checker takes any such axis for a longitude.
    "should define valid units for longitude",
    # Made in Python, not by a command: files of commands carry it.
    "global attribute history should exist",
)
"""Warnings of compliance-checker that stay."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of each kind."""
    folder = tmp_path_factory.mktemp("files")
    options = {"cells": (16, 12), "count": (1, 3), "radius": (60.0, 150.0)}
    cases = get("sampler", "random", **options).sample(3, seed=1)
    solutions = get("solver", "builtin").solve(cases)
    scores = get("evaluator", "crystals").evaluate(solutions, get("model", "dilute").predict(cases))
    kinds = {"cases": cases, "solutions": solutions, "scores": scores}
    for name, dataset in kinds.items():
        crystalsim.save(dataset, folder / f"{name}.nc")
    return {name: folder / f"{name}.nc" for name in kinds}


def run(*command: object) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", ["cases", "solutions", "scores"])
def test_files_say_what_is_in_them(files, kind):
    with xr.open_dataset(files[kind]) as dataset:
        assert dataset.attrs["Conventions"] == "CF-1.11"
        assert dataset.attrs["title"]
        if "crystal" in dataset.sizes:
            assert dataset["crystal"].values.tolist() == [0, 1, 2]


def test_flags_mean_what_the_values_are(files):
    with netCDF4.Dataset(files["solutions"]) as stored:
        phase, converged = stored["phase"], stored["converged"]
        assert phase.flag_meanings == "magma crystal_0 crystal_1 crystal_2"
        assert converged.flag_meanings == "not_converged converged"
        for variable in (phase, converged):
            assert variable.flag_values.dtype == variable.dtype
            assert len(variable.flag_values) == len(variable.flag_meanings.split())
            assert set(np.unique(variable[...])) <= set(variable.flag_values)


@pytest.mark.parametrize("kind", ["cases", "solutions", "scores"])
def test_the_conventions_are_kept(files, kind, tmp_path):
    reason = "pip install compliance-checker"
    runner = pytest.importorskip("compliance_checker.runner", reason=reason)
    runner.CheckSuite.load_all_available_checkers()
    runner.ComplianceChecker.run_checker(
        str(files[kind]), ["cf:1.11"], 0, "lenient", output_filename=str(tmp_path / "report"),
        output_format="json",
    )  # fmt: skip
    report = json.loads((tmp_path / "report").read_text())["cf:1.11"]
    told = [
        message
        for level in ("high_priorities", "medium_priorities", "low_priorities")
        for check in report[level]
        for message in check["msgs"]
    ]
    assert report["scored_points"] > 0
    assert [text for text in told if not any(reason in text for reason in JUSTIFIED)] == []


def test_xgcm_finds_the_axes_and_no_divergence(files):
    xgcm = pytest.importorskip("xgcm", reason="pip install xgcm")
    with xr.open_dataset(files["solutions"]) as solutions:
        grid = xgcm.Grid(solutions)  # from the attributes alone
        for axis in ("x", "z"):
            found = grid.axes[axis.upper()].coords
            assert found == {"center": axis, "outer": f"{axis}_face"}
        across = grid.diff(solutions["velocity_x"], "X") / np.diff(solutions["x_face"])
        up = grid.diff(solutions["velocity_z"], "Z") / np.diff(solutions["z_face"])[:, None]
        speed = float(abs(solutions["velocity_z"]).max())
        assert float(abs(across).max()) * 100 > 1e-3 * speed
        assert float(abs(across + up).max()) * 100 < 1e-12 * speed


@pytest.mark.skipif(not shutil.which("ncdump"), reason="apt install netcdf-bin")
def test_ncdump_reads_them(files):
    for path in files.values():
        assert run("ncdump", "-k", path).strip() == "netCDF-4"
    header = run("ncdump", "-h", files["solutions"])
    assert "double velocity_x(sample, z, x_face)" in header
    assert 'phase:flag_meanings = "magma crystal_0 crystal_1 crystal_2"' in header


@pytest.mark.skipif(not shutil.which("cdo"), reason="apt install cdo")
def test_cdo_computes_with_them(files):
    shown = run("cdo", "-s", "output", "-vertsum", "-selname,pressure", files["solutions"])
    with xr.open_dataset(files["solutions"]) as solutions:
        expected = solutions["pressure"].sum("z").values.ravel()
    scale = abs(expected).max()
    np.testing.assert_allclose(np.fromstring(shown, sep=" "), expected, atol=1e-4 * scale)


def test_pandas_makes_a_table_of_the_crystals(files):
    pytest.importorskip("pandas")
    with xr.open_dataset(files["solutions"]) as solutions:
        names = [f"crystal_{name}" for name in ("x", "z", "radius")]
        table = solutions[names].to_dataframe().dropna()
        assert table.index.names == ["sample", "crystal"]
        assert len(table) == solutions["crystal_count"].sum()
        first = table.loc[(0, 0), "crystal_x"]
        assert first == solutions["crystal_x"].values[0, 0]
