"""What does not fit into memory is refused in one line, before any of it is there."""

from __future__ import annotations

import pytest

import crystalsim
from crystalsim.errors import MemoryShortageError
from crystalsim.runtime import memory

GIGABYTE = 1e9


def refused(result):
    assert result.status == 1
    assert "Traceback" not in result.err
    line = result.err.splitlines()[-1]
    assert line.startswith("Error: ")
    assert "GB are free" in line
    return line


def test_cases_of_a_grid_that_cannot_be_solved_are_refused(command, tmp_path):
    output = tmp_path / "cases.nc"
    result = command("sample", "-o", "sampler.cells=100000", "--output", output)
    line = refused(result)
    assert "sampler.cells = 100000, 1 sample, each of 1e+10 cells" in line
    assert "needs about 1,000 GB of memory" in line and "take fewer cells" in line
    assert not output.exists()


def test_solve_and_predict_refuse_before_anything_is_solved(command, tmp_path, monkeypatch):
    path = tmp_path / "cases.nc"
    crystalsim.save(crystalsim.get("sampler", "random", cells=64).sample(200), path)
    monkeypatch.setattr(memory, "available", lambda: 0.05 * GIGABYTE)
    output = ("--output", tmp_path / "out.nc")
    line = refused(command("solve", path, "--workers", 2, *output))
    # 2 workers, 64 samples in a shard, 64 x 64 cells, 100 B each.
    assert (
        "solving (builtin), 128 samples at the same time, each of 4.1e+03 cells: "
        "needs about 0.0524 GB" in line
    )
    assert "--workers" in line and "--shard-size" in line
    assert (
        "predicting (isoviscous), 64"
        not in command("predict", path, "--model", "isoviscous", *output).err
    )
    monkeypatch.setattr(memory, "available", lambda: 0.01 * GIGABYTE)
    other = command("predict", path, "--model", "dilute", "--output", tmp_path / "other.nc")
    assert "predicting (dilute), 64 samples" in refused(other)
    assert refused(other).endswith("take fewer cells")  # it has neither workers nor shards
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cases.nc", "out.nc"]
    small = command("solve", path, "--workers", 1, "--shard-size", 4, "--output", tmp_path / "s")
    assert small.status == 0


def test_a_run_refuses_before_anything_is_drawn(command, tmp_path):
    run = tmp_path / "run"
    arguments = ("-o", "sampler.cells=[4096,2048]", "--output", run)
    assert "1500 samples at the same time, each of 8.39e+06 cells" in refused(
        command("run", *arguments)
    )
    assert not list(run.glob("**/*.nc"))


def test_a_folder_of_shards_that_does_not_fit_is_not_read(
    command, cases_file, tmp_path, monkeypatch
):
    folder = tmp_path / "solutions"
    command("solve", cases_file, "--shard-size", 1, "--workers", 1, "--output", folder)
    size = crystalsim.open(folder).nbytes
    monkeypatch.setattr(memory, "available", lambda: size / 2)
    with pytest.raises(MemoryShortageError, match=r"solutions: needs about .*lazy=True"):
        crystalsim.open(folder)


def test_memory_of_this_machine_is_known():
    assert 1e6 < memory.available() < 1e15


def test_a_limit_of_a_container_counts(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory.available() == 2e6
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available() > 2e6
