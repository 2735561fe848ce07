"""Systems without the modules and functions of POSIX that Python has on Linux alone."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from crystalsim.storage.files import aside, remove_stale

BARE = """
import os, sys

for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None  # importing it fails
for name in ("fork", "getuid", "killpg", "sched_getaffinity", "setsid", "sysconf"):
    delattr(os, name)
"""

RUN = (
    *("run", "--model", "polarization", "-o", "sampler.cells=16", "--workers", 2),
    *("-o", "samples.training=4", "-o", "samples.validation=2", "-o", "samples.test=3"),
    *("-o", "model.epochs=1", "-o", 'evaluators=["fields", "crystals"]', "-o", "baselines=[]"),
)


@pytest.fixture
def bare(process, site):
    """Run a command where, in worker processes too, nothing of `BARE` can be had."""
    (site / "sitecustomize.py").write_text(BARE)
    return process


def test_a_run_needs_none_of_it(bare, tmp_path):
    done = bare(*RUN, "--output", tmp_path / "run")
    assert done.status == 0, done.err
    assert "polarization" in done.out
    again = bare(*RUN, "--output", tmp_path / "run")
    assert again.out == done.out


def test_only_lamem_does_and_says_so(bare, cases_file, tmp_path):
    listed = bare("plugins")
    assert listed.status == 0
    assert "lamem" in listed.out
    assert "warning" not in listed.err
    done = bare("solve", cases_file, "--solver", "lamem", "--output", tmp_path / "solutions.nc")
    assert done.status == 1
    assert "POSIX, which this system lacks" in done.err
    assert "Traceback" not in done.err


def test_no_process_is_asked_where_that_would_interrupt_it(tmp_path, monkeypatch):
    unfinished = aside(tmp_path / "solutions.nc")
    stale = unfinished.with_name(unfinished.name.replace(str(os.getpid()), "999999999"))
    stale.write_text("half")
    # There `os.kill(process, 0)` sends Ctrl-C.
    windows = SimpleNamespace(name="nt", kill=lambda *_: pytest.fail("a signal is sent"))
    with monkeypatch.context() as patch:
        patch.setattr("crystalsim.storage.files.os", windows)
        assert remove_stale(tmp_path) == []
    assert remove_stale(tmp_path) == [stale]
