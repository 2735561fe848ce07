"""What a script may say of crystals, grids and media, and what is answered to mistakes."""

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim import Grid, make_cases
from crystalsim.errors import CrystalsimError, SchemaError, StoreError

CRYSTAL = {"x": 0, "z": 100, "radius": 120, "density": 2900, "viscosity": 1e24}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"radius": None}, r"crystals\[0\]\[0\]: radius = None; expected a finite number"),
        ({"radus": 3}, r"unknown 'radus'; did you mean 'radius'\?"),
        ({"density_contrast": 200}, "either 'density' or 'density_contrast'"),
        ({"radius": -4}, "radius = -4; expected a positive number"),
        ({"x": "left"}, "x = 'left'; expected a finite number"),
        ({"density": float("inf")}, "density = inf; expected a finite number"),
        ({"viscosity": "solid"}, "viscosity = 'solid'; expected a number or 'rigid'"),
    ],
)
def test_a_mistake_in_a_crystal_is_named(change, expected):
    with pytest.raises(SchemaError, match=expected):
        make_cases([[{**CRYSTAL, **change}]], Grid(16, 16))


def test_a_value_that_is_missing_is_named():
    with pytest.raises(SchemaError, match=r"crystals\[0\]\[1\]: 'z' is missing"):
        make_cases([[CRYSTAL, {"x": 500, "radius": 50}]], Grid(16, 16))


def test_one_sample_in_place_of_a_list_of_samples_is_named():
    with pytest.raises(SchemaError, match=r"make_cases\(\[crystals\], grid\)"):
        make_cases([CRYSTAL], Grid(16, 16))


def test_contrasts_and_rigid_crystals():
    said = {"x": 0, "z": 100, "radius": 120, "density_contrast": 200, "viscosity_contrast": 1e4}
    rigid = {"x": 0, "z": -300, "radius": 120, "density": 2600, "viscosity": "rigid"}
    cases = make_cases([[said, rigid]], Grid(16, 16))
    assert cases.crystal_density.values.tolist() == [[2900, 2600]]
    assert cases.crystal_viscosity.values.tolist() == [[1e24, np.inf]]
    assert bool(crystalsim.get("solver", "builtin").solve(cases).converged.all())


@pytest.mark.parametrize(
    "arguments",
    [
        (64.5, 64),
        ("64", 64),
        (True, 64),
        (0, 64),
        (64, -1),
        (64, 64, 1000, -1000),
        (64, 64, 0, 0),
        (64, 64, -1000, float("inf")),
        (64, 64, -1, 1, "a", 1),
    ],
)
def test_an_impossible_grid_is_refused(arguments):
    with pytest.raises(SchemaError, match=r"Grid: .* expected"):
        Grid(*arguments)


def test_numpy_numbers_make_a_grid():
    assert Grid(np.int64(16), np.int32(8), np.float32(-1), 1, 0, 1).nx == 16


def body(grid):
    """Viscosity and density of a stiff, heavy square."""
    inside = (np.abs(grid.x) < 300) & (np.abs(grid.z[:, None]) < 300)
    return np.where(inside, 1e22, 1e20), np.where(inside, 3000.0, 2700.0)


def test_media_on_the_grid_need_no_crystals(tmp_path):
    grid = Grid(24, 16)
    viscosity, density = body(grid)
    cases = make_cases(grid=grid, viscosity=viscosity, density=density)
    solution = crystalsim.get("solver", "builtin").solve(cases)
    assert solution.velocity_z.sel(x=0, z_face=0, method="nearest").item() < 0
    # A file that another program wrote, with the fields alone.
    fields = xr.Dataset(
        {"viscosity": (("z", "x"), viscosity), "density": (("z", "x"), density)},
        coords={"x": grid.x, "z": grid.z},
    )
    fields.to_netcdf(tmp_path / "fields.nc")
    read = crystalsim.open(tmp_path / "fields.nc")
    assert read.matrix_density.item() == 2700
    again = crystalsim.get("solver", "builtin").solve(read)
    xr.testing.assert_allclose(again.velocity_z, solution.velocity_z)


