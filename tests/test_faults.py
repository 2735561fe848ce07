"""Faults, injected: nothing is lost but the shard in hand, and a rerun gives the same numbers."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import crystalsim
from crystalsim.config.choice import Choice
from crystalsim.errors import CrystalsimError
from crystalsim.execution.schedule import Schedule
from crystalsim.execution.shards import solve_cases
from crystalsim.storage import files, netcdf
from crystalsim.storage.verify import verify

SOLVER = Choice("solver", "builtin")

MOODY = """
    import os
    import signal
    import time

    from crystalsim import get
    from crystalsim.hookspecs import Plugin, hookimpl


    class Moody:
        '''Solves slowly; on sample BAD it does what MOOD says.'''

        def __init__(self):
            self.solver = get("solver", "builtin")

        def solve(self, cases):
            mood = os.environ.get("MOOD", "")
            bad = int(os.environ.get("BAD", -1)) in cases["sample"].values
            time.sleep(float(os.environ.get("SLEEP", 0)) * cases.sizes["sample"])
            if bad and mood == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if bad and mood == "die once":
                try:
                    open(os.environ["ONCE"], "x").close()
                except FileExistsError:
                    pass
                else:
                    os.kill(os.getpid(), signal.SIGKILL)
            if bad and mood == "raise":
                raise ZeroDivisionError("no such luck")
            solved = self.solver.solve(cases)
            if bad and mood == "diverge":
                wrong = solved["sample"] == int(os.environ["BAD"])
                solved["velocity_x"] = solved["velocity_x"].where(~wrong)
                solved["converged"] = solved["converged"] & ~wrong
            return solved


    @hookimpl
    def crystalsim_solvers():
        return [Plugin("moody", "moody:Moody", "for tests")]
