"""Fixtures for the tests across plugins: the command line, and distributions made on the fly."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

from crystalsim.cli import main as cli
from crystalsim.registry import registry


class Result(NamedTuple):
    """What a command left: exit status and both streams."""

    status: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch, capfd):
    """Run ``crystalsim ARGUMENTS`` in this process."""
    # The command line sets these; monkeypatch takes them back at the end of the test.
    monkeypatch.setenv("CRYSTALSIM_QUIET", "")
    monkeypatch.setenv("CRYSTALSIM_DISABLE_PLUGINS", "")

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["crystalsim", *map(str, arguments)])
        status = 0
        try:
            cli.main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        return Result(status, *capfd.readouterr())

    yield run
    registry.cache_clear()


@pytest.fixture
def figures(monkeypatch):
    """Record what commands draw: matplotlib's figures by the names of their files.

    Each file is read back as an image: as large as its figure but for the margins, and not blank.
    """
    from matplotlib.image import imread

    from crystalsim import plotting

    save, drawn = plotting.save_figure, {}

    def record(figure, path, *, resolution=200):
        save(figure, path, resolution=resolution)
        image = imread(path)
        width, height = figure.get_size_inches() * resolution
        assert image.shape[:2] == pytest.approx((height, width), rel=0.1)
        assert image[..., :3].std() > 0.02
        drawn[Path(path).name] = figure

    monkeypatch.setattr(plotting, "save_figure", record)
    return drawn


@pytest.fixture
def site(tmp_path) -> Path:
    """Give a folder for made distributions, that `process` has on its path."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def distribution(site):
    """Make a distribution with one plugin module, as an installer would leave it."""

    def make(name: str, source: str, version: str = "1.0") -> None:
        module = name.replace("-", "_")
        (site / f"{module}.py").write_text(textwrap.dedent(source))
        folder = site / f"{module}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        (folder / "entry_points.txt").write_text(f"[crystalsim]\n{name} = {module}\n")

    return make


@pytest.fixture
def environment(site) -> dict[str, str]:
    """Give the environment of a process that sees the made distributions."""
    path = [str(site), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}


@pytest.fixture
def process(environment):
    """Run ``crystalsim ARGUMENTS`` in a process of its own, with the made distributions."""

    def run(*arguments: object) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "crystalsim", *map(str, arguments)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def cases_file(tmp_path) -> Path:
    """Write five small cases."""
    import crystalsim

    path = tmp_path / "cases.nc"
    # Large enough for the cells, so that no command warns of them.
    large = {"radius": (130.0, 200.0), "minimum_gap": 130.0, "minimum_wall_gap": 70.0}
    cases = crystalsim.get("sampler", "random", cells=16, count=(1, 2), **large).sample(5, seed=3)
    crystalsim.save(cases, path)
    return path
