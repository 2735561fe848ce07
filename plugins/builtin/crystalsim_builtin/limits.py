"""Refuses what floating-point numbers cannot hold, by name."""

from __future__ import annotations

import math

from crystalsim.errors import UnsupportedError
from crystalsim.scene.case import Case
from crystalsim.stokes.extra_stress import Scales

RANGE = {"double": (1e-100, 1e100), "single": (1e-30, 1e30)}
"""Units of velocity, stream function and stress whose squares and differences can be held."""

WEAKEST = 1e-10
"""Viscosity over that of the magma below which rounding takes over."""

_USUAL = {
    "gravity": ("m s-2", 9.81),
    "matrix_density": ("kg m-3", 2700.0),
    "crystal_density": ("kg m-3", 2900.0),
    "matrix_viscosity": ("Pa s", 1e20),
    "crystal_viscosity": ("Pa s", 1e24),
    "crystal_radius": ("m", 100.0),
}


def refuse_extremes(case: Case, units: Scales, precision: str, sample: object) -> None:
    """Check that the flow of one sample can be computed.

    Parameters
    ----------
    case
        The sample.
    units
        Its units; the viscosity is the smallest there is.
    precision
        ``"double"`` or ``"single"``.
    sample
        Its number, for the message.

    Raises
    ------
    UnsupportedError
        If velocity, stream function or stress over- or underflow, naming the variable that is
        farthest from what is usual; or if something is far weaker than the magma.
    """
    if units.viscosity < WEAKEST * case.matrix_viscosity:
        raise UnsupportedError(
            f"sample {sample}: a viscosity of {units.viscosity:g} Pa s in magma of "
            f"matrix_viscosity = {case.matrix_viscosity:g} Pa s; expected at least "
            f"{WEAKEST:g} of that"
        )
    low, high = RANGE[precision]
    sizes = units.velocity, units.velocity * units.length, units.stress
    if all(low < size < high for size in sizes):
        return
    values = {
        "gravity": [case.gravity],
        "matrix_density": [case.matrix_density],
        "crystal_density": case.density.tolist(),
        "matrix_viscosity": [case.matrix_viscosity],
        "crystal_viscosity": case.viscosity.tolist(),
        "crystal_radius": case.radius.tolist(),
    }
    name, value = max(
        ((n, v) for n, several in values.items() for v in several if 0 < v < math.inf),
        key=lambda pair: abs(math.log10(pair[1] / _USUAL[pair[0]][1])),
    )
    raise UnsupportedError(
        f"sample {sample}: {name} = {value:g} {_USUAL[name][0]} makes velocities of "
        f"{units.velocity:g} m s-1 and stresses of {units.stress:g} Pa; expected {low:g} to "
        f"{high:g} in {precision} precision"
    )
