"""Ctrl-C at any moment ends every command within seconds, and says how to go on."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import crystalsim
from crystalsim.cli import main
from crystalsim.runtime import interrupts

TRIES = 40

DRIVER = textwrap.dedent(
    """
    # Imports once, then makes a process for each line that it reads: arguments of a command.
    import os, signal, sys, shlex
    import torch, xarray, netCDF4, scipy.fft, matplotlib.figure
    torch.set_num_threads(1)
    from crystalsim.cli import main as cli
    from crystalsim.registry import registry
    registry()
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.argv = ["crystalsim", *shlex.split(line)]
            out = os.open(os.environ["ERRORS"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            try:
                cli.main()
                status = 0
            except SystemExit as stop:
                status = stop.code or 0
            sys.stderr.flush()
            os._exit(status)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    """
)


def sample(folder):
    return ["sample", "-n", "6000", "-o", "sampler.count=3", "--output", folder / "drawn.nc"]


def solve(folder):
    return ["solve", folder / "cases.nc", "--output", folder / "out", *SHARDS]


def predict(folder):
    return ["predict", folder / "cases.nc", "--output", folder / "out"]


def train(folder):
    return [
        *("train", folder / "solutions.nc", "--model", "unet", "--output", folder / "out"),
        *("-o", "model.epochs=50", "-o", "model.memory=1e-6", "-o", "model.checkpoint_seconds=0"),
    ]


def run(folder):
    return [
        *("run", "--output", folder / "out", "--model", "unet", "-o", "sampler.cells=16"),
        *("-o", "samples.training=40", "-o", "samples.test=10", "-o", "model.epochs=50"),
    ]


SHARDS = ["--workers", "1", "--shard-size", "1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interrupts")
    cases = crystalsim.get("sampler", "random", cells=16, count=2).sample(150, seed=1)
    crystalsim.save(cases, folder / "cases.nc")
    solutions = crystalsim.get("solver", "builtin").solve(cases.isel(sample=slice(16)))
    crystalsim.save(solutions, folder / "solutions.nc")
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the test forks processes")
@pytest.mark.parametrize("job", [sample, solve, predict, train, run])
def test_forty_interrupts_at_random_moments(job, folder):
    errors = folder / "errors.txt"
    environment = {**os.environ, "ERRORS": str(errors), "OMP_NUM_THREADS": "1"}
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    moments = random.Random(7)
    told = 0
    try:
        assert driver.stdout.readline() == "ready\n"
        for _ in range(TRIES):
            for path in (folder / "out", folder / "drawn.nc"):
                subprocess.run(["rm", "-rf", path], check=True)
            print(" ".join(map(str, ["-q", *job(folder)])), file=driver.stdin, flush=True)
            child = int(driver.stdout.readline())
            time.sleep(moments.uniform(0.05, 0.8))
            with contextlib.suppress(ProcessLookupError):  # done already
                os.kill(child, signal.SIGINT)
            patience = threading.Timer(10, os.kill, (child, signal.SIGKILL))
            patience.start()
            status = int(driver.stdout.readline())
            patience.cancel()
            text = errors.read_text()
            assert status in (0, 130), text or "it hung"
            if status:
                assert "run the same command again" in text
                assert "Traceback" not in text
                told += 1
    finally:
        driver.kill()
        driver.wait()
    assert told > TRIES // 2  # the others were done before they were interrupted


def test_ctrl_c_waits_for_a_file_that_is_being_written():
    steps = []
    with python_handler():
        with pytest.raises(KeyboardInterrupt):
            with interrupts.shielded():
                signal.raise_signal(signal.SIGINT)
                steps.append("written")
            steps.append("beyond")
        assert steps == ["written"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        with interrupts.shielded():  # nothing is left of it
            steps.append("again")
    assert steps[-1] == "again"


def test_a_swallowed_ctrl_c_is_noticed_at_the_next_step():
    with python_handler(), interrupts.listening():
        with contextlib.suppress(KeyboardInterrupt):  # as a destructor would
            signal.raise_signal(signal.SIGINT)
        assert interrupts.heard()
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()


@contextlib.contextmanager
def python_handler():
    """Let SIGINT raise KeyboardInterrupt, as at the start of a program."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("tests run in another thread than the main one, which alone takes signals")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_command_leaves_signals_as_they_were(command, monkeypatch):
    def press(*_, **__):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(main.crystalsim, "main", press)
    with python_handler():
        assert command("plugins").status == 130
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert not interrupts.heard()
        interrupts.check()  # raises nothing: the next command begins afresh
