"""What a stranger installs: wheels alone, in an environment that has never seen the checkout."""

from __future__ import annotations

import csv
import os
import site
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

from crystalsim.config.run import DEFAULTS
from crystalsim.registry import registry

ROOT = Path(__file__).parents[1]

SUITES = """
from crystalsim.testing import EvaluatorContract, SamplerContract, SolverContract


class TestBuiltin(SolverContract):
    name = "builtin"
    start_options = {"extra_stress": True}


class TestRandom(SamplerContract):
    name = "random"


class TestFields(EvaluatorContract):
    name = "fields"
    perfect = {"relative_l2": 0.0, "r2": 1.0}
"""

SMALL = (
    *("-o", "samples.training=4", "-o", "samples.validation=2", "-o", "samples.test=3"),
    *("-o", "sampler.cells=16", "-o", "sampler.radius=[100.0,200.0]", "-o", "model.epochs=2"),
)


def standard() -> set[str]:
    """Distributions of plugins that the extra `standard` asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = project["optional-dependencies"]["standard"]
    return {text.partition("~=")[0] for text in required if text.startswith("crystalsim-")}


def test_the_extra_standard_is_what_run_uses_by_default():
    tables = [(kind, DEFAULTS[kind]["plugin"]) for kind in ("sampler", "solver", "model")]
    tables += [("model", name) for name in DEFAULTS["baselines"]]
    tables += [("evaluator", name) for name in DEFAULTS["evaluators"]]
    assert standard() == {registry().lookup(*table).distribution for table in tables}


def is_ours(name: str) -> bool:
    """Whether a file in a folder of installed packages may lead to this checkout."""
    return "crystalsim" in name or name.endswith((".pth", ".egg-link")) or "editable" in name


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> Path:
    """Folder with a wheel of each distribution of this repository."""
    folder = tmp_path_factory.mktemp("wheels")
    projects = [ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder)
    run(sys.executable, "-m", "pip", "wheel", *options, *projects)
    assert len(list(folder.glob("crystalsim*.whl"))) == len(projects)
    return folder


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """Interpreter of an environment with all packages of this one but ours."""
    folder = tmp_path_factory.mktemp("clean")
    others = folder / "others"
    others.mkdir()
    searched = dict.fromkeys([*site.getsitepackages(), *sys.path])
    for packages in map(Path, searched):
        if packages.name not in ("site-packages", "dist-packages"):
            continue
        for path in packages.iterdir():
            if not is_ours(path.name) and not (others / path.name).exists():
                (others / path.name).symlink_to(path)
    venv.create(folder / "venv", symlinks=True)
    interpreter = folder / "venv" / "bin" / "python"
    own = run(interpreter, "-c", "import site; print(site.getsitepackages()[0])").strip()
    (Path(own) / "others.pth").write_text(f"{others}\n")
    assert "crystalsim" not in run(interpreter, "-m", "pip", "list")
    return interpreter


def run(*arguments: object, folder: Path | None = None) -> str:
    """Run a command away from the checkout, and give what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder or "/",
        env=kept,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_wheels_are_all_that_is_needed(wheels, python, tmp_path):
    install = (python, "-m", "pip", "install", "--no-index", "--find-links", wheels)
    run(*install, "crystalsim[standard,testing]")
    listed = run(python, "-m", "pip", "list", "--format", "freeze").split()
    ours = {line.partition("==")[0] for line in listed if line.startswith("crystalsim-")}
    assert ours == standard()

    command = python.with_name("crystalsim")
    where = run(python, "-c", "import crystalsim; print(crystalsim.__file__)", folder=tmp_path)
    assert Path(where.strip()).is_relative_to(python.parents[1])
    table = run(command, "run", *SMALL, "--workers", 1, "--output", "run", folder=tmp_path)
    assert DEFAULTS["model"]["plugin"] in table
    with (tmp_path / "run" / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["model"] for row in rows} >= {DEFAULTS["model"]["plugin"], *DEFAULTS["baselines"]}
    run(command, "report", "run", folder=tmp_path)
    # The weights that come along, without any training.
    cases = tmp_path / "run" / "cases" / "test.nc"
    run(command, "predict", cases, "--output", tmp_path / "prediction.nc")
    # Reference values of the checks of a solver, a file in the wheel.
    assert "FAILED" not in run(command, "validate", "builtin", "--cells", 32, folder=tmp_path)

    (tmp_path / "test_suites.py").write_text(SUITES)
    pytest_options = ("-q", "--import-mode=importlib", "-p", "no:cacheprovider")
    run(python, "-m", "pytest", *pytest_options, "test_suites.py", folder=tmp_path)

    run(*install, *sorted(wheels.glob("*.whl")))
    for wheel in sorted(wheels.glob("crystalsim_*.whl")):
        distribution = "crystalsim-" + wheel.name.split("-")[0].removeprefix("crystalsim_")
        assert run(command, "check", distribution, folder=tmp_path).startswith("fine")
