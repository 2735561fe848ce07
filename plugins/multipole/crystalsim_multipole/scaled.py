"""A case without dimensions, solved with as many modes as its tolerance asks for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from crystalsim import Grid
from crystalsim.errors import UnsupportedError
from crystalsim.scene.case import Case

from .expansions import Discs
from .lattice import Lattice
from .plugin import MultipoleOptions
from .system import Closeness, Flow, closeness, count_modes, solve

_ROUNDS = 4
"""Times to solve with more modes; once more was enough for all gaps down to 0.1 m."""

_MARGIN = 1.0
"""Logarithm by which more modes are to undercut the tolerance: modes fall a little more slowly."""


_SLENDEREST = 100
"""Twins that are summed one by one grow with the ratio of the sides: here they are two thousand."""


class Scaled(NamedTuple):
    """A case in units of its box and of its largest force.

    Attributes
    ----------
    discs, lattice
        Without dimensions.
    length
        Unit of length [m].
    speed
        Unit of velocity [m s-1], zero where nothing drives a flow.
    """

    discs: Discs
    lattice: Lattice
    length: float
    speed: float

    @classmethod
    def from_case(cls, case: Case, grid: Grid, name: str) -> Scaled:
        """Scale a case.

        Raises
        ------
        UnsupportedError
            If the velocities over- or underflow, or the box is too slender for sums over twins.
        """
        if max(grid.width, grid.height) > _SLENDEREST * min(grid.width, grid.height):
            raise UnsupportedError(
                f"solver multipole: a box of {grid.width:g} x {grid.height:g} m; expected one side "
                f"up to {_SLENDEREST} times as long as the other"
            )
        length = 0.5 * (grid.width + grid.height)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            weight = case.density_contrast * case.gravity * case.radius**2
            force = weight / (8 * case.matrix_viscosity)
            speed = float(np.abs(force).max(initial=0.0))
        if not np.isfinite(speed) or (speed < 1e-280 and weight.any()):
            raise UnsupportedError(
                f"solver multipole: {name}: velocities of about {speed:g} m s-1; expected "
                "densities, gravity and viscosity whose flow neither over- nor underflows"
            )
        discs = Discs(
            np.asarray(((case.x - grid.x_min) + 1j * (case.z - grid.z_min)) / length),
            case.radius / length,
            case.viscosity / case.matrix_viscosity,
            np.asarray(1j * force / (speed or 1.0)),
        )
        return cls(discs, Lattice(grid.width / length, grid.height / length), length, speed)

    def solve(self, options: MultipoleOptions, name: str, *, surfaces: bool) -> tuple[Flow, float]:
        """Solve with enough modes.

        Parameters
        ----------
        options
            Tolerance, and the most modes to use.
        name
            Name of the sample, for messages.
        surfaces
            Whether the velocity at the discs' surfaces has to be within the tolerance, too, which
            takes twice the modes that the discs' own velocities take.

        Returns
        -------
        flow
            Without dimensions.
        residual
            Estimate of the error over the largest speed of a disc.

        Raises
        ------
        UnsupportedError
            If discs overlap, or come so close that it takes more than `maximum_modes`.
        """
        near = closeness(self.discs, self.lattice)
        tolerance, most = options.tolerance, options.maximum_modes
        modes = count_modes(near.decay, tolerance if surfaces else np.sqrt(tolerance))
        worst = int(np.argmax(np.where(near.gap < 0, np.inf, modes)))
        if near.gap[worst] < 0:
            raise UnsupportedError(f"{self._gap(near, worst, name)}; expected no overlap")
        if modes[worst] > most:
            raise UnsupportedError(
                f"{self._gap(near, worst, name)}, which takes {modes[worst]} modes; expected "
                f"maximum_modes = {most} or fewer"
            )
        for _ in range(_ROUNDS):
            flow = solve(self.discs, self.lattice, modes)
            speed = np.abs(flow.velocity).max() or 1.0
            errors, last = flow.velocity_errors / speed, flow.last_modes / speed
            residual = max(errors.sum(), last.max() if surfaces else 0.0)
            # Errors of velocities fall as exp(-2 xi n), the last modes as exp(-xi n).
            excess = 0.5 * np.log(np.maximum(modes.size * errors / tolerance, 1.0))
            if surfaces:
                excess = np.maximum(excess, np.log(np.maximum(last / tolerance, 1.0)))
            excess[excess > 0] += _MARGIN
            wanted = np.minimum(modes + np.ceil(excess / near.decay).astype(np.int64), most)
            if residual <= tolerance or (wanted == modes).all():
                break
            modes = wanted
        return flow, float(residual)

    def _gap(self, near: Closeness, k: int, name: str) -> str:
        """Tell how near disc k is to what."""
        gap, what = near.gap[k] * self.length, f"crystal {near.other[k]}"
        if near.kind[k] != 0:  # a twin is twice as far as the wall
            gap, what = 0.5 * gap, "a wall"
        return f"solver multipole: {name} crystal {k}: the gap to {what} is {gap:.3g} m"
