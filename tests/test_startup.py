"""Commands that compute nothing start at once, and import nothing heavy."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from crystalsim.cli.main import COMMANDS

HEAVY = (
    "torch",
    "numpy",
    "scipy",
    "xarray",
    "netCDF4",
    "matplotlib",
    "pandas",
    "optuna",
    "dask",
    "distributed",
)

PROBE = f"""
import sys
from crystalsim.cli.main import main
try:
    main()
except SystemExit as stop:
    status = stop.code
else:
    status = 0
loaded = [name for name in {HEAVY!r} if name in sys.modules]
print("STATUS", status, "LOADED", *loaded)
"""


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--help"], 0),
        (["plugins"], 0),
        (["plugins", "--json"], 0),
        *[([name, "--help"], 0) for name in COMMANDS],
        (["run", "-o", "solver.tolerence=1e-6"], 2),
        (["run", "-o", "solver.tolerance=fine"], 2),
        (["run", "--model", "unett"], 2),
        (["sample", "--output", "cases.nc", "-o", "sampler.radios=50"], 2),
        (["solve", "cases.nc", "--output", "solutions.nc", "-o", "solver.average=median"], 2),
        (["train", "solutions.nc", "--output", "folder", "-o", "model.epochs=0"], 2),
        (["explore", "none.toml"], 2),
        (["evaluate", "a.nc", "b.nc", "--evaluator", "feilds"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_nothing_heavy_is_imported(arguments, status):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == f"STATUS {status} LOADED", done.stderr


@pytest.mark.parametrize(("arguments", "seconds"), [("--help", 0.15), ("plugins", 0.25)])
def test_start_takes_no_time(tmp_path, arguments, seconds):
    # Compiled files are written, as they are where crystalsim is installed for good.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    bare, ours = [], []
    for _ in range(8):
        bare.append(_processor_time(["-c", "import click, msgspec"], environment))
        ours.append(_processor_time(["-m", "crystalsim", arguments], environment))
    # The limits are for a quiet machine, where importing click and msgspec takes 0.06 s; that is
    # the yardstick on a slow or busy one.
    assert min(ours) < seconds * max(1.0, min(bare) / 0.06)


def _processor_time(arguments, environment):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
