"""Files: what is written comes back as it was, in plain xarray too; what is damaged is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim.config.choice import Choice
from crystalsim.errors import SchemaError, StoreError
from crystalsim.execution.shards import solve_cases
from crystalsim.storage import netcdf
from crystalsim.storage.provenance import fingerprint

SOLVER = Choice("solver", "builtin")


@pytest.fixture
def solutions():
    cases = crystalsim.get("sampler", "random", cells=16, count=(0, 3)).sample(3, seed=1)
    return crystalsim.get("solver", "builtin").solve(cases)


@pytest.mark.parametrize("read", [xr.load_dataset, crystalsim.open], ids=["xarray", "crystalsim"])
def test_datasets_round_trip(solutions, tmp_path, read):
    scores = crystalsim.get("evaluator", "crystals").evaluate(solutions, solutions)
    cases = crystalsim.get("sampler", "random", cells=16).sample(2)
    for name, dataset in (("solutions", solutions), ("cases", cases), ("scores", scores)):
        crystalsim.save(dataset, tmp_path / f"{name}.nc")
        found = read(tmp_path / f"{name}.nc")
        assert found.identical(dataset)
        for variable in dataset.variables:
            assert found[variable].dtype == dataset[variable].dtype


def test_files_are_chunked_by_sample_and_lossless(solutions, tmp_path):
    crystalsim.save(solutions, tmp_path / "solutions.nc")
    with xr.open_dataset(tmp_path / "solutions.nc") as dataset:
        for name in ("velocity_x", "velocity_z", "pressure", "phase"):
            encoding = dataset[name].encoding
            assert encoding["chunksizes"] == (1, *dataset[name].shape[1:])
            assert encoding["zlib"] and encoding["shuffle"]
            assert "scale_factor" not in encoding and "least_significant_digit" not in encoding


def test_coordinates_say_where_the_fields_live(solutions, tmp_path):
    crystalsim.save(solutions, tmp_path / "solutions.nc")
    with xr.open_dataset(tmp_path / "solutions.nc") as dataset:
        assert dataset["x"].attrs["axis"] == dataset["x_face"].attrs["axis"] == "X"
        assert dataset["z_face"].attrs["c_grid_axis_shift"] == -0.5
        assert all("units" in dataset[name].attrs for name in dataset.data_vars)


def test_solved_files_say_how_they_came_about(cases_file, tmp_path):
    output = tmp_path / "solutions.nc"
    solve_cases(
        crystalsim.open(cases_file),
        Choice("solver", "builtin", {"tolerance": 1e-2}),
        output,
        seed=3,
    )
    attributes = xr.load_dataset(output).attrs
    assert attributes["Conventions"].startswith("CF-")
    assert attributes["crystalsim_version"] == crystalsim.__version__
    assert "crystalsim-builtin" in attributes["crystalsim_plugins"]
    expected = {"solver": {"plugin": "builtin", "tolerance": 1e-2}}
    assert json.loads(attributes["crystalsim_config"]) == expected
    assert attributes["seed"] == 3
    assert attributes["source"] and attributes["history"]


def test_a_folder_of_shards_equals_one_file(cases_file, tmp_path):
    cases = crystalsim.open(cases_file)
    solve_cases(cases, SOLVER, tmp_path / "one.nc", shard_size=2)
    solve_cases(cases, SOLVER, tmp_path / "many", shard_size=2)
    assert len(list((tmp_path / "many").glob("shard-*.nc"))) == 3
    one, many = crystalsim.open(tmp_path / "one.nc"), crystalsim.open(tmp_path / "many")
    assert one.drop_vars("wall_time").equals(many.drop_vars("wall_time"))
    assert not list(tmp_path.glob(".*")), "the hidden folder of shards is left behind"


def test_a_failed_write_leaves_the_old_file(solutions, tmp_path, monkeypatch):
    path = tmp_path / "solutions.nc"
    crystalsim.save(solutions, path)
    before = path.read_bytes()

    def fail(self, target, **_):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", fail)
    with pytest.raises(StoreError, match=r"solutions\.nc: cannot be written: No space left"):
        crystalsim.save(solutions.isel(sample=[0]), path, overwrite=True)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["solutions.nc"]


def test_damaged_files_are_named(solutions, tmp_path):
    path = tmp_path / "solutions.nc"
    with pytest.raises(StoreError, match=r"solutions\.nc: no such file"):
        crystalsim.open(path)
    path.write_text("not netCDF")
    with pytest.raises(StoreError, match=r"solutions\.nc: not a readable netCDF file"):
        crystalsim.open(path)
    crystalsim.save(solutions, path, overwrite=True)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match=r"solutions\.nc: not a readable netCDF file"):
        crystalsim.open(path)


def test_missing_and_damaged_shards_are_named(cases_file, tmp_path):
    folder = tmp_path / "solutions"
    solve_cases(crystalsim.open(cases_file), SOLVER, folder, shard_size=2)
    middle = netcdf.shard_path(folder, 1)
    middle.write_bytes(middle.read_bytes()[:500])
    with pytest.raises(StoreError, match=r"shard-00001\.nc: not a readable netCDF file"):
        crystalsim.open(folder)
    middle.unlink()
    with pytest.raises(StoreError, match=r"1 of 3 shards are missing \(shard-00001\.nc"):
        crystalsim.open(folder)
    (folder / netcdf.MANIFEST).unlink()
    with pytest.raises(StoreError, match=r"without manifest\.json"):
        crystalsim.open(folder)


def test_violations_name_the_file_and_the_variables(solutions, tmp_path):
    path = tmp_path / "wrong.nc"
    wrong = solutions.drop_vars("velocity_z")
    wrong["velocity_x"].attrs["units"] = "cm/a"
    netcdf.write(wrong, path)
    with pytest.raises(SchemaError, match=r"wrong\.nc: .*velocity_x.*cm/a.*m s-1.*velocity_z"):
        crystalsim.open(path)


def test_fingerprints_follow_the_numbers(solutions):
    assert fingerprint(solutions) == fingerprint(solutions.copy(deep=True))
    changed = solutions.copy(deep=True)
    changed["crystal_x"][0, 0] = np.nextafter(0.0, 1.0)
    assert fingerprint(solutions) != fingerprint(changed)


def test_a_folder_opens_lazily_as_one_dataset(cases_file, tmp_path):
    folder = tmp_path / "solutions"
    solve_cases(crystalsim.open(cases_file), SOLVER, folder, shard_size=2)
    lazy = crystalsim.open(folder, lazy=True)
    assert lazy["velocity_x"].chunks[0][0] == 2
    assert len(lazy["velocity_x"].chunks[0]) > 1
    whole = crystalsim.open(folder)
    xr.testing.assert_identical(lazy.load(), whole)
    # The speed of each sample, a shard at a time.
    again = crystalsim.open(folder, lazy=True)
    speed = abs(again["velocity_z"]).max(("z_face", "x")).compute()
    assert np.array_equal(speed, abs(whole["velocity_z"]).max(("z_face", "x")))
