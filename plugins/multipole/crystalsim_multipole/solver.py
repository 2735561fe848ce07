"""The exact solver: motion of crystals alone, and fields on the grid of the cases."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crystalsim import Grid, iterate_cases, make_solutions
from crystalsim.datasets.schema import GIVEN_FIELDS, VARIABLES, attributes
from crystalsim.datasets.solutions import require_free_slip
from crystalsim.errors import UnsupportedError
from crystalsim.options import Configured
from crystalsim.scene.case import Case
from crystalsim.stokes.operators import velocity

from .fields import Fields
from .plugin import MultipoleOptions
from .scaled import Scaled

Array = NDArray[np.float64]

MOTION = {
    "crystal_velocity_x": ("m s-1", "horizontal velocity of the crystal"),
    "crystal_velocity_z": ("m s-1", "vertical velocity of the crystal, upward"),
    "crystal_angular_velocity": ("s-1", "angular velocity of the crystal, from x to z"),
}


class MultipoleSolver(Configured[MultipoleOptions]):
    """Stokes flow around discs in a free-slip rectangle, exact but for the number of modes.

    Every disc has an outgoing expansion of Goursat's potentials that meets the conditions on its
    circle together with those of all other discs and mirror twins; the walls are met exactly. See
    `expansions` for the derivation, `lattice` for the twins, `system` for the equations and the
    estimate of the error, `fields` for the evaluation on grids.

    Parameters
    ----------
    options
        See ``crystalsim describe solver multipole``.
    """

    options_class = MultipoleOptions
    grid_free: ClassVar[bool] = True

    def motion(self, cases: xr.Dataset) -> xr.Dataset:
        """Velocity and angular velocity of every crystal; see `crystalsim.contracts.Motion`.

        Parameters
        ----------
        cases
            What to solve.

        Returns
        -------
        xarray.Dataset
            `crystal_velocity_x`, `crystal_velocity_z` [m s-1] and `crystal_angular_velocity` [s-1]
            on (sample, crystal), means over the crystal's area, NaN beyond `crystal_count`, which
            is a coordinate; on (sample) `residual`, the estimated error of the velocities over
            the largest speed, `converged`, whether it is within the tolerance, and `wall_time` [s].

        Raises
        ------
        UnsupportedError
            If walls are not free-slip, media are given on the grid, crystals overlap, or a gap is
            too small for `maximum_modes`.
        """
        grid = _supported(cases)
        values = np.full((3, cases.sizes["sample"], cases.sizes["crystal"]), np.nan)
        report, numbers = _Report(cases.sizes["sample"]), cases["sample"].values
        for i, case in enumerate(iterate_cases(cases)):
            started = time.perf_counter()
            if count := case.x.size:
                name = f"sample {numbers[i]}"
                scaled = Scaled.from_case(case, grid, name)
                flow, report.residual[i] = scaled.solve(self.options, name, surfaces=False)
                values[0, i, :count] = flow.velocity.real * scaled.speed
                values[1, i, :count] = flow.velocity.imag * scaled.speed
                values[2, i, :count] = flow.angular_velocity * scaled.speed / scaled.length
            report.wall_time[i] = time.perf_counter() - started
        dataset = cases[["crystal_count"]].set_coords("crystal_count")
        told = report.variables(self.options.tolerance)
        return dataset.assign(
            {
                name: (("sample", "crystal"), array, {"units": units, "long_name": long_name})
                for array, (name, (units, long_name)) in zip(values, MOTION.items(), strict=True)
            }
            | {name: (("sample",), array, attributes(name)) for name, array in told.items()}
        )

    def solve(self, cases: xr.Dataset) -> xr.Dataset:
        """Solve all samples; see `crystalsim.contracts.Solver`.

        `stream_function` holds the exact values on corners, so that the velocities, its
        differences, are exact means over faces. `pressure` holds values at the centres of cells,
        less their mean. `residual` estimates the error of the velocity, on the surfaces of
        crystals too, over the largest speed of a crystal, from the last modes and from what flows
        through the walls.

        Raises
        ------
        UnsupportedError
            As `motion`.
        """
        grid = _supported(cases)
        fields = {
            name: np.zeros([cases.sizes[dim] for dim in VARIABLES[name].dims])
            for name in ("velocity_x", "velocity_z", "pressure", "stream_function")
        }
        report, numbers = _Report(cases.sizes["sample"]), cases["sample"].values
        for i, case in enumerate(iterate_cases(cases)):
            started = time.perf_counter()
            if case.x.size:
                psi, pressure, report.residual[i] = self._fields(case, grid, f"sample {numbers[i]}")
                fields["stream_function"][i], fields["pressure"][i] = psi, pressure
                fields["velocity_x"][i], fields["velocity_z"][i] = velocity(psi, grid.hx, grid.hz)
            report.wall_time[i] = time.perf_counter() - started
        fields |= {"resolved": np.ones(cases.sizes["sample"], dtype=bool)}
        return make_solutions(cases, {**fields, **report.variables(self.options.tolerance)})

    def _fields(self, case: Case, grid: Grid, name: str) -> tuple[Array, Array, float]:
        """Stream function on corners, pressure on cells, and the residual."""
        scaled = Scaled.from_case(case, grid, name)
        flow, residual = scaled.solve(self.options, name, surfaces=True)
        evaluated = Fields(flow, grid.nx * grid.nz)

        def points(x: Array, z: Array) -> NDArray[np.complex128]:
            at = (x - grid.x_min) + 1j * (z - grid.z_min)[:, None]
            return np.asarray(at.ravel() / scaled.length)

        psi = evaluated.stream_function(points(grid.x_face, grid.z_face))
        psi = psi.reshape(grid.nz + 1, grid.nx + 1)
        psi -= psi[0, 0]
        through = max(np.abs(wall).max() for wall in (psi[[0, -1]], psi[:, [0, -1]]))
        speed = float(np.abs(flow.velocity).max()) or 1.0
        psi[[0, -1]], psi[:, [0, -1]] = 0.0, 0.0
        pressure = evaluated.pressure(points(grid.x, grid.z)).reshape(grid.nz, grid.nx)
        pressure -= pressure.mean()
        pressure *= scaled.speed * case.matrix_viscosity / scaled.length
        return psi * (scaled.speed * scaled.length), pressure, max(residual, through / speed)


class _Report:
    """What is told of each sample."""

    def __init__(self, samples: int) -> None:
        self.residual, self.wall_time = np.zeros((2, samples))

    def variables(self, tolerance: float) -> dict[str, NDArray[Any]]:
        """By the names of the schema (sample)."""
        return {
            "converged": self.residual <= tolerance,
            "residual": self.residual,
            "wall_time": self.wall_time,
        }


def _supported(cases: xr.Dataset) -> Grid:
    """Grid of the cases, after refusing what cannot be solved."""
    require_free_slip(cases, "solver multipole")
    for name in GIVEN_FIELDS:
        if name in cases.variables:
            raise UnsupportedError(
                f"solver multipole: cases give '{name}' on the grid; expected crystals alone"
            )
    return Grid.from_dataset(cases)
