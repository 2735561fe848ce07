"""`crystalsim compare`: solvers side by side, files against a reference, different grids."""

import csv
import shutil

import numpy as np
import pytest

import crystalsim
from crystalsim import Grid, make_cases
from crystalsim.config.run import resolve
from crystalsim.errors import CrystalsimError, SchemaError
from crystalsim.evaluation.comparison import coarsen, common_grid, compare
from crystalsim.plotting.compare import plot_comparison
from crystalsim.stokes import operators
from crystalsim.testing import example_solutions
from crystalsim.workflows import run as pipeline

EVALUATORS = {"fields": {}, "crystals": {}}
CRYSTAL = {"x": 100, "z": -200, "radius": 150, "density": 2900, "viscosity": 1e23}


def solution(cells=16, samples=2, **options):
    crystals = [[{**CRYSTAL, "x": 100 - 150 * k}] for k in range(samples)]
    cases = make_cases(crystals, Grid(cells, cells))
    return crystalsim.get("solver", "builtin", **options).solve(cases)


def faster(flow, factor):
    names = ("velocity_x", "velocity_z", "stream_function")
    return flow.assign({name: factor * flow[name] for name in names})


@pytest.fixture
def files(tmp_path):
    """Three solutions: on 16 cells, twice as fast, and on 32."""
    flows = {"a": solution(), "twice": faster(solution(), 2.0), "fine": solution(32)}
    for name, flow in flows.items():
        crystalsim.save(flow, tmp_path / f"{name}.nc")
    return tmp_path


