"""A fake LaMEM as an executable, and recorded folders."""

import stat
import sys
import tarfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def executable(path, text):
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture(scope="session")
def fakes(tmp_path_factory):
    """Programs that behave as LaMEM, by version; see `fake_lamem.py`."""
    run = f'exec "{sys.executable}" "{HERE / "fake_lamem.py"}" "$@"\n'
    return {
        version: str(
            executable(
                tmp_path_factory.mktemp(version) / "LaMEM",
                f"#!/bin/sh\nexport FAKE_VERSION={version}\n{run}",
            )
        )
        for version in ("2.2.1", "3.1.0")
    }


@pytest.fixture
def fake(fakes):
    """The one that most tests use."""
    return fakes["2.2.1"]


@pytest.fixture
def mpiexec(tmp_path):
    """A launcher that has the fake write as many pieces as processes are asked for."""
    text = '#!/bin/sh\nshift\nexport FAKE_PIECES="$1"\nshift\nexec "$@"\n'
    return str(executable(tmp_path / "mpiexec", text))


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No LaMEM of this machine, unless a test asks for it."""
    monkeypatch.delenv("CRYSTALSIM_LAMEM", raising=False)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """Folder with what LaMEM wrote; see `data/README.md`."""
    folder = tmp_path_factory.mktemp("recorded")
    for path in (HERE / "data").glob("*.tar.xz"):
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
    return folder
