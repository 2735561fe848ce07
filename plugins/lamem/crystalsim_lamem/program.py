"""The program LaMEM: where it is, which version it is, and one run of it."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from crystalsim.errors import OptionError

from . import watchdog
from .checks import last_lines, read_version
from .failures import LamemError
from .input_file import Version

VARIABLE = "CRYSTALSIM_LAMEM"
LOG = "lamem.log"
INPUT = "in.dat"

_HOW_TO_GET_IT = (
    "the Julia package LaMEM.jl installs a binary (julia -e 'using Pkg; Pkg.add(\"LaMEM\")'); "
    f"give its path as option solver.executable or in {VARIABLE}"
)

_PROBE_LIMIT = 120.0

_PROBE = """\
    units = geo
    unit_temperature = 1000
    unit_length = 1e3
    unit_viscosity = 1e20
    unit_stress = 1e6
    time_end = 1
    dt = 1e-6
    dt_min = 1e-9
    dt_max = 1e-5
    nstep_max = 1
    nel_x = 4
    nel_y = 2
    nel_z = 4
    coord_x = -1 1
    coord_y = -0.5 0.5
    coord_z = -1 1
    gravity = 0 0 -9.81
    msetup = geom
    nmark_x = 2
    nmark_y = 2
    nmark_z = 2
    bg_phase = 0
    out_file_name = output
<MaterialStart>
    ID = 0
    rho = 2700
    eta = 1e20
<MaterialEnd>
"""


class Program(NamedTuple):
    """An executable and its version."""

    path: str
    version: Version


def find_program(executable: str) -> Program:
    """Find LaMEM and ask for its version.

    Parameters
    ----------
    executable
        Path or name of the program; where empty, that in ``CRYSTALSIM_LAMEM``, or LaMEM on the
        PATH.

    Raises
    ------
    OptionError
        If there is none, with how to get it, or what was found is not LaMEM 2 or later.
    """
    wanted = executable or os.environ.get(VARIABLE, "") or "LaMEM"
    path = shutil.which(str(Path(wanted).expanduser()))
    if path is None:
        source = "solver.executable" if executable else VARIABLE
        named = f"{source} = '{wanted}'" if wanted != "LaMEM" else "LaMEM"
        raise OptionError(f"{named} is not an executable on this machine; {_HOW_TO_GET_IT}")
    path = str(Path(path).absolute())
    return Program(path, _version(path, Path(path).stat().st_mtime_ns))


@functools.lru_cache(maxsize=8)
def _version(path: str, changed: int) -> Version:
    """Version from the log of a run on a few cells: no flag tells it."""
    with tempfile.TemporaryDirectory(prefix="crystalsim-lamem-") as folder:
        (Path(folder) / INPUT).write_text(_PROBE, encoding="utf-8")
        try:
            run([path, "-ParamFile", INPUT], Path(folder), _PROBE_LIMIT)
        except LamemError as error:
            raise OptionError(f"{path}: cannot be asked for its version: {error}") from None
        log = read_log(Path(folder))
    version = read_version(log)
    if version is None:
        raise OptionError(
            f"{path}: tells no version of LaMEM ('Version : 2.2.1'); its log ends: "
            f"{last_lines(log)}"
        )
    if version.major < 2:
        raise OptionError(f"{path} is LaMEM {version}; expected 2 or later")
    return version


def command(program: Program, processes: int, mpiexec: str) -> list[str]:
    """Command line of a run, through the launcher if there are several processes.

    Raises
    ------
    OptionError
        If the launcher is not there.
    """
    alone = [program.path, "-ParamFile", INPUT]
    if processes == 1:
        return alone
    launcher = shlex.split(mpiexec)
    if shutil.which(launcher[0]) is None:
        raise OptionError(
            f"option solver.mpiexec = '{mpiexec}': not an executable on this machine; it comes "
            "with the MPI that LaMEM was built with"
        )
    return [*launcher, "-n", str(processes), *alone]


def run(arguments: list[str], folder: Path, time_limit: float) -> int:
    """Run a command in a folder that holds the input, and write its log there.

    Whatever happens to this process, the command and its children end with it; see `watchdog`.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    LamemError
        If the time limit is over.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    # -S and -E: the watchdog starts at once and imports nothing of ours.
    guarded = [sys.executable, "-S", "-E", str(Path(watchdog.__file__).absolute()), *arguments]
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            guarded,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdin is not None
        try:
            return process.wait(time_limit)
        except subprocess.TimeoutExpired:
            raise LamemError(
                f"was ended after {time_limit:g} s (option time_limit); its log ends: "
                f"{last_lines(read_log(folder))}"
            ) from None
        finally:
            process.stdin.close()
            process.wait()


def read_log(folder: Path) -> str:
    """Text of the log of a run."""
    try:
        return (folder / LOG).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise LamemError(f"{folder / LOG}: cannot be read: {error.strerror}") from None
