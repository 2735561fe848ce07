"""The solver: one run of LaMEM a sample."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import crystalsim
from crystalsim import Configured, Grid, iterate_cases, make_solutions
from crystalsim.datasets.schema import GIVEN_FIELDS, VARIABLES
from crystalsim.errors import StoreError, UnsupportedError
from crystalsim.scene.case import Case
from crystalsim.stokes.operators import velocity

from .checks import Report, check_fields, check_log, check_misfit, check_status, find_step
from .coefficients import coefficients, to_nodes
from .failures import LamemError
from .flow import Sheet, dynamic_pressure, section, stream_function
from .input_file import Version, check_limits, write_input
from .plugin import LamemOptions
from .program import INPUT, Program, command, find_program, read_log, run
from .slots import slot, slot_count
from .vtk import read_step

logger = logging.getLogger("crystalsim.lamem")

FIELDS = (
    "velocity_x",
    "velocity_z",
    "pressure",
    "stream_function",
    "viscosity_node",
    "density_node",
    "residual",
    "iterations",
    "wall_time",
)

_STATUS = "status"
"""File in a kept folder that is written last and holds the exit status."""


class LamemSolver(Configured[LamemOptions]):
    """Stokes flow by the external program LaMEM.

    Each sample runs in an empty folder of its own, and what LaMEM wrote is checked before it is
    believed. A sample that fails has ``converged = False`` and NaN in its fields; why is logged,
    and the others go on. Samples in which nothing is heavier or lighter than the magma are at
    rest and are not run.

    Parameters
    ----------
    options
        See ``crystalsim describe solver lamem``.
    """

    options_class = LamemOptions

    def solve(self, cases: xr.Dataset) -> xr.Dataset:
        """Solve all samples; see `crystalsim.contracts.Solver`.

        Raises
        ------
        LamemError
            Before anything runs, if a sample is beyond LaMEM's limits.
        OptionError
            If LaMEM is not installed, or an option does not fit the grid.
        """
        grid = _check_cases(cases)
        fields = {
            name: np.full([cases.sizes[dim] for dim in VARIABLES[name].dims], np.nan)
            for name in FIELDS
        }
        fields["iterations"] = np.zeros(cases.sizes["sample"], dtype=np.int32)
        converged = np.zeros(cases.sizes["sample"], dtype=bool)
        source = "crystalsim-lamem"
        for i, (name, case) in enumerate(
            zip(_names(cases), list(iterate_cases(cases)), strict=True)
        ):
            if _is_at_rest(case):
                flow = self._rest(case, grid)
            else:
                program = find_program(self.options.executable)
                source = f"LaMEM {program.version}, {self.options.method}"
                try:
                    flow = self._solve_one(case, grid, program, name)
                except LamemError as error:
                    logger.warning("%s: LaMEM: %s", name, error)
                    continue
            converged[i] = True
            for key, values in flow.items():
                fields[key][i] = values
        return make_solutions(
            cases, {**fields, "converged": converged}, attributes={"source": source}
        )

    def _rest(self, case: Case, grid: Grid) -> dict[str, Any]:
        """Without forces the flow is exactly zero, which rounding in LaMEM would hide."""
        media = coefficients(case, grid, self.options.markers)
        known = {
            "viscosity_node": to_nodes(media.viscosity),
            "density_node": to_nodes(media.density),
        }
        return {**dict.fromkeys(FIELDS, 0.0), **known}

    def _solve_one(self, case: Case, grid: Grid, program: Program, name: str) -> dict[str, Any]:
        start = time.perf_counter()
        text = write_input(case, grid, program.version, self.options)
        arguments = command(program, self.options.processes, self.options.mpiexec)
        count = slot_count(grid, program.version, self.options)
        with contextlib.ExitStack() as stack:
            folder = self._kept(text, program.version, name)
            if folder is None:
                temporary = tempfile.TemporaryDirectory(prefix="crystalsim-lamem-")
                folder = Path(stack.enter_context(temporary))
            if not (folder / _STATUS).is_file():
                with slot(count):
                    start = time.perf_counter()
                    _run_in(folder, text, arguments, self.options.time_limit)
            try:
                fields = read_folder(folder, case, grid, self.options.markers)
            except LamemError:
                # So that the next call tries again.
                (folder / _STATUS).unlink(missing_ok=True)
                raise
        return {**fields, "wall_time": time.perf_counter() - start}

    def _kept(self, text: str, version: Version, name: str) -> Path | None:
        """Folder of a sample's files, of a name that its input and LaMEM's version decide."""
        if not self.options.keep_files:
            return None
        key = f"{version}\n{self.options.processes}\n{text}"
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        return Path(self.options.keep_files).absolute() / f"{name.replace(' ', '-')}-{digest}"


def read_folder(folder: Path, case: Case, grid: Grid, markers: int = 4) -> dict[str, Any]:
    """Read and check what LaMEM wrote.

    Parameters
    ----------
    folder
        With `lamem.log` and the time steps; where it holds a file `status`, that is the exit
        status.
    case
        What LaMEM was asked for.
    grid
        Its grid.
    markers
        Number of markers in a cell, in x and in z.

    Returns
    -------
    dict
        Fields of one sample by the names of the schema, in SI units.

    Raises
    ------
    LamemError
        If anything of it cannot be trusted.
    """
    log = read_log(folder)
    if (folder / _STATUS).is_file():
        check_status(int((folder / _STATUS).read_text(encoding="utf-8")), log)
    report = check_log(log)
    sheet = section(read_step(find_step(folder)), grid)
    check_fields(sheet, case, grid, markers)
    return _fields(sheet, report, case, grid)


def _fields(sheet: Sheet, report: Report, case: Case, grid: Grid) -> dict[str, Any]:
    psi, misfit = stream_function(sheet.velocity_x, sheet.velocity_z, grid)
    check_misfit(misfit)
    velocity_x, velocity_z = velocity(psi, grid.hx, grid.hz)
    return {
        "velocity_x": velocity_x,
        "velocity_z": velocity_z,
        "stream_function": psi,
        "pressure": dynamic_pressure(sheet.pressure, grid, case.matrix_density, case.gravity),
        "viscosity_node": sheet.viscosity,
        "density_node": sheet.density,
        "residual": report.residual,
        "iterations": report.iterations,
    }


def _run_in(folder: Path, text: str, arguments: list[str], time_limit: float) -> None:
    """Run in an empty folder: what an earlier run left could pass for this one's output."""
    try:
        if folder.is_dir():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        (folder / INPUT).write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made: {error.strerror}") from None
    status = run(arguments, folder, time_limit)
    aside = folder / f".{_STATUS}"
    aside.write_text(str(status), encoding="utf-8")
    aside.replace(folder / _STATUS)


def _check_cases(cases: xr.Dataset) -> Grid:
    """Grid of the cases, if LaMEM can take all of them."""
    crystalsim.validate(cases, "cases")
    for field in GIVEN_FIELDS:
        if field in cases.variables:
            raise UnsupportedError(
                f"LaMEM takes crystals alone; the cases hold '{field}' on the grid"
            )
    for name, case in zip(_names(cases), iterate_cases(cases), strict=True):
        check_limits(case, name)
    return Grid.from_dataset(cases)


def _is_at_rest(case: Case) -> bool:
    return case.gravity == 0 or not case.density_contrast.any()


def _names(cases: xr.Dataset) -> list[str]:
    count = cases.sizes["sample"]
    numbers = cases["sample"].values.tolist() if "sample" in cases.coords else range(count)
    return [f"sample {number}" for number in numbers]