"""


@pytest.fixture
def cases(cases_file) -> xr.Dataset:
    return crystalsim.open(cases_file)


@pytest.fixture
def expected(cases) -> xr.Dataset:
    return crystalsim.get("solver", "builtin").solve(cases).drop_vars("wall_time")


@pytest.fixture
def moody(distribution):
    distribution("moody", MOODY)


def numbers(path: Path) -> xr.Dataset:
    return crystalsim.open(path, "solutions").drop_vars("wall_time")


def damage(path: Path) -> dict[str, str]:
    return {verdict.path.name: verdict.damage for verdict in verify(path) if verdict.damage}


def arguments(cases_file: Path, output: Path, *more: object) -> list[str]:
    given = ["solve", cases_file, "--output", output, "--shard-size", 1, *more]
    return [sys.executable, "-m", "crystalsim", *map(str, given)]


def whole_or_absent(folder: Path) -> None:
    """Assert that every file with its final name can be read and fits its checksum."""
    for path in folder.glob("shard-*.nc"):
        assert files.checksum_fits(path), path
        netcdf.read_file(path)


@pytest.mark.slow
def test_killed_at_twenty_random_moments(moody, environment, cases_file, tmp_path, expected):
    random = np.random.default_rng(7)
    folder = tmp_path / "solutions"
    command = arguments(cases_file, folder, "--solver", "moody", "--workers", 2)
    environment["SLEEP"] = "0.05"
    for _ in range(20):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0.3, 4.0))
        process.kill()
        process.wait()
        whole_or_absent(folder)
        for path in list(folder.glob("shard-*.nc"))[2:]:
            path.unlink()  # so that there is work to be killed in every time
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert numbers(folder).equals(expected)
    assert not damage(folder)


@pytest.mark.slow
def test_a_full_disk_is_named_and_space_is_enough(cases_file, tmp_path, expected):
    """A limit on the size of files stands for the disk: writing fails within netCDF."""
    folder = tmp_path / "solutions"
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (12000, 12000));"
        "from crystalsim.cli.main import main; main()"
    )
    command = arguments(cases_file, folder, "--workers", 1)
    limited = [sys.executable, "-c", script, *command[3:]]
    done = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Error:") and "shard-00000.nc: cannot be written" in last
    assert not list(folder.glob("*shard-*"))
    subprocess.run(command, capture_output=True, check=True)
    assert numbers(folder).equals(expected)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
def test_a_disk_that_fills_up(cases_file, tmp_path, expected):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting is not permitted here; see the test with a limit on files")
    folder = disk / "solutions"
    command = arguments(cases_file, folder, "--workers", 1)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "nc: cannot be written" in done.stderr.splitlines()[-1]
        assert f"the disk of {folder} is full: only " in done.stderr.splitlines()[-1]
        assert 0 < len(list(folder.glob("shard-*.nc"))) < 5
        whole_or_absent(folder)
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        subprocess.run(command, capture_output=True, check=True)
        assert numbers(folder).equals(expected)
    finally:
        # Lazily: a failed assertion may hold files open.
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path: Path) -> None:
    """Flip one bit of a velocity, by where its bytes are in the file."""
    with xr.open_dataset(path) as dataset:
        row = dataset["velocity_z"].values[0, 5].tobytes()
    content = bytearray(path.read_bytes())
    place = content.find(row)
    assert place > 0
    content[place + 3] ^= 0x10
    path.write_bytes(content)


def _flip_anywhere(path: Path) -> None:
    """Flip a bit of an attribute, which no reader notices."""
    content = bytearray(path.read_bytes())
    content[content.find(b"m s-1")] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [_truncate, _flip, _flip_anywhere])
def test_damaged_shards_are_found_and_made_again(command, cases_file, tmp_path, expected, spoil):
    folder = tmp_path / "solutions"
    solve = ("solve", cases_file, "--output", folder, "--shard-size", 2, "--workers", 1)
    assert command(*solve).status == 0
    assert not damage(folder)
    kept = (folder / "shard-00000.nc").stat().st_mtime_ns
    spoil(folder / "shard-00001.nc")
    assert damage(folder) == {"shard-00001.nc": "the checksum differs from the one on record"}
    found = command("verify", folder)
    assert found.status == 1
    (line,) = [line for line in found.out.splitlines() if "checksum" in line]
    assert "shard-00001.nc" in line
    solved = command(*solve)
    assert solved.status == 0
    assert "shard-00001.nc: damaged" in solved.err
    assert (folder / "shard-00000.nc").stat().st_mtime_ns == kept
    assert numbers(folder).equals(expected)
    assert command("verify", folder).status == 0


def test_a_flipped_bit_fails_in_any_reader(cases, tmp_path):
    """Files of their own have no checksum beside them, but HDF5's in them."""
    path = tmp_path / "solutions.nc"
    solve_cases(cases, SOLVER, path)
    _flip(path)
    with pytest.raises((OSError, RuntimeError)):
        xr.load_dataset(path)
    assert list(damage(path)) == ["solutions.nc"]


def test_missing_shards_and_numbers_that_are_none(cases, tmp_path):
    folder = tmp_path / "solutions"
    solve_cases(cases, SOLVER, folder, shard_size=2)
    (folder / "shard-00002.nc").unlink()
    wrong = netcdf.read_file(folder / "shard-00001.nc")
    wrong["velocity_x"][1, 3, 3] = np.nan
    netcdf.write(wrong, folder / "shard-00001.nc", checksum=True)
    found = damage(folder)
    assert "sample 3: velocity_x is not finite" in found["shard-00001.nc"]
    assert found["shard-00002.nc"].startswith("missing")


def test_folders_without_checksums_are_taken_over(cases, tmp_path, expected):
    folder = tmp_path / "solutions"
    solve_cases(cases, SOLVER, folder, shard_size=2)
    for record in (folder / files.CHECKSUMS).iterdir():
        record.unlink()
    before = {path: path.stat().st_mtime_ns for path in folder.glob("shard-*.nc")}
    manifest = json.loads((folder / netcdf.MANIFEST).read_text())
    assert "crystalsim-builtin" in manifest["versions"]
    del manifest["versions"]
    (folder / netcdf.MANIFEST).write_text(json.dumps(manifest))
    assert solve_cases(cases, SOLVER, folder, shard_size=2)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("shard-*.nc")} == before
    whole_or_absent(folder)
    assert numbers(folder).equals(expected)


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["processes", "local"])
def test_a_worker_that_dies(process, moody, environment, cases_file, tmp_path, expected, scheduler):
    folder = tmp_path / "solutions"
    environment |= {"MOOD": "die", "BAD": "4"}
    command = arguments(
        cases_file, folder, "--solver", "moody", "--workers", 2, "--scheduler", scheduler
    )[3:]
    failed = process(*command)
    assert failed.status == 1
    assert "Traceback" not in failed.err
    assert "died" in failed.err.splitlines()[-1]
    whole_or_absent(folder)
    assert len(list(folder.glob("shard-*.nc"))) >= 2
    environment["MOOD"] = ""
    assert process(*command).status == 0
    assert numbers(folder).equals(expected)


