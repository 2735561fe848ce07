"""Flows with a known extra stress of the crystals."""

from __future__ import annotations

import time

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crystalsim import Grid, iterate_cases
from crystalsim.scene.painting import rasterise
from crystalsim.stokes.extra_stress import ExtraStressSystem
from crystalsim.stokes.operators import pad_walls, velocity

from .base import Baseline


class KnownStress(Baseline):
    """The flow with a given extra stress of the crystals."""

    def extra_stress(self, system: ExtraStressSystem) -> NDArray[np.float64]:
        """Extra stress on the support of the system (support)."""
        raise NotImplementedError

    def fields(self, cases: xr.Dataset) -> dict[str, np.ndarray]:
        """See `Baseline.fields`."""
        grid = Grid.from_dataset(cases)
        samples = cases.sizes["sample"]
        psi = np.zeros((samples, grid.nz + 1, grid.nx + 1))
        pressure, wall_time = np.zeros((samples, grid.nz, grid.nx)), np.zeros(samples)
        for i, case in enumerate(iterate_cases(cases)):
            start = time.perf_counter()
            system = ExtraStressSystem(
                rasterise(case, grid),
                grid,
                reference_viscosity=case.matrix_viscosity,
                gravity=case.gravity,
            )
            stress = self.extra_stress(system)
            flow = system.isoviscous - system.response(stress)
            unit = system.scales
            psi[i] = unit.velocity * unit.length * pad_walls(flow)
            pressure[i] = unit.stress * system.pressure(flow, stress)
            wall_time[i] = time.perf_counter() - start
        velocity_x, velocity_z = velocity(psi, grid.hx, grid.hz)
        return {
            "velocity_x": velocity_x,
            "velocity_z": velocity_z,
            "pressure": pressure,
            "stream_function": psi,
            "wall_time": wall_time,
        }


class Isoviscous(KnownStress):
    """The flow as if the crystals were as viscous as the magma: no extra stress at all.

    Exact for a contrast of one. For one to three crystals that are 1e4 times as viscous it is about
    7 % (relative L2 of the velocity) off.
    """

    def extra_stress(self, system: ExtraStressSystem) -> NDArray[np.float64]:
        """None: zero on the support."""
        return np.zeros_like(system.right_hand_side)


class Dilute(KnownStress):
    """The extra stress that each crystal would have if it were alone in the isoviscous flow.

    A disc in a uniform strain rate carries a uniform extra stress (Eshelby 1957,
    doi:10.1098/rspa.1957.0133); the flow that follows from it takes one isoviscous solve more than
    the model `isoviscous` and knows how crystals disturb each other to first order.
    """

    def extra_stress(self, system: ExtraStressSystem) -> NDArray[np.float64]:
        """See `ExtraStressSystem.dilute`."""
        return system.dilute()
