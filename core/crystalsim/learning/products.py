"""From a predicted flow to fields in SI units."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..stokes.isoviscous import isoviscous_operator
from ..stokes.operators import force, pad_walls, strain_rate, velocity
from .batches import Prepared
from .heads import Flow

Fields = dict[str, np.ndarray]


def to_fields(flow: Flow, data: Prepared) -> Fields:
    """Turn a prediction into the variables of a solution.

    The isoviscous part of the stream function stays in double precision, so that the velocity is
    divergence-free to rounding. Where the extra stress is known there is a pressure too.

    Parameters
    ----------
    flow
        Flow of a whole batch.
    data
        The batch, with its units.

    Returns
    -------
    dict
        Arrays by the names of `crystalsim.datasets.schema.VARIABLES`.
    """
    scale, grid = data.velocity_scale[:, None, None], data.grid
    if flow.correction is None:
        return {
            "velocity_x": _double(flow.velocity_x) * scale,
            "velocity_z": _double(flow.velocity_z) * scale,
        }
    psi = data.isoviscous + _double(flow.correction) * (scale * data.length)
    velocity_x, velocity_z = velocity(psi, grid.hx, grid.hz)
    fields = {"velocity_x": velocity_x, "velocity_z": velocity_z, "stream_function": psi}
    if flow.normal is None or flow.shear is None:
        return fields
    stress = data.stress_scale[:, None, None]
    normal, shear = (_double(part) * stress for part in (flow.normal, flow.shear))
    pressure = _pressure(psi, normal, shear, data)
    return {
        **fields,
        "pressure": pressure,
        "extra_stress_xx": normal,
        "extra_stress_xz": pad_walls(shear),
    }


def _pressure(psi: np.ndarray, normal: np.ndarray, shear: np.ndarray, data: Prepared) -> np.ndarray:
    grid = data.grid
    viscosity = (data.stress_scale * data.length / data.velocity_scale)[:, None, None]
    rates = strain_rate(psi, grid.hx, grid.hz)
    total = viscosity * rates[0] + normal, viscosity * rates[1] + shear
    weight = data.density_face * data.gravity[:, None, None]
    return isoviscous_operator(grid).pressure(*force(*total, weight, 1.0, grid.hx, grid.hz))


def _double(values: Tensor) -> np.ndarray:
    return values.cpu().numpy().astype(np.float64)