@pytest.mark.slow
def test_dask_gives_the_shard_of_a_dead_worker_to_another(
    process, moody, environment, cases_file, tmp_path, expected
):
    folder = tmp_path / "solutions"
    environment |= {"MOOD": "die once", "BAD": "3", "ONCE": str(tmp_path / "once")}
    options = ("--solver", "moody", "--workers", 2, "--scheduler", "local")
    done = process(*arguments(cases_file, folder, *options)[3:])
    assert done.status == 0, done.err
    assert (tmp_path / "once").exists()
    assert numbers(folder).equals(expected)


@pytest.mark.slow
@pytest.mark.parametrize(("mood", "message"), [("diverge", "not converge"), ("raise", "sample 2")])
def test_one_bad_sample(process, moody, environment, cases_file, tmp_path, expected, mood, message):
    environment |= {"MOOD": mood, "BAD": "2"}
    folder = tmp_path / "solutions"
    done = process(*arguments(cases_file, folder, "--solver", "moody", "--workers", 1)[3:])
    assert done.status == 0, done.err
    assert "Traceback" not in done.err
    assert message in done.err and (
        mood != "raise" or "ZeroDivisionError: no such luck" in done.err
    )
    found = numbers(folder)
    assert found["converged"].values.tolist() == [True, True, False, True, True]
    good = [0, 1, 3, 4]
    assert (found["velocity_x"][good] == expected["velocity_x"][good]).all()
    assert not damage(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["solutions", "solutions.nc"])
def test_several_processes_on_one_folder(moody, environment, cases_file, tmp_path, expected, name):
    environment["SLEEP"] = "0.2"
    command = arguments(cases_file, tmp_path / name, "--solver", "moody", "--workers", 1)
    started = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert numbers(tmp_path / name).equals(expected)
    assert not damage(tmp_path / name)
    assert not list(tmp_path.glob(f".{name}*")) and not list(tmp_path.glob("*/.*.tmp-*"))


def test_stale_files_of_dead_processes_are_removed(cases, tmp_path):
    folder = tmp_path / "solutions"
    solve_cases(cases, SOLVER, folder)
    dead = subprocess.Popen(["true"])
    dead.wait()
    host = socket.gethostname()
    names = {
        f".shard-00001.nc.tmp-{host}-{dead.pid}": False,
        f".shard-00001.nc.tmp-{dead.pid}": False,
        f".shard-00001.nc.tmp-{host}-{os.getppid()}": True,
        f".shard-00001.nc.tmp-elsewhere-{dead.pid}": True,
        ".notes.tmp": True,
    }
    for name in names:
        (folder / name).write_text("half")
    solve_cases(cases, SOLVER, folder)
    assert {name: (folder / name).exists() for name in names} == names


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/St_Johns"])
def test_clock_and_locale(environment, cases_file, tmp_path, expected, zone, process):
    folder = tmp_path / "solutions"
    command = arguments(cases_file, folder, "--workers", 1)[3:]
    environment |= {"TZ": zone, "LC_ALL": "tr_TR.UTF-8", "LANG": "de_DE"}
    assert process(*command, "--shard", "1/2").status == 0
    environment |= {"TZ": "UTC", "LC_ALL": "C"}
    assert process(*command).status == 0
    assert numbers(folder).equals(expected)
    assert not damage(folder)


def test_a_wrong_clock(cases, tmp_path, expected, monkeypatch):
    folder = tmp_path / "solutions"
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: 0.0)
        solve_cases(cases, SOLVER, folder, shard_size=1, schedule=Schedule(shard=(1, 2)))
    for path in folder.glob("shard-*.nc"):
        os.utime(path, (4e9, 4e9))  # made in the future
    assert solve_cases(cases, SOLVER, folder, shard_size=1)
    assert numbers(folder).equals(expected)


