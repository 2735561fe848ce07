"""What the distribution offers, and the options of the solver; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from crystalsim.hookspecs import Plugin, hookimpl
from crystalsim.options import Meta


@dataclass(frozen=True)
class LamemOptions:
    """Options of the solver."""

    executable: Annotated[
        str,
        Meta(description="the program; where empty, CRYSTALSIM_LAMEM or LaMEM on the PATH"),
    ] = ""
    method: Annotated[
        Literal["direct", "multigrid"],
        Meta(description="linear solver; multigrid takes less memory on fine grids, and may fail"),
    ] = "direct"
    tolerance: Annotated[
        float,
        Meta(gt=0, le=1e-6, description="relative residual, over the whole lithostatic load"),
    ] = 1e-9
    maximum_iterations: Annotated[int, Meta(ge=1, description="give up after so many")] = 500
    markers: Annotated[
        Literal[2, 4],
        Meta(description="in a cell, in x and in z; odd numbers spoil the symmetry"),
    ] = 4
    processes: Annotated[int, Meta(ge=1, description="MPI processes for a sample")] = 1
    mpiexec: Annotated[
        str, Meta(min_length=1, description="launcher and its flags, for more than one process")
    ] = "mpiexec"
    time_limit: Annotated[float, Meta(gt=0, description="most time for a sample [s]")] = 3600.0
    cores: Annotated[
        int, Meta(ge=0, description="that all LaMEM runs of this user share at most; 0: all")
    ] = 0
    memory: Annotated[
        float,
        Meta(ge=0, description="that they share at most [GB]; 0: what this machine has"),
    ] = 0.0
    keep_files: Annotated[
        str,
        Meta(description="folder for input, log and output of each sample, used again if complete"),
    ] = ""


@hookimpl
def crystalsim_solvers() -> list[Plugin]:
    """Offer the solver."""
    return [
        Plugin(
            "lamem",
            "crystalsim_lamem.solver:LamemSolver",
            "runs the external program LaMEM 2.x or 3.x, and checks what it wrote",
            options="crystalsim_lamem.plugin:LamemOptions",
        )
    ]
