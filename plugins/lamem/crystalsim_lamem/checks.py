"""What must be true before LaMEM's output is believed: it can end with status 0 and be wrong."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crystalsim import Grid
from crystalsim.scene.case import Case

from .coefficients import coefficients, to_nodes
from .failures import LamemError
from .flow import Sheet
from .input_file import Version

LARGEST_RESIDUAL = 1e-4
"""Of the momentum equations, in the units of the input; good runs stay below it."""

LARGEST_MISFIT = 1e-4
"""Of the node velocities from a divergence-free flow; good runs have about 2e-7."""

_SAME = {"density": 1e-6, "viscosity": 2e-5}
"""Relative differences that single precision can explain; LaMEM writes logarithms of viscosity."""

_TIE = 1e-9
"""Relative change of radii within which a marker may count as inside or outside."""

_VERSION = re.compile(r"^\s*Version\s*:\s*(\d+)\.(\d+)(?:\.(\d+))?", re.MULTILINE)
_CONVERGED = re.compile(r"js_ solve converged due to (\S+) iterations (\d+)")
_DIVERGED = re.compile(r"^.*(?:did not converge|FAILED TO CONVERGE).*$", re.MULTILINE)
_PETSC_ERROR = re.compile(r"PETSC ERROR: -+ Error Message.*\n.*PETSC ERROR: (.*)")
_RESIDUAL = re.compile(r"\|mRes\|_2\s*=\s*(\S+)")
_FIRST = re.compile(r"^\s*0 SNES Function norm\s+(\S+)", re.MULTILINE)


class Report(NamedTuple):
    """What the log tells of a good run.

    Attributes
    ----------
    iterations
        Number of iterations of the Krylov solver.
    residual
        Residual of the momentum equations over the load of the first state.
    """

    iterations: int
    residual: float


def read_version(log: str) -> Version | None:
    """Version that the log tells, or None."""
    match = _VERSION.search(log)
    return Version(*(int(number or 0) for number in match.groups())) if match else None


def last_lines(log: str, count: int = 5) -> str:
    """The end of a log as one line, without rules and blanks."""
    lines = [" ".join(line.split()) for line in log.splitlines()]
    telling = [line for line in lines if line.strip("-=* ")]
    return " | ".join(telling[-count:]) or "(nothing)"


def check_status(status: int, log: str) -> None:
    """Raise if LaMEM ended with another status than 0.

    Raises
    ------
    LamemError
        With what failed where the log tells it, and the last lines of the log.
    """
    if status:
        said = _DIVERGED.search(log) or _PETSC_ERROR.search(log)
        reason = f" ({' '.join(said[said.re.groups].split())})" if said else ""
        raise LamemError(f"ended with status {status}{reason}; its log ends: {last_lines(log)}")


def check_log(log: str) -> Report:
    """Check that LaMEM says that it solved the equations.

    Raises
    ------
    LamemError
        If the linear solver did not converge, the run was not finished, or the residual is large.
    """
    if diverged := _DIVERGED.search(log):
        raise LamemError(f"its linear solver failed: {' '.join(diverged[0].split())}")
    if "SOLUTION IS DONE" not in log:
        raise LamemError(f"'SOLUTION IS DONE' is not in its log, which ends: {last_lines(log)}")
    converged = _CONVERGED.findall(log)
    if not converged:
        raise LamemError("its log does not say that the linear solver converged")
    residuals = _RESIDUAL.findall(log)
    residual = _number(residuals[-1]) if residuals else math.nan
    if not residual <= LARGEST_RESIDUAL:
        raise LamemError(
            f"its momentum residual is {residual:g}; expected {LARGEST_RESIDUAL:g} at most: the "
            "solver diverged, whatever it reports"
        )
    first = _FIRST.search(log)
    load = _number(first[1]) if first else math.nan
    return Report(sum(int(n) for _, n in converged), residual / load if load > 0 else residual)


def find_step(folder: Path) -> Path:
    """Index of the pieces after the solve.

    Step 0 is the state before it, and written even if the solve then fails.

    Raises
    ------
    LamemError
        If there is none.
    """
    # The time in the name is not exactly that of the input.
    steps = sorted(folder.glob("Timestep_00000001_*"))
    if not steps:
        raise LamemError("wrote no output after the solve (no folder Timestep_00000001_*)")
    index = steps[-1] / "output.pvtr"
    if not index.is_file():
        raise LamemError(f"wrote no index of its output ({index.parent.name}/output.pvtr)")
    return index


def check_fields(sheet: Sheet, case: Case, grid: Grid, markers: int) -> None:
    """Check that LaMEM solved the case that was asked for.

    Raises
    ------
    LamemError
        For values that are not finite, a velocity of zero, or viscosities and densities that are
        not those of the case, which LaMEM makes of keys and values that it could not read.
    """
    for name, values in sheet._asdict().items():
        if not np.isfinite(values).all():
            count = int((~np.isfinite(values)).sum())
            raise LamemError(f"its {name} holds {count} values that are not finite")
    if not (sheet.velocity_x.any() or sheet.velocity_z.any()):
        raise LamemError("its velocity is exactly zero: it did not read gravity or the crystals")
    bounds = [
        coefficients(case._replace(radius=case.radius * (1 + change)), grid, markers)
        for change in (-_TIE, _TIE)
    ]
    for name, units in (("density", "kg m-3"), ("viscosity", "Pa s")):
        medium = getattr(sheet, name)
        ends = [to_nodes(getattr(bound, name)) for bound in bounds]
        wanted = np.clip(medium, np.minimum(*ends), np.maximum(*ends))
        gap = np.abs(medium / wanted - 1)
        worst = np.unravel_index(np.argmax(gap), gap.shape)
        if gap[worst] > _SAME[name]:
            x, z = grid.x_face[worst[1]], grid.z_face[worst[0]]
            raise LamemError(
                f"its {name} at ({x:g}, {z:g}) m is {medium[worst]:.9g} {units}; expected "
                f"{wanted[worst]:.9g}: it did not read the crystals as they were written"
            )


def check_misfit(misfit: float) -> None:
    """Raise if the node velocities are not those of a divergence-free flow.

    Raises
    ------
    LamemError
        With the misfit.
    """
    if not misfit <= LARGEST_MISFIT:
        raise LamemError(
            f"its velocity differs by {misfit:.1e} from any divergence-free flow within the walls; "
            f"expected {LARGEST_MISFIT:g} at most"
        )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