@pytest.mark.slow
def test_dask_gives_the_same_numbers(cases, tmp_path, expected):
    folder = tmp_path / "solutions"
    assert solve_cases(cases, SOLVER, folder, shard_size=2, schedule=Schedule(2, "local"))
    assert numbers(folder).equals(expected)
    assert not multiprocessing.active_children()


def test_a_scheduler_that_is_not_there(cases, tmp_path, monkeypatch):
    from crystalsim.execution import dask as dask_workers

    monkeypatch.setattr(dask_workers, "_CONNECT_SECONDS", 0.5)
    with pytest.raises(CrystalsimError, match=r"tcp://127\.0\.0\.1:1: cannot be reached"):
        solve_cases(cases, SOLVER, tmp_path / "a", schedule=Schedule(1, "tcp://127.0.0.1:1"))


def test_without_dask_the_extra_is_named(command, cases_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    solve = ("solve", cases_file, "--output", tmp_path / "a")
    done = command(*solve, "--scheduler", "local")
    assert done.status == 2
    assert "pip install 'crystalsim[dask]'" in done.err.splitlines()[-1]
    assert "expected 'processes', 'local'" in command(*solve, "--scheduler", "slurm").err


def test_the_same_command_does_nothing_twice_and_refuses_to_mix(command, cases_file, tmp_path):
    drawn = ("sample", "-n", 5, "-o", "sampler.cells=16", "--output", tmp_path / "drawn.nc")
    solved = ("solve", cases_file, "--workers", 1, "--output", tmp_path / "solved.nc")
    predict = ("predict", cases_file, "--model", "isoviscous", "--output", tmp_path / "guess.nc")
    judge = ("evaluate", tmp_path / "solved.nc", tmp_path / "guess.nc", "--evaluator", "fields")
    judge += ("--output", tmp_path / "scores")
    train = ("train", tmp_path / "solved.nc", "--model", "isoviscous", "--validation", 0.4)
    train += ("--output", tmp_path / "model")
    assert command(*predict).status == 0
    for arguments, other, changed in (
        (drawn, ("-o", "sampler.cells=8"), "sampler.cells: 16 -> 8"),
        (drawn, ("--seed", 1), "seed: 0 -> 1"),
        (solved, ("-o", "solver.tolerance=0.01"), "solver.tolerance"),
        (judge, ("-o", "evaluator.fields.points=3"), None),
        (train, ("--seed", 1), "seed: 0 -> 1"),
    ):
        first = command(*arguments)
        assert first.status == 0, first.err
        made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
        assert command(*arguments).status == 0
        again = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
        assert again == made
        if changed:
            refused = command(*arguments, *other)
            assert refused.status == 1
            assert changed in refused.err.splitlines()[-1]


def test_warnings_come_once_and_details_if_asked_for(command, tmp_path, capfd):
    from crystalsim.runtime.log import log_file, logger, show_messages

    show_messages()
    with log_file(tmp_path / "run.log"):
        for _ in range(3):
            logger.warning("beware")
            logger.debug("a detail")
    assert capfd.readouterr().err == "warning: beware\n"
    written = (tmp_path / "run.log").read_text()
    assert (written.count("beware"), written.count("a detail")) == (1, 3)
    show_messages(verbose=True)
    logger.debug("a detail")
    assert "a detail" in capfd.readouterr().err
    assert command("--verbose", "--quiet", "plugins").status == 2
    show_messages()


@pytest.mark.slow
def test_a_killed_process_leaves_no_lock(moody, environment, cases_file, tmp_path, expected):
    """Whatever the moment, the same command goes on at once."""
    environment["SLEEP"] = "5"
    command = arguments(cases_file, tmp_path / "solutions.nc", "--workers", 1)
    first = subprocess.Popen([*command, "--solver", "moody"], env=environment)
    time.sleep(2.0)
    first.send_signal(signal.SIGKILL)
    first.wait()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert numbers(tmp_path / "solutions.nc").equals(expected)
