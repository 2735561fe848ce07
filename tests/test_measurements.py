"""Flows against measured velocities."""

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim import Grid, make_cases
from crystalsim.errors import SchemaError, StoreError
from crystalsim.evaluation.measurements import interpolate, read_measurement, score_measurement

GRID = Grid(48, 40, -1000, 1000, -800, 800)
CRYSTAL = {"x": 100, "z": -200, "radius": 200, "density": 2900, "viscosity": 1e23}


@pytest.fixture(scope="module")
def solution():
    return crystalsim.get("solver", "builtin").solve(make_cases([[CRYSTAL]], GRID))


def measure(solution, noise=0.0, gaps=0.0, count=400):
    """Velocities at random points, with noise of a part of the rms and some of them missing."""
    random = np.random.default_rng(0)
    x, z = random.uniform(-1000, 1000, count), random.uniform(-800, 800, count)
    found = interpolate(solution.isel(sample=0), GRID, x, z)
    size = noise * np.sqrt((found**2).mean())
    found = found + size * random.standard_normal(found.shape)
    found[:, random.random(count) < gaps] = np.nan
    return x, z, found, size


def as_dataset(x, z, found, size):
    variables = {"x": x, "z": z, "velocity_x": found[0], "velocity_z": found[1]}
    made = xr.Dataset({name: ("point", values) for name, values in variables.items()})
    return made.assign(uncertainty=("point", np.full(x.size, size))) if size else made


def scores(solution, **how):
    found = score_measurement(as_dataset(*measure(solution, **how)), solution)
    return {name: float(values[0]) for name, values in found.data_vars.items()}


def test_the_flow_itself_has_no_error(solution):
    found = scores(solution)
    assert found["misfit"] < 1e-12
    assert found["best_scale"] == pytest.approx(1.0)
    assert np.isnan(found["reduced_chi_square"])


def test_noise_and_gaps(solution):
    found = scores(solution, noise=0.1, gaps=0.25)
    assert found["misfit"] == pytest.approx(0.1, rel=0.1)
    assert found["reduced_chi_square"] == pytest.approx(1.0, rel=0.15)
    assert found["points_used"] == pytest.approx(0.75, abs=0.06)


def test_a_wrong_density_is_a_factor(solution):
    heavier = make_cases([[{**CRYSTAL, "density": 3100}]], GRID)
    twice = crystalsim.get("solver", "builtin").solve(heavier)
    measurement = as_dataset(*measure(solution))
    found = score_measurement(measurement, twice)
    assert float(found.best_scale[0]) == pytest.approx(0.5)
    assert float(found.misfit[0]) == pytest.approx(1.0)
    assert float(found.misfit_best_scale[0]) < 1e-9


def test_interpolation_of_a_linear_flow():
    """``v_x = x, v_z = -z`` is bilinear: exact away from walls."""
    x_face, z_face = np.meshgrid(GRID.x_face, GRID.z)
    dims = ("z", "x_face"), ("z_face", "x")
    made = xr.Dataset(
        {
            "velocity_x": (dims[0], x_face),
            "velocity_z": (dims[1], -np.meshgrid(GRID.x, GRID.z_face)[1]),
        }
    )
    x, z = np.array([-700.0, 12.5]), np.array([333.0, -500.0])
    assert np.allclose(interpolate(made, GRID, x, z), [x, -z])
    assert z_face.shape == x_face.shape


@pytest.mark.parametrize("title", ["x [mm],z [mm],vx [mm/s],vz [mm/s]", "X,Y,u,v"])
def test_csv_with_units_and_other_names(tmp_path, title):
    path = tmp_path / "piv.csv"
    path.write_text(f"{title}\n1000,2000,3000,\n4000,5000,6000,7000\n", encoding="utf-8")
    found = read_measurement(path)
    factor = 1e-3 if "mm" in title else 1.0
    assert np.allclose(found.x, [1000 * factor, 4000 * factor])
    assert np.isnan(found.velocity_z[0]) and found.velocity_z[1] == pytest.approx(7000 * factor)


def test_netcdf_on_a_grid(tmp_path, solution):
    x, z = np.linspace(-900, 900, 30), np.linspace(-700, 700, 20)
    points = [p.ravel() for p in np.meshgrid(x, z)]
    found = interpolate(solution.isel(sample=0), GRID, *points)
    year = 365.25 * 24 * 3600
    made = xr.Dataset(
        {
            "vx": (("z", "x"), found[0].reshape(20, 30) * year * 100, {"units": "cm/yr"}),
            "vz": (("z", "x"), found[1].reshape(20, 30) * year * 100, {"units": "cm/yr"}),
        },
        {"x": ("x", x / 1000, {"units": "km"}), "z": ("z", z / 1000, {"units": "km"})},
    )
    made.to_netcdf(tmp_path / "piv.nc")
    result = score_measurement(read_measurement(tmp_path / "piv.nc"), solution)
    assert float(result.misfit[0]) < 1e-9


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("x,z,vx\n1,2,3\n", SchemaError, "no 'velocity_z'; expected one of"),
        ("x [ft],z,vx,vz\n1,2,3,4\n", SchemaError, "'x' in 'ft'; expected one of m, km"),
        ("x,z,vx,vz\n1,2,three,4\n", StoreError, "not a table of numbers"),
        ("x,z,vx,vz\n1,2\n", StoreError, "not a table of numbers"),
        ("", StoreError, "not a table of numbers"),
    ],
)
def test_mistakes_are_named(tmp_path, text, error, message):
    path = tmp_path / "piv.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(error, match=message) as caught:
        read_measurement(path)
    assert "piv.csv" in str(caught.value)


def test_points_elsewhere_are_told(solution):
    x, z, found, _ = measure(solution)
    with pytest.raises(SchemaError, match="are units and origin those of the flow"):
        score_measurement(as_dataset(x * 1e6, z, found, 0), solution)


def test_command(command, tmp_path, solution):
    x, z, found, _ = measure(solution, noise=0.05)
    table = np.stack([x, z, *found], axis=1)
    measured = tmp_path / "measured.csv"
    np.savetxt(measured, table, delimiter=",", header="x [m],z [m],vx [m/s],vz [m/s]", comments="")
    crystalsim.save(solution, tmp_path / "flow.nc")
    done = command("evaluate", measured, tmp_path / "flow.nc")
    assert done.status == 0, done.err
    assert "best_scale" in done.out
    # Kept, and found again; scores of another measurement are not mixed with them.
    again = ("evaluate", measured, tmp_path / "flow.nc", "--output", tmp_path / "scores")
    first = command(*again)
    assert first.status == 0, first.err
    assert command(*again).out == first.out
    np.savetxt(measured, table[:-1], delimiter=",", header="x,z,vx,vz", comments="")
    other = command(*again)
    assert other.status == 1
    assert "other reference" in other.err
