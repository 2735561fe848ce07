"""Commands that compute nothing start at once, and import nothing heavy."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from crystalsim.cli import COMMANDS

HEAVY = ("torch", "numpy", "scipy", "xarray", "netCDF4", "matplotlib", "pandas")

PROBE = f"""
import sys
from crystalsim.cli import main
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
def test_start_takes_no_time(arguments, seconds):
    bare, ours = (
        min(_elapsed([sys.executable, *command]) for _ in range(7))
        for command in (["-c", "import click, msgspec"], ["-m", "crystalsim", arguments])
    )
    # Limits for a quiet machine; the imports of click and msgspec (0.05 s there) are the yardstick
    # on a busy one.
    assert ours < seconds * max(1.0, bare / 0.05)


def _elapsed(command):
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - start