def test_solvers_side_by_side(command, figures, cases_file, tmp_path):
    output = tmp_path / "comparison"
    names = ("--solvers", "builtin", "direct")
    result = command("compare", *names, cases_file, "--workers", 1, "--output", output)
    assert result.status == 0
    assert "reference: builtin, 16 x 16 cells" in result.out
    with (output / "table.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["solution"] == "direct"
    # The default tolerance leaves a few 1e-3; the two solve the same equations.
    assert 0 < float(row["relative_l2.worst"]) < 5e-3
    left = figures["errors.png"].axes[0]
    assert [label.get_text() for label in left.get_yticklabels()] == ["direct"]
    points = left.lines[0].get_xdata()
    assert points.size == 5
    assert max(points) == pytest.approx(100 * float(row["relative_l2.worst"]), rel=1e-3)
    assert crystalsim.open(output / "solutions" / "direct").sizes["sample"] == 5


def test_names_may_be_repeated_or_follow_each_other(command, cases_file):
    shown = [
        command("compare", *arguments, "--workers", 1).out.splitlines()[2:4]
        for arguments in (
            (cases_file, "--solvers", "builtin", "--solvers", "direct"),
            (cases_file, "--solvers", "builtin", "direct"),
        )
    ]
    # The last column is the time.
    assert shown[0][1].split()[:-1] == shown[1][1].split()[:-1]


def test_a_solver_that_is_not_there_is_named_and_left_out(command, cases_file):
    arguments = ("--solvers", "builtin", "nowhere", "direct", cases_file, "--workers", 1)
    result = command("compare", *arguments)
    assert result.status == 0
    assert "solver 'nowhere' is left out: unknown solver 'nowhere'" in result.err
    assert "\ndirect " in result.out
    alone = command("compare", "--solvers", "builtin", "nowhere", cases_file, "--workers", 1)
    assert alone.status == 1
    assert "nothing to compare" in alone.err


def test_a_solver_that_cannot_run_here_is_left_out(command, cases_file):
    """Its plugin is installed, the program that it runs is not."""
    options = ("-o", "solver.lamem.executable=/no/such/program", "--workers", 1)
    result = command("compare", "--solvers", "direct", "lamem", "builtin", cases_file, *options)
    assert result.status == 0
    assert "solver 'lamem' is left out: solver.executable = '/no/such/program'" in result.err
    assert "\nbuiltin " in result.out


def test_options_of_each_solver(command, cases_file):
    arguments = ("compare", "--solvers", "direct", "builtin", cases_file, "--workers", 1)
    loose = command(*arguments, "-o", "solver.builtin.tolerance=0.5").out
    tight = command(*arguments, "-o", "solver.builtin.tolerance=1e-8").out
    errors = [float(text.splitlines()[3].split()[3]) for text in (loose, tight)]
    assert errors[0] > 100 * errors[1]
    wrong = command(*arguments, "-o", "solver.tolerance=0.5")
    assert wrong.status == 2
    assert "'solver.tolerance': expected solver.NAME.tolerance" in wrong.err


def test_files_against_a_reference(command, files):
    result = command("compare", files / "twice.nc", "--reference", files / "a.nc")
    assert result.status == 0
    line = result.out.splitlines()[3].split()
    # Mean, 95th percentile and worst of both primary errors, with R2 and MSE between them.
    assert line[:6] == ["twice", "16", "16", "100", "100", "100"]
    assert line[8:11] == ["100", "100", "100"]


def test_different_grids_are_compared_on_the_coarser(command, files):
    result = command(
        "compare", files / "fine.nc", files / "twice.nc", "--reference", files / "a.nc"
    )
    assert result.status == 0
    told = "compared on 16 x 16 cells, as exact averages over their faces: fine from 32 x 32"
    assert told in result.out
    error = float(result.out.splitlines()[3].split()[3])
    assert 0.5 < error < 10  # of the grid, in per cent


def test_other_cases_are_refused_by_name(command, files, cases_file):
    crystalsim.save(solution(samples=3), files / "three.nc")
    result = command("compare", files / "three.nc", "--reference", files / "a.nc")
    assert result.status == 1
    assert "different numbers of samples: reference has 2, three has 3" in result.err
    result = command("compare", cases_file, "--reference", files / "a.nc")
    assert result.status == 1 and "cases.nc" in result.err


def test_grids_that_do_not_fit_are_refused():
    flows = {"reference": solution(16), "odd": solution(24)}
    with pytest.raises(SchemaError, match=r"'odd' is on Grid\(nx=24.*does not refine Grid\(nx=16"):
        common_grid(flows)
    narrow = make_cases([[CRYSTAL]], Grid(32, 32, -900, 900))
    flows = {"reference": solution(16, 1), "narrow": example_solutions(narrow)}
    with pytest.raises(SchemaError, match="'narrow' is on Grid"):
        common_grid(flows)


def test_coarser_means_keep_fluxes():
    fine, grid = solution(32), Grid(8, 16)
    coarse = crystalsim.validate(coarsen(fine, grid), "solutions")
    divergence = operators.divergence(
        coarse.velocity_x.values, coarse.velocity_z.values, grid.hx, grid.hz
    )
    assert abs(divergence).max() * grid.hx < 1e-12 * abs(coarse.velocity_z.values).max()
    # Through the face from corner (z 4, x 3) to (z 5, x 3): two fine faces.
    flux = fine.velocity_x.values[1, 8:10, 12].sum() * fine.velocity_x.z.diff("z").values[0]
    assert coarse.velocity_x.values[1, 4, 3] * grid.hz == pytest.approx(flux, rel=1e-12)
    psi = operators.velocity(coarse.stream_function.values, grid.hx, grid.hz)[1]
    assert np.allclose(psi, coarse.velocity_z, rtol=0, atol=1e-12 * abs(psi).max())


def test_samples_that_failed_are_left_out_for_all():
    good, bad = solution(samples=3), faster(solution(samples=3), 1.5)
    bad["converged"][1] = False
    bad["velocity_x"][1] = np.nan
    result = compare(good, {"bad": bad, "same": good}, EVALUATORS)
    assert result.notes == ["left out for all, since not converged somewhere: samples 1"]
    for row, error in zip(result.rows, (0.5, 0.0), strict=True):
        assert row.values["relative_l2.worst"] == pytest.approx(error)
    bad["converged"][:] = False
    with pytest.raises(CrystalsimError, match="no sample converged"):
        compare(good, {"bad": bad}, EVALUATORS)


def test_figure_has_a_row_for_each_and_a_point_for_each_sample():
    reference = solution()
    others = {"a bit": faster(reference, 1.01), "much": faster(reference, 1.5), "same": reference}
    figure = plot_comparison(compare(reference, others, EVALUATORS).scores)
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == list(others)
    points = [line.get_xdata() for line in left.lines]
    assert [p.size if np.ndim(p) else 1 for p in points] == [2, 1, 2, 1, 0]
    assert points[2] == pytest.approx([50, 50])
    assert "crystal" in right.get_xlabel()


def test_no_figure_without_errors(command, files):
    output = files / "out"
    arguments = (files / "a.nc", "--reference", files / "a.nc", "--output", output)
    result = command("compare", *arguments)
    assert result.status == 0
    assert "no figure: comparison: expected relative L2 error" in result.out
    assert (output / "table.csv").is_file()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs on the same samples, one on others."""
    folder = tmp_path_factory.mktemp("runs")
    small = {
        "evaluators": ["fields", "crystals"],
        "baselines": ["isoviscous", "dilute"],
        "samples": {"training": 2, "validation": 1, "test": 3},
        "sampler": {"cells": 16, "radius": [100.0, 200.0]},
    }
    made = {}
    for name, model, seed in (("a", "dilute", 0), ("b", "superposition", 0), ("c", "dilute", 1)):
        config = resolve(small, {"model": {"plugin": model}, "seed": seed})
        made[name] = folder / name
        pipeline.run(config, made[name])
    return made


def test_runs_are_compared_on_their_test_samples(command, runs):
    done = command("compare", runs["a"], runs["b"])
    assert done.status == 0, done.err
    names = [line.split("  ")[0] for line in done.out.splitlines()]
    # The baselines are in both runs and listed once.
    for name in ("dilute", "superposition", "isoviscous"):
        assert names.count(name) == 1, done.out


def test_runs_on_other_samples_are_refused(command, runs):
    done = command("compare", runs["a"], runs["c"])
    assert done.status == 1
    assert "cannot compare" in done.err
    assert "crystals are not the same" in done.err


def test_a_run_that_is_not_finished_is_named(command, runs, tmp_path):
    shutil.copytree(runs["a"], tmp_path / "half")
    (tmp_path / "half" / "summary.txt").unlink()
    done = command("compare", tmp_path / "half")
    assert done.status == 1
    assert "half: no finished run" in done.err
