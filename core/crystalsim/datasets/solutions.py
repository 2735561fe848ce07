"""Solutions: the dataset that a solver or model returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ..errors import UnsupportedError
from . import schema
from .resolution import is_resolved
from .scenes import paint

__all__ = ["make_solutions", "require_free_slip", "walls"]


def make_solutions(
    cases: xr.Dataset,
    fields: Mapping[str, ArrayLike],
    *,
    attributes: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Add fields to cases: the dataset that a solver or model returns.

    Parameters
    ----------
    cases
        Dataset of kind ``"cases"`` (or ``"solutions"``, whose fields are dropped).
    fields
        Arrays by the names of `schema.VARIABLES`, in SI units. `crystal_fraction` and `phase` are
        painted from the cases, and `converged` is true, where they are not given; `resolved` says
        whether crystals and gaps are large enough for the cells, unless it is given, as by what
        needs no grid.
    attributes
        Added to those of the cases, but for `walls` and `viscosity_average`: solutions that do
        not name theirs have free slip (see `walls`) and no mean of the viscosity of their own.
    """
    values = dict(fields)
    if "crystal_fraction" not in values or "phase" not in values:
        fraction, phase = paint(cases)
        values = {"crystal_fraction": fraction, "phase": phase, **values}
    values.setdefault("converged", np.ones(cases.sizes["sample"], dtype=bool))
    if "resolved" not in values:
        values["resolved"] = is_resolved(cases)
    # Made at once: adding variables to a dataset takes four times as long, a third of a solve.
    variables = {name: cases.variables[name] for name in schema.INPUTS if name in cases.data_vars}
    for name in sorted(values, key=list(schema.VARIABLES).index):
        dims = schema.VARIABLES[name].dims
        variables[name] = xr.Variable(dims, values[name], schema.attributes(name))
    words = ("magma", *(f"crystal_{k}" for k in range(cases.sizes["crystal"])))
    variables["phase"].attrs |= schema.flags(words, variables["phase"].dtype)
    own = ("walls", "viscosity_average")
    kept = {name: value for name, value in cases.attrs.items() if name not in own}
    title = "Stokes flow around crystals in magma"
    return xr.Dataset(variables, cases.coords, {**kept, "title": title, **(attributes or {})})


def walls(solutions: xr.Dataset) -> str:
    """Walls of solutions: their attribute `walls`, ``"free_slip"`` where there is none.

    `crystalsim.stokes.walls` says what the names mean.
    """
    return str(solutions.attrs.get("walls", "free_slip"))


def require_free_slip(solutions: xr.Dataset, what: str) -> None:
    """Refuse solutions with other walls.

    Parameters
    ----------
    solutions
        Dataset of kind ``"solutions"``.
    what
        Who refuses, for the message.

    Raises
    ------
    UnsupportedError
        If walls are not free-slip.
    """
    if (condition := walls(solutions)) != "free_slip":
        raise UnsupportedError(
            f"{what}: solutions have walls = '{condition}'; expected 'free_slip'"
        )
