"""What LaMEM 2.2.1 and 3.1.0 wrote: parser, mapping and failures."""

import shutil

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid, iterate_cases, make_cases
from crystalsim_lamem.checks import check_log, check_status, find_step, read_version
from crystalsim_lamem.coefficients import lamem_cases
from crystalsim_lamem.failures import LamemError
from crystalsim_lamem.flow import velocity_to_nodes
from crystalsim_lamem.solver import read_folder
from crystalsim_lamem.vtk import read_step

GOOD = ("v221_single_64x1x64", "v310_single_64x2x64_mpi2")
CRYSTAL = {"x": 0, "z": 0, "radius": 100, "density": 2900, "viscosity": 1e24}


def one_crystal(cells=64, **changes):
    return make_cases([[{**CRYSTAL, **changes}]], Grid(cells, cells))


def read(folder, cases, markers=4):
    return read_folder(folder, next(iterate_cases(cases)), Grid.from_dataset(cases), markers)


def gap(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.fixture(scope="module")
def reproduced():
    """LaMEM's equations, solved by another solver from LaMEM's coefficients."""
    solver = crystalsim.get("solver", "builtin", tolerance=1e-9)
    return solver.solve(lamem_cases(one_crystal())).isel(sample=0)


@pytest.mark.parametrize("name", GOOD)
def test_fields_are_those_of_the_same_equations(recorded, reproduced, name):
    found = read(recorded / name, one_crystal())
    for field, bound in (
        ("velocity_x", 2e-7),
        ("velocity_z", 2e-7),
        ("stream_function", 2e-8),
        ("pressure", 2e-3),
    ):
        assert gap(found[field], reproduced[field].values) < bound, field
    assert abs(found["pressure"].mean()) < 1e-9 * abs(found["pressure"]).max()


@pytest.mark.parametrize("name", GOOD)
def test_coefficient_model_gives_the_node_velocities(recorded, reproduced, name):
    nodes = read_step(find_step(recorded / name)).fields["velocity [cm/yr]"][:, 0]
    nodes = nodes * (0.01 / (365.25 * 86400))
    error = np.hypot(
        np.linalg.norm(velocity_to_nodes(reproduced.velocity_x.values, 0) - nodes[..., 0]),
        np.linalg.norm(velocity_to_nodes(reproduced.velocity_z.values, 1) - nodes[..., 2]),
    )
    assert error < 5e-7 * np.linalg.norm(nodes)


def test_media_are_in_si_units(recorded):
    found = read(recorded / GOOD[0], one_crystal())
    for field, least, most in (("viscosity", 1e20, 1e24), ("density", 2700, 2900)):
        values = found[f"{field}_node"]
        assert (values.min(), values.max()) == pytest.approx((least, most), rel=1e-5)
        assert values[32, 32] == pytest.approx(most, rel=1e-5)


def test_pieces_are_joined(recorded):
    nodes = read_step(find_step(recorded / GOOD[1]))
    assert nodes.fields["velocity [cm/yr]"].shape == (65, 3, 65, 3)
    assert np.allclose(nodes.z, np.linspace(-1, 1, 65), atol=1e-7)
    assert all(np.isfinite(values).all() for values in nodes.fields.values())


@pytest.mark.parametrize(("name", "version"), [(GOOD[0], (2, 2, 1)), (GOOD[1], (3, 1, 0))])
def test_version_and_report(recorded, name, version):
    log = (recorded / name / "lamem.log").read_text()
    assert read_version(log) == version
    report = check_log(log)
    assert report.iterations == {2: 2, 3: 3}[version[0]]
    assert 0 < report.residual < 1e-9


def test_a_misspelt_key_is_seen_by_its_zero_velocity(recorded):
    folder = recorded / "v221_16_typo_rc0_zero_velocity"
    with pytest.raises(LamemError, match="velocity is exactly zero"):
        read(folder, one_crystal(16), markers=2)


def test_a_krylov_solver_that_gave_up_with_status_0(recorded):
    with pytest.raises(LamemError, match="js_ solve did not converge due to DIVERGED_ITS"):
        read(recorded / "v221_16_ksp_not_converged_rc0", one_crystal(16))


def test_its_velocity_alone_would_give_it_away(recorded):
    """Without the log: the node velocities are not free of divergence."""
    folder = recorded / "v221_16_ksp_not_converged_rc0"
    log = (recorded / GOOD[0] / "lamem.log").read_text()
    with pytest.raises(LamemError, match="from any divergence-free flow"):
        copy = shutil.copytree(folder, folder.with_name("with a good log"))
        (copy / "lamem.log").write_text(log)
        read(copy, one_crystal(16), markers=2)


def test_status_83_comes_with_the_reason_and_the_end_of_the_log(recorded):
    log = (recorded / "v310_16_ksp_not_converged_rc83" / "lamem.log").read_text()
    with pytest.raises(LamemError, match=r"status 83 \(Linear js_ solve did not .*log ends: .*83"):
        check_status(83, log)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"density": 2900.1}, r"density at .* is 2900 kg m-3; expected 2900.1"),
        ({"density": 2901}, "density at .* is 2900 kg m-3; expected 2901"),
        ({"viscosity": 1.01e24}, r"viscosity at .* is \S+e\+\d+ Pa s; expected \S+:"),
        ({"radius": 103}, "it did not read the crystals as they were written"),
        ({"x": 4}, "it did not read the crystals as they were written"),
    ],
)
def test_output_of_another_case_is_refused(recorded, changes, message):
    with pytest.raises(LamemError, match=message):
        read(recorded / GOOD[0], one_crystal(**changes))


def test_output_on_another_grid_is_refused(recorded):
    with pytest.raises(LamemError, match="65 nodes in x; expected 33"):
        read(recorded / GOOD[0], one_crystal(32))
    wide = make_cases([[CRYSTAL]], Grid(64, 64, -1000, 1010))
    with pytest.raises(LamemError, match="of the domain from the grid's in x"):
        read(recorded / GOOD[0], wide)
