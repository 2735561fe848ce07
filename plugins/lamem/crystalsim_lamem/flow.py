"""From LaMEM's node values to the staggered grid.

LaMEM solves on faces and cells but writes node values. A node's `velocity_x` is the mean of the
faces below and above, its `velocity_z` that of the faces to the left and right, mirrored at walls.
The velocity is free of divergence, so that both are central differences of one stream function
that vanishes on the walls,

    velocity_x = (psi[k + 1] - psi[k - 1]) / (2 hz)
    velocity_z = -(psi[i + 1] - psi[i - 1]) / (2 hx),

odd beyond the walls. Sines and cosines turn these differences into factors, so that the stream
function that fits both components best, in the mean square, costs a few fast transforms. What is
left of the fit says how far the nodes are from any such flow. Faces follow as differences of the
stream function: divergence-free to rounding, and without the growth of noise that summing node
values from a wall would bring.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, dst

from crystalsim import Grid
from crystalsim.stokes.operators import pad_walls, velocity

from .failures import LamemError
from .vtk import Nodes

Array = NDArray[np.float64]

VELOCITY = "velocity [cm/yr]"
PRESSURE = "pressure [MPa]"
DENSITY = "density [kg/m^3]"
VISCOSITY = "visc_total [Pa*s]"

_CENTIMETRE_PER_YEAR = 0.01 / (365.25 * 86400)


class Sheet(NamedTuple):
    """LaMEM's node values in the section, in SI units, all on (z_face, x_face).

    Attributes
    ----------
    velocity_x, velocity_z
        Velocity to the right and upward [m s-1].
    pressure
        Total pressure, as LaMEM writes it [Pa].
    density, viscosity
        Density [kg m-3] and viscosity [Pa s] at nodes, as LaMEM writes them.
    """

    velocity_x: Array
    velocity_z: Array
    pressure: Array
    density: Array
    viscosity: Array


def section(nodes: Nodes, grid: Grid) -> Sheet:
    """Take the front layer of nodes, in SI units.

    With one cell across, LaMEM 2.2.1 writes three quarters of the vertical velocity on the side
    walls in the layer at the back; the front one is right.

    Raises
    ------
    LamemError
        If a field is missing or the nodes are not those of the grid.
    """
    missing = [n for n in (VELOCITY, PRESSURE, DENSITY, VISCOSITY) if n not in nodes.fields]
    if missing:
        raise LamemError(f"LaMEM's output holds no '{missing[0]}'")
    for name, positions, expected in (("x", nodes.x, grid.x_face), ("z", nodes.z, grid.z_face)):
        if positions.size != expected.size:
            raise LamemError(
                f"LaMEM's output has {positions.size} nodes in {name}; expected {expected.size}"
            )
        gap = np.abs(1e3 * positions - expected).max() / (expected[-1] - expected[0])
        if gap > 1e-5:
            raise LamemError(
                f"LaMEM's nodes lie up to {gap:.1e} of the domain from the grid's in {name}"
            )
    velocities = nodes.fields[VELOCITY][:, 0] * _CENTIMETRE_PER_YEAR
    return Sheet(
        velocities[..., 0],
        velocities[..., 2],
        nodes.fields[PRESSURE][:, 0] * 1e6,
        nodes.fields[DENSITY][:, 0],
        # Whatever its label says, the file holds the logarithm.
        10.0 ** nodes.fields[VISCOSITY][:, 0],
    )


def stream_function(velocity_x: Array, velocity_z: Array, grid: Grid) -> tuple[Array, float]:
    """Stream function that fits node velocities best.

    Parameters
    ----------
    velocity_x, velocity_z
        On nodes (z_face, x_face) [m s-1].
    grid
        Their grid.

    Returns
    -------
    stream_function
        On (z_face, x_face), zero on the walls [m2 s-1].
    misfit
        Relative L2 norm of what it leaves of the node velocities.
    """
    nx, nz = grid.nx, grid.nz
    factor_x = np.sin(np.pi * np.arange(1, nx) / nx) / grid.hx
    factor_z = np.sin(np.pi * np.arange(1, nz) / nz)[:, None] / grid.hz
    in_z = dst(dct(velocity_x, type=1, axis=0)[1:-1, 1:-1], type=1, axis=1)
    in_x = dst(dct(velocity_z, type=1, axis=1)[1:-1, 1:-1], type=1, axis=0)
    waves = (factor_z * in_z - factor_x * in_x) / (factor_z**2 + factor_x**2) / (4 * nx * nz)
    psi = pad_walls(dst(dst(waves, type=1, axis=0), type=1, axis=1))
    faces = velocity(psi, grid.hx, grid.hz)
    left = np.hypot(
        np.linalg.norm(velocity_to_nodes(faces[0], 0) - velocity_x),
        np.linalg.norm(velocity_to_nodes(faces[1], 1) - velocity_z),
    )
    size = np.hypot(np.linalg.norm(velocity_x), np.linalg.norm(velocity_z))
    return psi, float(left / size) if size else 0.0


def velocity_to_nodes(faces: Array, axis: int) -> Array:
    """Mean of the faces on both sides of each node, as LaMEM writes it.

    Parameters
    ----------
    faces
        `velocity_x` (z, x_face) or `velocity_z` (z_face, x).
    axis
        Along which to average: 0 for the first, 1 for the second.
    """
    pad = [(0, 0), (0, 0)]
    pad[axis] = (1, 1)
    padded = np.pad(faces, pad, mode="edge")
    return np.asarray(0.5 * (np.delete(padded, 0, axis) + np.delete(padded, -1, axis)))


def dynamic_pressure(pressure: Array, grid: Grid, density: float, gravity: float) -> Array:
    """Dynamic pressure on cells from LaMEM's total pressure on nodes.

    A node has the mean of the four cells around it, mirrored at walls. That is undone exactly, wave
    by wave, because the pressure jumps at crystals; rounding of short waves is amplified by up to
    half the number of cells in each direction.

    Parameters
    ----------
    pressure
        Total pressure on nodes (z_face, x_face) [Pa].
    grid
        Their grid.
    density, gravity
        Density of the magma [kg m-3] and acceleration by gravity [m s-2], for the lithostatic part.

    Returns
    -------
    array
        Dynamic pressure of zero mean (z, x) [Pa].
    """
    # Wall nodes have the values of the cells beside them.
    height = np.clip(grid.z_face, grid.z[0], grid.z[-1])[:, None]
    cells = pressure + density * gravity * height
    for axis, count in enumerate((grid.nz, grid.nx)):
        shape = (-1, 1) if axis == 0 else (1, -1)
        mean = np.cos(0.5 * np.pi * np.arange(count) / count).reshape(shape)
        waves = np.take(dct(cells, type=1, axis=axis), range(count), axis=axis)
        cells = dct(waves / mean, type=3, axis=axis) / (2 * count)
    return np.asarray(cells - cells.mean())
