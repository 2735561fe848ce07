"""What a check found, and how it asks a solver."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..contracts import Solver
from ..datasets.schema import validate
from ..datasets.solutions import walls
from ..errors import CrystalsimError, UnsupportedError

Array = NDArray[np.float64]


_NOTHING_LEFT = 1e-6
"""Errors of solvers that are exact, not of a grid."""


@dataclass(frozen=True)
class Result:
    """What one check found.

    Attributes
    ----------
    name
        Of the check.
    cells
        Cells in each direction, one number for each grid that was solved on, ascending.
    errors
        The largest error on each grid, a fraction of what `measure` says.
    bounds
        What each error may be at most.
    measure
        What the error is and what it is relative to.
    minimum_order
        What the order of convergence from the coarsest to the finest grid has to reach, if that
        has twice the cells or more; None where no order is expected.
    parts
        Errors on each grid of each part, of which `errors` are the largest; empty where there is
        one part alone.
    skipped
        Why the check does not apply; empty where it does.
    failure
        Why nothing was measured; empty where it was.
    """

    name: str
    cells: tuple[int, ...] = ()
    errors: tuple[float, ...] = ()
    bounds: tuple[float, ...] = ()
    measure: str = ""
    minimum_order: float | None = None
    parts: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    skipped: str = ""
    failure: str = ""

    @property
    def orders(self) -> tuple[float, ...]:
        """Observed order of convergence from each grid to the next finer one."""
        return tuple(self._order(k, k + 1) for k in range(len(self.errors) - 1))

    @property
    def too_flat(self) -> bool:
        """Whether the errors fall more slowly than `minimum_order` asks for.

        Errors that are as small as those of the series compared with have nowhere to fall.
        """
        if self.minimum_order is None or not self.errors or self.cells[-1] < 2 * self.cells[0]:
            return False
        if max(self.errors) < _NOTHING_LEFT:
            return False
        return not self._order(0, -1) >= self.minimum_order

    @property
    def passed(self) -> bool:
        """Whether all errors and the order are within their bounds; true where skipped."""
        if self.failure:
            return False
        # An error that is not a number is not within its bound.
        within = all(e <= b for e, b in zip(self.errors, self.bounds, strict=True))
        return within and not self.too_flat

    def as_dict(self) -> dict[str, object]:
        """Plain values, as JSON holds them."""
        values = dataclasses.asdict(self)
        return {**values, "orders": self.orders, "passed": self.passed}

    def _order(self, coarse: int, fine: int) -> float:
        errors = self.errors[coarse], self.errors[fine]
        if not min(errors) > 0:
            return float("nan")
        steps = self.cells[fine] / self.cells[coarse]
        return float(np.log(errors[0] / errors[1]) / np.log(steps))


def solved(solver: Solver, cases: xr.Dataset, expected_walls: str = "free_slip") -> xr.Dataset:
    """Solve and see that the solver kept its contract.

    Raises
    ------
    UnsupportedError
        If the solver has other walls.
    CrystalsimError
        If the solutions do not follow the schema, belong to other samples, or did not converge.
    """
    solutions = validate(solver.solve(cases), "solutions")
    if (kind := walls(solutions)) != expected_walls:
        raise UnsupportedError(f"solutions have walls = '{kind}'; expected '{expected_walls}'")
    asked, given = cases.sizes["sample"], solutions.sizes["sample"]
    if asked != given:
        raise CrystalsimError(f"{asked} samples were asked for, {given} came back")
    lost = np.count_nonzero(~solutions["converged"].values.astype(bool))
    if lost:
        raise CrystalsimError(
            f"{lost} of {asked} samples on {cases.sizes['x']} x {cases.sizes['z']} cells did not "
            "converge"
        )
    return solutions


def relative(difference: tuple[Array, ...], whole: tuple[Array, ...]) -> float:
    """L2 norm of some fields over that of others; not a number where both vanish."""
    above, below = (np.sqrt(sum((f**2).sum() for f in fields)) for fields in (difference, whole))
    return ratio(above, below)


def ratio(above: float, below: float) -> float:
    """Quotient, not a number where the divisor is zero: no flow is no success."""
    return float(above / below) if below else float("nan")


def velocities(solutions: xr.Dataset, sample: int) -> tuple[Array, Array]:
    """Velocity of one sample in double precision, (z, x_face) and (z_face, x)."""
    horizontal, vertical = (
        solutions[name].values[sample].astype(np.float64) for name in ("velocity_x", "velocity_z")
    )
    return horizontal, vertical
