"""Processes: what is kept and used again, what is left behind, how many run at once."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import crystalsim
from crystalsim import Grid, make_cases
from crystalsim.config.choice import Choice
from crystalsim.execution.schedule import Schedule
from crystalsim.execution.shards import solve_cases
from crystalsim_lamem.input_file import Version
from crystalsim_lamem.plugin import LamemOptions
from crystalsim_lamem.slots import estimated_memory, slot, slot_count

CRYSTAL = {"x": -200, "z": 150, "radius": 200, "density": 2900, "viscosity": 1e24}
SECOND = {"x": 400, "z": -300, "radius": 150, "density": 2800, "viscosity": 1e23}

SCRIPT = """
import sys, crystalsim
from crystalsim import Grid, make_cases
crystal = {"x": -200, "z": 150, "radius": 200, "density": 2900, "viscosity": 1e24}
solver = crystalsim.get("solver", "lamem", executable=sys.argv[1], keep_files=sys.argv[2])
solver.solve(make_cases([[crystal]], Grid(16, 16)))
"""


def solve(fake, *samples, **options):
    cases = make_cases(samples or ([CRYSTAL],), Grid(16, 16))
    return crystalsim.get("solver", "lamem", executable=fake, **options).solve(cases)


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s")


def alive(pid):
    """Whether a process runs; one that nobody has collected yet does not."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").is_file():
        state = stat.read_text().rpartition(")")[2].strip() if stat.is_file() else ""
    else:
        command = ["ps", "-o", "stat=", "-p", str(pid)]
        state = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return bool(state) and not state.startswith("Z")


@pytest.mark.parametrize("behaviour", ["sleep", pytest.param("stubborn", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(fake, monkeypatch, tmp_path, behaviour, kind):
    monkeypatch.setenv("FAKE_LAMEM", behaviour)
    arguments = [sys.executable, "-c", SCRIPT, fake, str(tmp_path)]
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as parent:
        count = {"sleep": 1, "stubborn": 2}[behaviour]

        def started():
            lines = [p.read_text().split() for p in tmp_path.glob("*/started")]
            return lines[0] if lines and len(lines[0]) == count else None

        pids = [int(pid) for pid in wait_for(started)]
        assert all(map(alive, pids))
        parent.send_signal(kind)
        assert parent.wait(20) != 0
    wait_for(lambda: not any(map(alive, pids)))


@pytest.mark.slow
def test_ctrl_c_on_the_command_with_workers(fake, monkeypatch, tmp_path):
    """As a terminal does it: the whole group of processes is interrupted."""
    monkeypatch.setenv("FAKE_LAMEM", "sleep")
    crystalsim.save(make_cases([[CRYSTAL], [SECOND]], Grid(16, 16)), tmp_path / "cases.nc")
    kept = tmp_path / "kept"
    command = [sys.executable, "-m", "crystalsim", "solve", str(tmp_path / "cases.nc")]
    command += ["--solver", "lamem", "-o", f"solver.executable={fake}", "--workers", "2"]
    command += ["-o", f"solver.keep_files={kept}", "-o", "solver.cores=2", "--shard-size", "1"]
    command += ["--output", str(tmp_path / "solutions")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as parent:
        started = wait_for(lambda: len(found := list(kept.glob("*/started"))) == 2 and found)
        pids = [int(path.read_text()) for path in started]
        assert all(map(alive, pids))
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.wait(20) == 130
        assert parent.stderr is not None
        told = parent.stderr.read()
        assert b"Interrupted" in told and b"Traceback" not in told
    wait_for(lambda: not any(map(alive, pids)))


def test_kept_files_are_used_again(fake, monkeypatch, tmp_path):
    first = solve(fake, keep_files=str(tmp_path / "kept"))
    (folder,) = (tmp_path / "kept").iterdir()
    assert folder.name.startswith("sample-0-")
    assert {"in.dat", "lamem.log"} <= {path.name for path in folder.iterdir()}
    monkeypatch.setenv("FAKE_LAMEM", "crash")  # would fail if it ran
    again = solve(fake, keep_files=str(tmp_path / "kept"))
    assert again.converged.all()
    assert first.drop_vars("wall_time").identical(again.drop_vars("wall_time"))
    assert not solve(fake, [SECOND], keep_files=str(tmp_path / "kept")).converged.any()


@pytest.mark.parametrize("behaviour", ["crash", "cut", "not_converged"])
def test_what_failed_is_run_again(fake, monkeypatch, tmp_path, behaviour):
    monkeypatch.setenv("FAKE_LAMEM", behaviour)
    assert not solve(fake, keep_files=str(tmp_path)).converged.any()
    assert len(list(tmp_path.glob("sample-0-*/lamem.log"))) == 1
    monkeypatch.delenv("FAKE_LAMEM")
    assert solve(fake, keep_files=str(tmp_path)).converged.all()


def test_temporary_folders_are_removed(fake, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert solve(fake).converged.all()
    assert not list(tmp_path.glob("crystalsim-lamem-?[!l]*/*/*"))
    assert [path.name for path in tmp_path.iterdir()] == [f"crystalsim-lamem-slots-{os.getuid()}"]


@pytest.mark.slow
def test_workers_shards_and_a_failure(fake, monkeypatch, tmp_path):
    """In processes of the core; a resumed call makes only what is missing."""
    monkeypatch.setenv("FAKE_LAMEM", "crash:2")
    samples = [[CRYSTAL], [CRYSTAL, SECOND], [SECOND], [{**SECOND, "radius": 90}]]
    cases = make_cases(samples, Grid(16, 16))
    options = {"executable": fake, "keep_files": str(tmp_path / "kept")}
    lamem, schedule = Choice("solver", "lamem", options), Schedule(workers=2)
    output = tmp_path / "solutions"
    assert solve_cases(cases, lamem, output, schedule=schedule, shard_size=1)
    solution = crystalsim.open(output)
    assert solution.converged.values.tolist() == [True, False, True, True]
    (output / "shard-00002.nc").unlink()
    times = {p: p.stat().st_mtime_ns for p in output.glob("shard-*")}
    assert solve_cases(cases, lamem, output, schedule=schedule, shard_size=1)
    assert all(p.stat().st_mtime_ns == time for p, time in times.items())
    assert len(list(Path(tmp_path / "kept").glob("*/lamem.log"))) == 4


def test_slots_bound_how_many_run(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    running, most, lock = 0, 0, threading.Lock()

    def work():
        nonlocal running, most
        with slot(2):
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.1)
            with lock:
                running -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_slots_follow_cores_and_memory():
    version, fine = Version(2, 2, 1), Grid(256, 256)
    needed = estimated_memory(fine, version, "direct")
    assert 1.8 <= needed <= 2.2  # 1.8 GB were measured
    assert slot_count(fine, version, LamemOptions(cores=8, memory=7.0)) == 3
    assert slot_count(fine, version, LamemOptions(cores=8, memory=100.0)) == 8
    assert slot_count(fine, version, LamemOptions(cores=8, memory=100.0, processes=4)) == 2
    assert estimated_memory(fine, Version(3, 1, 0), "direct") > 2 * needed
