"""Many samples: the same numbers however they are shared out, and nothing is lost when stopped."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim.config.choice import Choice
from crystalsim.errors import StoreError
from crystalsim.execution.schedule import Schedule
from crystalsim.execution.shards import solve_cases
from crystalsim.workflows.run import SPLITS, split_seeds

SOLVER = Choice("solver", "builtin")

TEMPERAMENTAL = """
    import os
    import time

    from crystalsim import get
    from crystalsim.hookspecs import Plugin, hookimpl


    class Temperamental:
        '''Solves slowly, fails on samples named in FAIL, does not converge on those in DOUBT.'''

        def __init__(self):
            self.solver = get("solver", "builtin")

        def solve(self, cases):
            numbers = cases["sample"].values.tolist()
            for number in map(int, os.environ.get("FAIL", "").split()):
                if number in numbers:
                    raise RuntimeError("a bad day")
            time.sleep(float(os.environ.get("SLEEP", 0)))
            solved = self.solver.solve(cases)
            doubt = list(map(int, os.environ.get("DOUBT", "").split()))
            return solved.assign(converged=solved["converged"] & ~solved["sample"].isin(doubt))


    @hookimpl
    def crystalsim_solvers():
        return [Plugin("temperamental", "temperamental:Temperamental", "for tests")]
