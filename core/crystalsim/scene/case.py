"""One sample as plain numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Case"]

CRYSTAL_FIELDS = ("x", "z", "radius", "density", "viscosity")


class Case(NamedTuple):
    """One sample of a cases dataset, as plain numbers.

    Attributes
    ----------
    x, z, radius, density, viscosity
        Centre, radius [m], density [kg m-3] and viscosity [Pa s] of each crystal (crystal), without
        padding.
    matrix_density, matrix_viscosity, gravity
        Density [kg m-3] and viscosity [Pa s] of the magma, and acceleration by gravity [m s-2].
    """

    x: NDArray[np.float64]
    z: NDArray[np.float64]
    radius: NDArray[np.float64]
    density: NDArray[np.float64]
    viscosity: NDArray[np.float64]
    matrix_density: float
    matrix_viscosity: float
    gravity: float

    @property
    def density_contrast(self) -> NDArray[np.float64]:
        """Crystal less matrix density (crystal) [kg m-3]."""
        return self.density - self.matrix_density

    @property
    def stokes_velocity(self) -> float:
        """Speed of a sphere with the first crystal's radius and density [m s-1].

        ``2/9 drho g R**2 / eta``: a unit to report in, never an internal scale. Zero without
        crystals.
        """
        if not self.x.size:
            return 0.0
        driving = abs(float(self.density_contrast[0])) * self.gravity
        return 2.0 / 9.0 * driving * float(self.radius[0]) ** 2 / self.matrix_viscosity
