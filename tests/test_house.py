"""The plan of the house: what may import what, and how much stands in the hall."""

import subprocess
import sys
from pathlib import Path

import pytest

import crystalsim

CORE = Path(crystalsim.__file__).parent


def test_nothing_imports_upwards_and_no_package_imports_in_a_circle():
    pytest.importorskip("importlinter")
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CORE.parents[1], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_few_modules_stand_outside_of_packages():
    flat = [path.stem for path in CORE.glob("*.py") if path.stem != "__init__"]
    assert len(flat) <= 10, sorted(flat)