"""


def numbers(path: Path) -> xr.Dataset:
    """Read what must not depend on how the work was shared out."""
    return crystalsim.open(path, "solutions").drop_vars("wall_time")


def test_workers_and_shards_change_no_number(cases_file, tmp_path):
    cases = crystalsim.open(cases_file)
    whole = crystalsim.get("solver", "builtin").solve(cases).drop_vars("wall_time")
    for workers, shard_size in ((1, 64), (1, 1), (2, 2)):
        output = tmp_path / f"{workers}-{shard_size}.nc"
        assert solve_cases(cases, SOLVER, output, schedule=Schedule(workers), shard_size=shard_size)
        assert numbers(output).equals(whole)


def test_a_job_array_makes_the_same_folder(command, cases_file, tmp_path):
    output = tmp_path / "solutions"
    for part in (1, 2):
        result = command(
            *("solve", cases_file, "--output", output, "--shard", f"{part}/2"),
            *("--shard-size", 2, "--workers", 1),
        )
        assert result.status == 0
        assert ("still missing" in result.out) == (part == 1)
    whole = crystalsim.get("solver", "builtin").solve(crystalsim.open(cases_file))
    assert numbers(output).equals(whole.drop_vars("wall_time"))


def test_finished_shards_are_kept_and_damaged_ones_made_again(cases_file, tmp_path, caplog):
    cases, folder = crystalsim.open(cases_file), tmp_path / "solutions"
    solve_cases(cases, SOLVER, folder, shard_size=2)
    before = numbers(folder)
    first, second = folder / "shard-00000.nc", folder / "shard-00001.nc"
    kept = first.stat().st_mtime_ns
    second.write_bytes(second.read_bytes()[:700])
    solve_cases(cases, SOLVER, folder, shard_size=2)
    assert "shard-00001.nc" in caplog.text
    assert first.stat().st_mtime_ns == kept
    assert numbers(folder).equals(before)


def test_a_folder_belongs_to_one_configuration_and_to_its_cases(cases_file, tmp_path):
    cases, folder = crystalsim.open(cases_file), tmp_path / "solutions"
    solve_cases(cases, SOLVER, folder)
    with pytest.raises(StoreError, match=r"solver\.tolerance: None -> 0\.01"):
        solve_cases(cases, Choice("solver", "builtin", {"tolerance": 0.01}), folder)
    with pytest.raises(StoreError, match=r"other work \(.*cases"):
        solve_cases(cases.assign(gravity=cases["gravity"] * 2), SOLVER, folder)


def test_a_killed_solve_goes_on_and_gives_the_same(
    process, distribution, environment, cases_file, tmp_path
):
    distribution("temperamental", TEMPERAMENTAL)
    environment["SLEEP"] = "1.0"
    output = tmp_path / "solutions.nc"
    arguments = ["solve", cases_file, "--solver", "temperamental", "--output", output]
    arguments += ["--shard-size", "1", "--workers", "2"]
    solve = subprocess.Popen(
        [sys.executable, "-m", "crystalsim", *map(str, arguments)], env=environment
    )
    try:
        wait_for(lambda: list(tmp_path.glob(".solutions.nc.*/shard-*.nc")))
        workers = children(solve.pid)
    finally:
        solve.kill()
        solve.wait()
    assert workers
    wait_for(lambda: not any(map(alive, workers)))
    finished = {path: path.stat().st_mtime_ns for path in tmp_path.glob(".*/shard-*.nc")}
    assert 0 < len(finished) < 5
    assert not output.exists()
    environment["SLEEP"] = "0"
    assert process(*arguments).status == 0
    whole = crystalsim.get("solver", "builtin").solve(crystalsim.open(cases_file))
    assert numbers(output).equals(whole.drop_vars("wall_time"))
    assert not list(tmp_path.glob(".solutions*"))


def test_ctrl_c_ends_at_once_and_says_how_to_go_on(distribution, environment, cases_file, tmp_path):
    distribution("temperamental", TEMPERAMENTAL)
    environment["SLEEP"] = "30"
    output = tmp_path / "solutions"
    arguments = ["solve", cases_file, "--solver", "temperamental", "--output", output]
    arguments += ["--shard-size", "1", "--workers", "2"]
    solve = subprocess.Popen(
        [sys.executable, "-m", "crystalsim", *map(str, arguments)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        # A shell without job control starts background processes with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        wait_for(lambda: len(children(solve.pid)) >= 2)
        workers = children(solve.pid)
        start = time.monotonic()
        solve.send_signal(signal.SIGINT)
        _, errors = solve.communicate(timeout=20)
    finally:
        solve.kill()
    assert solve.returncode == 130
    assert time.monotonic() - start < 10
    assert "Traceback" not in errors
    assert "run the same command again" in errors
    wait_for(lambda: not any(map(alive, workers)))


@pytest.mark.parametrize("workers", [1, 2])
def test_samples_that_fail_are_named_and_the_rest_goes_on(
    process, distribution, environment, cases_file, tmp_path, workers
):
    distribution("temperamental", TEMPERAMENTAL)
    environment |= {"FAIL": "1", "DOUBT": "3 4"}
    output = tmp_path / "solutions.nc"
    result = process(
        *("solve", cases_file, "--solver", "temperamental", "--output", output),
        *("--workers", workers, "--shard-size", 3),
    )
    assert result.status == 0, result.err
    assert "Traceback" not in result.err
    assert "sample 1 failed: RuntimeError: a bad day" in result.err
    assert "2 samples did not converge" in result.err and ": 3, 4" in result.err
    found = numbers(output)
    assert found["converged"].values.tolist() == [True, False, True, False, False]
    assert np.isnan(found["velocity_x"][1]).all()
    whole = crystalsim.get("solver", "builtin").solve(crystalsim.open(cases_file))
    good = [0, 2]
    assert (found["velocity_x"][good] == whole["velocity_x"][good]).all()


def test_all_samples_failing_is_an_error(process, distribution, environment, cases_file, tmp_path):
    distribution("temperamental", TEMPERAMENTAL)
    environment["FAIL"] = "0 1 2 3 4"
    output = tmp_path / "solutions.nc"
    result = process("solve", cases_file, "--solver", "temperamental", "--output", output)
    assert result.status == 1
    assert result.err.splitlines()[-1].startswith("Error: all samples failed; sample 0:")
    assert not output.exists()


def test_a_solver_that_breaks_the_contract_is_reported(process, distribution, cases_file, tmp_path):
    broken = TEMPERAMENTAL.replace(
        "return solved.assign(", 'return solved.drop_vars("phase").assign('
    )
    distribution("temperamental", broken)
    output = tmp_path / "solutions.nc"
    result = process("solve", cases_file, "--solver", "temperamental", "--output", output)
    assert result.status == 1
    assert "Traceback" not in result.err
    assert "'phase' [1] on (sample, z, x) is missing" in result.err.splitlines()[-1]
    assert [path.name for path in tmp_path.glob("*.nc*")] == ["cases.nc"]
    assert not list(tmp_path.glob(".*"))


def test_a_worker_that_dies_is_reported(process, distribution, environment, cases_file, tmp_path):
    distribution(
        "temperamental", TEMPERAMENTAL.replace('raise RuntimeError("a bad day")', "os._exit(9)")
    )
    environment["FAIL"] = "2"
    result = process(
        *("solve", cases_file, "--solver", "temperamental", "--output", tmp_path / "solutions"),
        *("--workers", 2, "--shard-size", 1),
    )
    assert result.status == 1
    assert "Traceback" not in result.err
    assert "Error: a worker process died" in result.err


def test_splits_share_no_sample():
    seeds = split_seeds(0)
    assert len(set(seeds.values())) == len(SPLITS)
    assert not set(seeds.values()) & set(split_seeds(1).values())
    sampler = crystalsim.get("sampler", "random", cells=8)
    drawn = [sampler.sample(20, seed=seed)["crystal_x"].values for seed in seeds.values()]
    places = np.concatenate([array[np.isfinite(array)] for array in drawn])
    assert np.unique(places).size == places.size


TINY = (
    *("run", "--model", "isoviscous", "--workers", "1", "-o", "sampler.cells=16", "--seed", "2"),
    *("-o", "samples.training=4", "-o", "samples.validation=2", "-o", "samples.test=3"),
    *("-o", 'evaluators=["fields", "crystals"]'),
)


BOTH = ("--evaluator", "fields", "--evaluator", "crystals")


def test_a_run_does_everything_and_goes_on(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = command(*TINY, "-o", "baselines=[]")
    assert first.status == 0, first.err
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("isoviscous-")
    for split, count in (("training", 4), ("validation", 2), ("test", 3)):
        assert xr.load_dataset(folder / "cases" / f"{split}.nc").sizes["sample"] == count
        assert crystalsim.open(folder / "solutions" / split).sizes["sample"] == count
    crystalsim.open(folder / "predictions" / "isoviscous.nc", "solutions")
    scores = crystalsim.open(folder / "scores" / "fields-isoviscous.nc", "scores")
    mean = 100 * float(scores["relative_l2"].mean())
    (row,) = [line for line in first.out.splitlines() if line.startswith("isoviscous")]
    assert float(row.split()[1]) == pytest.approx(mean, rel=5e-3)
    assert "prototype (quoted)" in first.out
    config = tomllib.loads((folder / "config.toml").read_text())
    assert config["samples"] == {"training": 4, "validation": 2, "test": 3}
    with (folder / "summary.csv").open(newline="") as file:
        (summary,) = [r for r in csv.DictReader(file) if r["model"] == "isoviscous"]
    assert float(summary["relative_l2.mean"]) == pytest.approx(mean / 100)
    assert (folder / "summary.txt").read_text().strip() in first.out
    assert json.loads((folder / "model" / "model.json").read_text())["plugin"] == "isoviscous"
    assert "isoviscous" in (folder / "run.log").read_text()
    assert {path.stem for path in (folder / "figures").glob("*.png")} >= {"gallery"}

    files = [*folder.glob("cases/*"), *folder.glob("*/*/*.nc"), *folder.glob("predictions/*")]
    made = {path: path.stat().st_mtime_ns for path in files}
    second = command(*TINY, "-o", "baselines=[]")
    assert second.out == first.out
    assert {path: path.stat().st_mtime_ns for path in files} == made


def test_a_run_equals_its_stages(command, tmp_path):
    folder = tmp_path / "run"
    assert command(*TINY, "-o", "baselines=[]", "--output", folder).status == 0
    cases, solutions = tmp_path / "cases.nc", tmp_path / "solutions.nc"
    prediction, scores = tmp_path / "prediction.nc", tmp_path / "scores"
    seed = split_seeds(2)["test"]
    for arguments in (
        ("sample", "-n", 3, "--seed", seed, "-o", "sampler.cells=16", "--output", cases),
        ("solve", cases, "--output", solutions, "--workers", 1),
        ("predict", solutions, "--model", folder, "--output", prediction),
        ("evaluate", solutions, prediction, *BOTH, "--output", scores),
    ):
        assert command(*arguments).status == 0
    assert numbers(solutions).equals(numbers(folder / "solutions" / "test"))
    assert numbers(prediction).equals(numbers(folder / "predictions" / "isoviscous.nc"))
    for name in ("fields", "crystals"):
        alone = xr.load_dataset(scores / f"{name}.nc")
        assert alone.equals(xr.load_dataset(folder / "scores" / f"{name}-isoviscous.nc"))


def test_a_run_folder_belongs_to_one_configuration(command, tmp_path):
    folder = tmp_path / "run"
    assert command(*TINY, "-o", "baselines=[]", "--output", folder).status == 0
    other = command(*TINY, "-o", "baselines=[]", "-o", "samples.test=5", "--output", folder)
    assert other.status == 1
    assert other.err.splitlines()[-1].startswith("Error: ")
    assert "samples.test: 3 -> 5" in other.err


def test_plugins_hear_of_a_run(process, distribution, tmp_path):
    distribution(
        "listening-plugin",
        """
        from crystalsim.hookspecs import hookimpl

        @hookimpl
        def crystalsim_run_started(run, config):
            print("started", run.name, config["samples"]["test"])

        @hookimpl
        def crystalsim_dataset_ready(stage, dataset):
            print("ready", stage, dataset.sizes["sample"])

        @hookimpl
        def crystalsim_run_finished(results):
            print("finished", *results)
            raise ValueError("trackers may fail")
        """,
    )
    result = process(*TINY, "-o", "baselines=[]", "--output", tmp_path / "run")
    assert result.status == 0
    heard = [line for line in result.out.splitlines() if line.split(" ")[0] in HEARD]
    assert heard == [
        "started run 3",
        "ready training 4",
        "ready validation 2",
        "ready test 3",
        "ready scores/fields-isoviscous 3",
        "ready scores/crystals-isoviscous 3",
        "finished isoviscous",
    ]
    assert "crystalsim_run_finished of listening-plugin 1.0 failed" in result.err


HEARD = ("started", "ready", "finished")


@pytest.mark.slow
def test_a_trained_run_beats_the_baseline_and_repeats(command, tmp_path):
    arguments = (
        *("run", "--model", "unet", "-o", "sampler.cells=32", "-o", "model.epochs=3"),
        *("-o", "samples.training=48", "-o", "samples.validation=16", "-o", "samples.test=16"),
    )
    tables = []
    for name in ("first", "second"):
        result = command(*arguments, "--output", tmp_path / name)
        assert result.status == 0, result.err
        rows = [line.split() for line in result.out.splitlines() if line]
        tables.append({row[0]: row[1:9] for row in rows if row[0] in ("unet", "isoviscous")})
    assert tables[0] == tables[1]
    assert float(tables[0]["unet"][0]) < 0.5 * float(tables[0]["isoviscous"][0])


def wait_for(condition, seconds: float = 60.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    """Find the worker processes that a process started."""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.split(None, 1) for line in listed.stdout.splitlines()]
    return [int(number) for number, command in lines if "spawn_main" in command]


def alive(pid: int) -> bool:
    """Whether a process runs; zombies do not."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(state) and not state.startswith("Z")