def test_several_samples_of_media():
    grid = Grid(16, 16)
    density = np.stack([body(grid)[1], 2700 + 2 * (body(grid)[1] - 2700)])
    solutions = crystalsim.get("solver", "builtin").solve(make_cases(grid=grid, density=density))
    first, second = solutions.velocity_z.values
    assert np.abs(second - 2 * first).max() < 1e-10 * np.abs(second).max()


def test_media_of_the_wrong_shape_are_refused():
    with pytest.raises(SchemaError, match=r"density has the shape \(3, 3\); expected \(16, 16\)"):
        make_cases(grid=Grid(16, 16), density=np.ones((3, 3)))
    with pytest.raises(SchemaError, match=r"grid = None; expected a crystalsim\.Grid"):
        make_cases([[CRYSTAL]])


def test_uneven_cells_of_a_file_with_fields_are_refused(tmp_path):
    fields = xr.Dataset(
        {"density": (("z", "x"), np.full((4, 4), 2700.0))},
        coords={"x": [0.0, 1.0, 3.0, 4.0], "z": np.arange(4.0)},
    )
    fields.to_netcdf(tmp_path / "uneven.nc")
    with pytest.raises(CrystalsimError, match=r"uneven\.nc.*'x.*evenly spaced"):
        crystalsim.open(tmp_path / "uneven.nc")


@pytest.mark.parametrize("value", ["rigid", "inf"])
def test_rigid_crystals_from_the_shell_and_from_a_table(command, tmp_path, value):
    drawn = tmp_path / "drawn.nc"
    option = f"sampler.viscosity_contrast={value}"
    assert command("sample", "-o", option, "-o", "sampler.cells=16", "--output", drawn).status == 0
    assert np.isposinf(crystalsim.open(drawn).crystal_viscosity.values).any()
    table = tmp_path / "crystals.csv"
    table.write_text(f"x,z,radius,density,viscosity\n0,0,100,2900,{value}\n")
    listed = tmp_path / "listed.nc"
    arguments = ["sample", "--sampler", "list", "-o", f"sampler.file={table}"]
    assert command(*arguments, "--output", listed).status == 0
    assert np.isposinf(crystalsim.open(listed).crystal_viscosity.values).all()


def test_save_replaces_no_file_unless_asked_to(tmp_path):
    path = tmp_path / "cases.nc"
    first, second = (make_cases([[]], Grid(n, n)) for n in (8, 16))
    crystalsim.save(first, path)
    with pytest.raises(StoreError, match=r"cases\.nc: is there already; .*overwrite=True"):
        crystalsim.save(second, path)
    assert crystalsim.open(path).identical(first)
    crystalsim.save(second, path, overwrite=True)
    assert crystalsim.open(path).identical(second)


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (xr.Dataset(), "there are no variables"),
        (xr.Dataset({"temperature": ("time", [1.0])}), r"score 'temperature' is on \('time',\)"),
        (make_cases([[CRYSTAL]], Grid(8, 8)).drop_vars("gravity"), "'gravity'.* is missing"),
        (np.ones(3), "ndarray .*expected an xarray.Dataset"),
    ],
    ids=["empty", "foreign", "incomplete", "array"],
)
def test_save_refuses_what_is_no_dataset_of_ours(tmp_path, dataset, expected):
    with pytest.raises(SchemaError, match=expected):
        crystalsim.save(dataset, tmp_path / "other.nc")
    assert not list(tmp_path.iterdir())


def test_notebooks_show_grids_and_options():
    grid = Grid(20, 10)._repr_html_()
    assert "20 &times; 10 cells of 100 m &times; 200 m" in grid
    shown = crystalsim.get("solver", "builtin", tolerance=0.25)._repr_html_()
    assert "<td>tolerance</td><td>0.25</td>" in shown and "BuiltinSolver" in shown
