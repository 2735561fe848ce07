"""Everything that LaMEM may get wrong, most of it in silence: each has its message."""

import logging
import re

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid, make_cases
from crystalsim.errors import OptionError
from crystalsim_lamem.checks import check_fields
from crystalsim_lamem.coefficients import coefficients, to_nodes
from crystalsim_lamem.failures import LamemError
from crystalsim_lamem.flow import Sheet

CRYSTAL = {"x": -200, "z": 150, "radius": 200, "density": 2900, "viscosity": 1e24}
SECOND = {"x": 400, "z": -300, "radius": 150, "density": 2800, "viscosity": 1e23}


def cases(*samples):
    return make_cases(samples or ([CRYSTAL],), Grid(16, 16))


def solve(fake, *samples, **options):
    return crystalsim.get("solver", "lamem", executable=fake, **options).solve(cases(*samples))


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("crash", r"ended with status 83 \(Zero pivot in LU factorization\); its log ends: .*Zero"),
        ("unfinished", r"'SOLUTION IS DONE' is not in its log, which ends: "),
        ("not_converged", r"its linear solver failed: Linear js_ solve did not converge"),
        ("residual", r"its momentum residual is 3e\+06; expected 0.0001 at most"),
        ("residual_nan", r"its momentum residual is nan"),
        ("no_step", r"wrote no output after the solve \(no folder Timestep_00000001_\*\)"),
        ("no_index", r"wrote no index of its output \(Timestep_00000001_1.1\S+/output.pvtr\)"),
        ("no_piece", r"output_p00000000.vtr: cannot be read: No such file"),
        ("cut", r"output_p00000000.vtr: cut off within"),
        ("nan", r"its velocity_z holds 1 values that are not finite"),
        ("zero", r"its velocity is exactly zero"),
        ("wrong_density", r"its density at \(.*\) m is 27\S+ kg m-3; expected 27"),
        ("wrong_viscosity", r"its viscosity at \(.*\) m is \S+ Pa s; expected "),
        ("no_radius", r"it did not read the crystals as they were written|exactly zero"),
        ("divergent", r"its velocity differs by \S+ from any divergence-free flow"),
    ],
)
def test_each_failure_has_its_message(fake, monkeypatch, caplog, behaviour, message):
    monkeypatch.setenv("FAKE_LAMEM", behaviour)
    with caplog.at_level(logging.WARNING):
        solution = solve(fake)
    crystalsim.validate(solution, "solutions")
    assert not solution.converged.any()
    assert np.isnan(solution.velocity_z).all()
    (record,) = caplog.records
    assert record.getMessage().startswith("sample 0: LaMEM: ")
    assert re.search(message, record.getMessage()), record.getMessage()


def test_one_failure_leaves_the_others(fake, monkeypatch, caplog):
    monkeypatch.setenv("FAKE_LAMEM", "crash:2")
    solution = solve(fake, [CRYSTAL], [CRYSTAL, SECOND], [SECOND])
    assert solution.converged.values.tolist() == [True, False, True]
    assert np.isfinite(solution.velocity_z[[0, 2]]).all()
    assert [r.getMessage()[:8] for r in caplog.records] == ["sample 1"]


def test_too_slow(fake, monkeypatch, caplog):
    monkeypatch.setenv("FAKE_LAMEM", "sleep")
    solution = solve(fake, time_limit=1.0)
    assert not solution.converged.any()
    assert r"was ended after 1 s (option time_limit); its log ends: Version : 2.2.1" in caplog.text


def test_missing_program_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OptionError, match=r"^LaMEM is not an executable .* LaMEM\.jl installs"):
        solve("")
    with pytest.raises(OptionError, match=r"solver.executable = '/no/where' is not an executable"):
        solve("/no/where")
    monkeypatch.setenv("CRYSTALSIM_LAMEM", "/some/where")
    with pytest.raises(OptionError, match=r"CRYSTALSIM_LAMEM = '/some/where' is not an exec"):
        solve("")


def test_program_from_the_variable_or_the_path(fake, monkeypatch):
    monkeypatch.setenv("CRYSTALSIM_LAMEM", fake)
    assert solve("").converged.all()
    monkeypatch.delenv("CRYSTALSIM_LAMEM")
    monkeypatch.setenv("PATH", fake.removesuffix("LaMEM"), prepend=":")
    assert solve("").converged.all()


def test_what_is_not_lamem_is_told(tmp_path):
    other = tmp_path / "LaMEM"
    other.write_text("#!/bin/sh\necho Hello\n")
    other.chmod(0o755)
    with pytest.raises(OptionError, match=r"tells no version of LaMEM .* its log ends: Hello"):
        solve(str(other))
    other.write_text("#!/bin/sh\necho '   Version : 1.9.0'\n")
    with pytest.raises(OptionError, match=r"is LaMEM 1.9.0; expected 2 or later"):
        solve(str(other))


def test_missing_launcher(fake):
    with pytest.raises(OptionError, match=r"solver.mpiexec = 'no-mpiexec': not an executable"):
        solve(fake, processes=2, mpiexec="no-mpiexec")


def test_bounds_that_one_sample_exceeds(fake):
    told = r"solver.memory = 0.01 GB: LaMEM takes about 0.2 GB for 16 x 16 cells"
    with pytest.raises(OptionError, match=told):
        solve(fake, memory=0.01)
    with pytest.raises(OptionError, match=r"solver.processes = 4: expected 2 at most"):
        solve(fake, processes=4, cores=2, mpiexec="true")


@pytest.mark.parametrize("change", [-1e-12, 1e-12])
def test_markers_on_the_edge_of_a_crystal_may_count_either_way(change):
    """In km or m they may fall inside or outside, which is no reason to refuse."""
    # Markers are 25 m apart; twelve lie on the circle about one of them.
    grid = Grid(20, 20)
    case = next(
        crystalsim.iterate_cases(
            make_cases([[{**CRYSTAL, "x": 12.5, "z": -37.5, "radius": 125}]], grid)
        )
    )
    media = coefficients(case._replace(radius=case.radius * (1 + change)), grid)
    velocity = np.ones((21, 21))
    nodes = to_nodes(media.density), to_nodes(media.viscosity)
    check_fields(Sheet(velocity, velocity, velocity, *nodes), case, grid, 4)
    other = case._replace(radius=case.radius * (0.99 if change > 0 else 1.01))
    with pytest.raises(LamemError, match="its density at"):
        check_fields(Sheet(velocity, velocity, velocity, *nodes), other, grid, 4)
