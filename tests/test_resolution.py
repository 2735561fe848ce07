"""What is said of crystals and gaps that a grid does not resolve."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid, make_cases
from crystalsim.contracts import GridFree
from crystalsim.datasets.resolution import (
    UnresolvedWarning,
    _State,
    describe_unresolved,
    resolution,
)
from crystalsim.runtime.log import logger


@pytest.fixture(autouse=True)
def _untold(monkeypatch):
    """Begin as a process of Python does, in which nothing was told."""
    monkeypatch.setattr(_State, "told", False)
    monkeypatch.setattr(logger, "handlers", [])


def disc(x, z, radius=100):
    return {"x": x, "z": z, "radius": radius, "density": 2900, "viscosity": 1e24}


def test_sizes_are_in_cells():
    cases = make_cases([[disc(0, 0), disc(260, 0, 50)], [disc(0, -880)], []], Grid(40, 20))
    sizes = resolution(cases)
    assert sizes.smallest_radius.values.tolist() == [0.5, 1.0, np.inf]
    assert sizes.smallest_gap.values == pytest.approx([1.1, np.inf, np.inf])
    assert sizes.smallest_wall_gap.values == pytest.approx([6.9, 0.2, np.inf])


def test_one_line_names_the_worst_sample_its_size_and_the_cell():
    cases = make_cases([[disc(0, 0)], [disc(0, 0), disc(202, 0)]], Grid(40, 40))
    cases["sample"] = [7, 9]
    text = describe_unresolved([cases, cases])
    assert "2 of 4 samples have gaps" in text
    assert "sample 9: 2 m between crystals, a cell is 50 m" in text


def test_nothing_is_said_of_what_is_resolved():
    assert not describe_unresolved([make_cases([[disc(0, 0)], []], Grid(40, 40))])


def small(x=0.0):
    return disc(x, 0, 15)


def test_small_crystals_and_gaps_are_told_apart_with_their_errors():
    cases = make_cases([[small()], [disc(0, 0), disc(215, 0)], [disc(0, 0)]], Grid(64, 64))
    text = describe_unresolved([cases])
    crystals, gaps, _ = text.split("; ")
    assert crystals.startswith("1 of 3 samples have crystals of less than a cell in radius")
    assert "sample 0: 15 m in radius, a cell is 31.2 m" in crystals and "50 %" in crystals
    assert gaps.startswith("1 of 3 samples have gaps of less than a cell")
    assert "sample 1: 15 m between crystals" in gaps and "4 %" in gaps


def test_a_wall_is_a_mirror_at_half_the_gap():
    for gap, told in ((16, False), (15, True)):
        cases = make_cases([[disc(0, -1000 + 100 + gap)]], Grid(64, 64))
        assert ("to a wall" in describe_unresolved([cases])) == told


def test_solutions_say_of_each_sample_whether_it_is_resolved(tmp_path):
    cases = make_cases([[disc(0, 0)], [small()], []], Grid(16, 16, -1000, 1000, -1000, 1000))
    with pytest.warns(UnresolvedWarning):
        solutions = crystalsim.get("solver", "builtin").solve(cases)
    assert solutions.resolved.values.tolist() == [False, False, True]


def test_python_is_told_once():
    code = """
        import crystalsim, warnings
        disc = dict(x=0, z=0, radius=15, density_contrast=200, viscosity="rigid")
        cases = crystalsim.make_cases([[disc]], crystalsim.Grid(16, 16))
        warnings.simplefilter("always")
        for _ in range(3):
            crystalsim.get("solver", "builtin").solve(cases)
            crystalsim.motion_of(crystalsim.get("solver", "builtin"), cases)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stderr.count("UnresolvedWarning: 1 of 1 samples") == 1


@pytest.fixture
def narrow(tmp_path):
    path = tmp_path / "narrow.nc"
    crystalsim.save(make_cases([[small(), disc(200, 300)]] * 3, Grid(16, 16)), path)
    return path


UNRESOLVED = "warning: 3 of 3 samples have crystals of less than a cell"


def test_solve_and_predict_warn_once(command, narrow, tmp_path):
    output = ("--shard-size", 1, "--workers", 1, "--output", tmp_path / "solutions.nc")
    solved = command("solve", narrow, *output)
    predicted = command("predict", narrow, "--model", "isoviscous", "--output", tmp_path / "p.nc")
    for result in (solved, predicted):
        assert result.status == 0
        assert result.err.count(UNRESOLVED) == result.err.count("less than a cell in") == 1
        assert "Unresolved" not in result.err
    in_workers = command("solve", narrow, *output[:2], "--workers", 2, "--output", tmp_path / "s")
    assert in_workers.err.count("less than a cell in") == 1


def test_who_needs_no_grid_is_not_warned(command, narrow, tmp_path, monkeypatch):
    solver = type(crystalsim.get("solver", "builtin"))
    monkeypatch.setattr(solver, "grid_free", True, raising=False)
    assert isinstance(crystalsim.get("solver", "builtin"), GridFree)
    result = command("solve", narrow, "--workers", 1, "--output", tmp_path / "solutions.nc")
    assert result.status == 0
    assert "less than a cell" not in result.err


def test_run_and_study_warn_once_over_all_samples(command, tmp_path):
    run = tmp_path / "run"
    options = ["sampler.cells=16", "sampler.radius=[20,60]", "sampler.count=1", "model.epochs=1"]
    counts = [f"samples.{name}=4" for name in ("training", "validation", "test")]
    given = [word for option in [*options, *counts] for word in ("-o", option)]
    result = command("run", "--model", "unet", *given, "--output", run)
    assert result.status == 0, result.err
    assert result.err.count("12 of 12 samples have crystals of less than a cell") == 1
    assert result.err.count("less than a cell in") == 1
    study = tmp_path / "study.toml"
    study.write_text(
        'title = "small"\ntest_samples = 3\n[run]\nbaselines = []\nmodel.plugin = "unet"\n'
        + "".join(f"{option}\n" for option in [*options, *counts])
        + '[tests."others"]\nradius = 30\n'
    )
    result = command("study", study, "--output", tmp_path / "study")
    assert result.status == 0, result.err
    assert result.err.count("15 of 15 samples have crystals of less than a cell") == 1
    assert result.err.count("less than a cell in") == 1
