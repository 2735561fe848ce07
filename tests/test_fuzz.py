"""Damaged input of every reader: one clear error or a right result, never a crash or a hang.

Each reader runs in a process of its own with a bound on its memory; an input that takes longer than
ten seconds, or ends the process, fails the test and is named by its number.
"""

import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import crystalsim
from crystalsim.errors import CrystalsimError

GIGABYTE = 1 << 30
SECONDS = 10


def damaged(original: bytes, number: int) -> bytes:
    """One of many ways to spoil a file: bits, cuts, insertions, repetitions, other numbers."""
    rng = random.Random(number)
    data = bytearray(original)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        if not data:
            break
        where = rng.randrange(len(data))
        kind = rng.randrange(6)
        if kind == 0:
            data[where] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[where] = rng.randrange(256)
        elif kind == 2:
            del data[where : where + rng.choice((1, 8, 512))]
        elif kind == 3:
            data[where:where] = rng.choice(
                (b"\x00" * 8, b"\xff" * 8, b'"', b"[", b"nan", b"1e999", b"-", b"\n", b",")
            )
        elif kind == 4:
            data[where : where + 8] = (rng.choice((0, 1, 2**31, 2**63 - 1))).to_bytes(8, "little")
        else:
            data = data[:where]
    return bytes(data)


def read_toml(path: Path) -> None:
    from crystalsim.config.run import resolve
    from crystalsim.options import read_toml

    resolve(read_toml(path))


def read_study(path: Path) -> None:
    from crystalsim.config.study import read_study

    read_study(path)


def read_solutions(path: Path) -> None:
    crystalsim.open(path)


def read_lazily(path: Path) -> None:
    from crystalsim.storage.netcdf import load, open_parts

    for part in open_parts(path, "solutions"):
        load(part)
        part.close()


def read_crystals(path: Path) -> None:
    crystalsim.get("sampler", "list", file=str(path), cells=16).sample()


def read_measured(path: Path) -> None:
    from crystalsim.evaluation.measurements import read_measurement

    read_measurement(path)


def read_vtk(path: Path) -> None:
    from crystalsim_lamem.vtk import read_step

    read_step(path)


TOML = Path(__file__).parents[1] / "examples" / "standard.toml"
STUDY = Path(__file__).parents[1] / "examples" / "studies" / "extremes.toml"

CRYSTALS = "sample,x,z,radius,density,viscosity\n" + "".join(
    f"{n},{100.0 * n},{-50.0 * n},{40 + n},{2900 + n},1e24\n" for n in range(8)
)
MEASURED = "x [mm],z [mm],vx [mm/s],vz [mm/s]\n" + "".join(
    f"{n},{-n},{0.1 * n},{'' if n == 3 else -0.2 * n}\n" for n in range(12)
)

READERS = {
    "toml": (read_toml, 500),
    "study": (read_study, 150),
    "netcdf": (read_solutions, 500),
    "lazy": (read_lazily, 150),
    "crystals": (read_crystals, 300),
    "measured": (read_measured, 300),
    "vtk": (read_vtk, 300),
}
"""Reader and number of inputs: 2200 in all."""


def originals(kind: str, folder: Path) -> dict[str, bytes]:
    """Write good files; gives what is in them, by their names, the one to read last."""
    if kind == "vtk":
        return vtk_step(folder)
    path = folder / f"file.{SUFFIX[kind]}"
    if kind in ("netcdf", "lazy"):
        cases = crystalsim.get("sampler", "random", cells=8, radius=(100, 200)).sample(2, seed=1)
        crystalsim.save(crystalsim.get("solver", "builtin").solve(cases), path)
    elif kind in ("toml", "study"):
        path.write_bytes((TOML if kind == "toml" else STUDY).read_bytes())
    else:
        path.write_text(CRYSTALS if kind == "crystals" else MEASURED, encoding="utf-8")
    return {path.name: path.read_bytes()}


SUFFIX = {
    "toml": "toml",
    "study": "toml",
    "crystals": "csv",
    "measured": "csv",
    "netcdf": "nc",
    "lazy": "nc",
}


def attack(kind: str, folder: Path) -> int:
    """Feed damaged files to a reader; gives how many were refused."""
    reader, count = READERS[kind]
    files = originals(kind, folder)
    *_, target = (folder / name for name in files)
    reader(target)
    refused = 0
    for number in range(count):
        spoilt = list(files)[number % len(files)]
        for name, content in files.items():
            (folder / name).write_bytes(damaged(content, number) if name == spoilt else content)
        print(number, file=sys.stderr)
        signal.alarm(SECONDS)
        try:
            reader(target)
        except CrystalsimError as error:
            assert str(error).strip(), number
            refused += 1
        except BaseException as error:
            raise AssertionError(f"{kind} input {number}: {error!r}") from error
        finally:
            signal.alarm(0)
    return refused


def vtk_step(folder: Path) -> dict[str, bytes]:
    """Index and piece of a time step of 3 x 2 x 4 nodes, as LaMEM writes them."""
    extent = "1 3 1 2 1 4"
    arrays = {
        "x": np.arange(3.0),
        "y": np.arange(2.0),
        "z": np.arange(4.0),
        "pressure [Pa]": np.ones((4, 2, 3)),
        "velocity [cm/yr]": np.ones((4, 2, 3, 3)),
    }
    header, body = "", b""
    for name, values in arrays.items():
        data = values.astype("<f4").tobytes()
        header += (
            f'<DataArray type="Float32" Name="{name}" NumberOfComponents='
            f'"{values.shape[-1] if values.ndim == 4 else 1}" format="appended" '
            f'offset="{len(body)}"/>'
        )
        body += len(data).to_bytes(8, "little") + data
    piece = (
        '<VTKFile type="RectilinearGrid" byte_order="LittleEndian" header_type="UInt64">'
        f'<RectilinearGrid><Piece Extent="{extent}">{header}</Piece></RectilinearGrid>'
        '<AppendedData encoding="raw">_'
    ).encode()
    index = (
        f'<VTKFile><PRectilinearGrid WholeExtent="{extent}"><Piece Extent="{extent}" '
        'Source="piece.vtr"/></PRectilinearGrid></VTKFile>'
    )
    files = {"piece.vtr": piece + body + b"</AppendedData></VTKFile>", "step.pvtr": index.encode()}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return files


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
def test_damaged_files_never_crash_a_reader(kind, tmp_path):
    done = subprocess.run(
        [sys.executable, __file__, kind, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # Most damage is noticed; a changed digit in a table of numbers is not.
    assert int(done.stdout) > 0.2 * READERS[kind][1]


def test_a_compressed_bomb_is_refused(tmp_path):
    """A small file that declares terabytes is refused before anything is allocated."""
    import netCDF4

    path = tmp_path / "bomb.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.createDimension("sample", 1000)
        for name in ("z", "x_face"):
            dataset.createDimension(name, 30_000)
        dataset.createVariable("velocity_x", "f8", ("sample", "z", "x_face"), zlib=True)
    assert path.stat().st_size < 100_000
    with pytest.raises(CrystalsimError, match="GB when read"):
        crystalsim.open(path)


def test_two_thousand_inputs():
    assert sum(count for _, count in READERS.values()) >= 2000


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (6 * GIGABYTE, 6 * GIGABYTE))

    def late(*_):
        raise TimeoutError("too slow")

    signal.signal(signal.SIGALRM, late)
    np.seterr(all="ignore")
    print(attack(sys.argv[1], Path(sys.argv[2])))
