"""Every shell command of the documentation runs as it is written, in order, in one scratch folder.

A document's commands start in an empty folder that holds the examples and what a user brings. Two
kinds are not run, each told by what stands in the text: commands that install
(`tests/test_wheels.py` does), and those that say ``# needs ...`` of what is not here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import crystalsim

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("README.md", "docs/*.md", "plugins/*/README.md")
    for path in ROOT.glob(pattern)
)
INSTALLS = re.compile(r"(make|pip|python3 -m venv|\.venv/bin/\S+|tensorboard|\./pretrain\.sh)\b")
LONG = re.compile(r"crystalsim (run|train|study|explore)\b(?!.*--dry-run)")


def commands(document: str) -> list[str]:
    """Commands in the shell blocks of a document; continued lines are joined."""
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def runs(line: str) -> bool:
    """Whether a command is run here."""
    return "# needs " not in line and not INSTALLS.match(line)


WITH_COMMANDS = [
    pytest.param(name, marks=[pytest.mark.slow] * any(LONG.match(c) for c in commands(name)))
    for name in DOCUMENTS
    if any(map(runs, commands(name)))
]


def test_nearly_all_commands_are_run():
    everything = [line for name in DOCUMENTS for line in commands(name)]
    left = [line for line in everything if not runs(line)]
    assert len(everything) > 60
    assert len(left) < 0.3 * len(everything), left


@pytest.fixture(scope="module")
def brought(tmp_path_factory):
    """Make what a user has before the first command of a document."""
    folder = tmp_path_factory.mktemp("brought")
    cases = crystalsim.get("sampler", "random", cells=16).sample(6, seed=1)
    solutions = crystalsim.get("solver", "builtin").solve(cases)
    crystalsim.save(cases, folder / "cases.nc")
    crystalsim.save(solutions, folder / "solutions.nc")
    crystalsim.save(crystalsim.load_model("dilute").predict(cases), folder / "predictions.nc")
    points = "".join(f"{x},{z},0,1e-9\n" for x in (-200, 0, 300) for z in (-100, 400))
    (folder / "measured.csv").write_text("x,z,vx,vz\n" + points)
    (folder / "crystals.csv").write_text(
        "sample,x,z,radius,density_contrast,viscosity_contrast\n0,0,0,80,200,1e4\n"
    )
    return folder


@pytest.mark.parametrize("document", WITH_COMMANDS)
def test_3_every_shell_block_runs_as_written(document, tmp_path, brought):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    lines = list(filter(runs, commands(document)))
    for source in brought.iterdir():
        # What the document makes itself is not there before.
        if not re.search(rf"--output {re.escape(source.name)}\b", "\n".join(lines)):
            shutil.copy(source, tmp_path)
    text = (ROOT / document).read_text(encoding="utf-8")
    for name, content in re.findall(r"^`(\S+)`\n\n```toml\n(.*?)^```", text, re.M | re.S):
        (tmp_path / name).write_text(content)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "CRYSTALSIM_QUIET": "1",
    }
    for line in lines:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr


def test_10_the_page_about_python_runs_as_written(tmp_path):
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "page.py").write_text(block)
    environment = {**os.environ, "MPLBACKEND": "agg", "CRYSTALSIM_QUIET": "1"}
    done = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "4 test samples" in done.stdout
