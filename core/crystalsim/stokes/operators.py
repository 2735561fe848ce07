"""Discrete operators on the staggered grid, written with slices alone.

They serve NumPy arrays and torch tensors alike, with any leading batch dimensions; the last two
are (z, x). Lengths are in the unit of `hx` and `hz`.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

__all__ = [
    "at_centres",
    "buoyancy_curl",
    "divergence",
    "force",
    "pad_walls",
    "strain_rate",
    "strain_rate_adjoint",
    "stream_function_from_velocity",
    "velocity",
    "vorticity",
]

A = TypeVar("A", bound=Any)
"""A NumPy array or torch tensor."""


def pad_walls(interior: A) -> A:
    """Surround values on interior corners by zeros on the walls.

    Parameters
    ----------
    interior
        (..., nz - 1, nx - 1).

    Returns
    -------
    array
        (..., nz + 1, nx + 1).
    """
    shape = (*interior.shape[:-2], interior.shape[-2] + 2, interior.shape[-1] + 2)
    if isinstance(interior, np.ndarray):
        padded: Any = np.zeros(shape, dtype=interior.dtype)
    else:
        padded = interior.new_zeros(shape)
    padded[..., 1:-1, 1:-1] = interior
    return padded


def velocity(psi: A, hx: float, hz: float) -> tuple[A, A]:
    """Velocity of a stream function: divergence-free to rounding, impermeable where psi is zero.

    Parameters
    ----------
    psi
        Stream function on all corners (..., z_face, x_face).

    Returns
    -------
    velocity_x, velocity_z
        On vertical faces (..., z, x_face) and horizontal faces (..., z_face, x).
    """
    return (
        (psi[..., 1:, :] - psi[..., :-1, :]) / hz,
        (psi[..., :, :-1] - psi[..., :, 1:]) / hx,
    )


def at_centres(velocity_x: A, velocity_z: A) -> tuple[A, A]:
    """Both components at cell centres (..., z, x), means of the faces."""
    return (
        0.5 * (velocity_x[..., 1:] + velocity_x[..., :-1]),
        0.5 * (velocity_z[..., 1:, :] + velocity_z[..., :-1, :]),
    )


def divergence(velocity_x: A, velocity_z: A, hx: float, hz: float) -> A:
    """Divergence of the velocity in each cell (..., z, x)."""
    return (velocity_x[..., :, 1:] - velocity_x[..., :, :-1]) / hx + (
        velocity_z[..., 1:, :] - velocity_z[..., :-1, :]
    ) / hz


def strain_rate(psi: A, hx: float, hz: float) -> tuple[A, A]:
    """Strain rate of a stream function, doubled so that stress is viscosity times it.

    Parameters
    ----------
    psi
        Stream function on all corners (..., z_face, x_face).

    Returns
    -------
    normal
        ``2 e_xx = -2 e_zz = 2 d2psi/dxdz`` on cells (..., nz, nx).
    shear
        ``2 e_xz = d2psi/dz2 - d2psi/dx2`` on interior corners (..., nz - 1, nx - 1).
    """
    across = psi[..., :, 1:] - psi[..., :, :-1]
    normal = (across[..., 1:, :] - across[..., :-1, :]) * (2.0 / (hx * hz))
    middle = psi[..., 1:-1, 1:-1]
    shear = (psi[..., 2:, 1:-1] - 2 * middle + psi[..., :-2, 1:-1]) / hz**2 - (
        psi[..., 1:-1, 2:] - 2 * middle + psi[..., 1:-1, :-2]
    ) / hx**2
    return normal, shear


def strain_rate_adjoint(normal: A, shear: A, hx: float, hz: float) -> A:
    """Apply the transpose of `strain_rate`: the curl of the divergence of a stress.

    Parameters
    ----------
    normal, shear
        Stress on cells (..., nz, nx) and on interior corners (..., nz - 1, nx - 1).

    Returns
    -------
    array
        On interior corners (..., nz - 1, nx - 1).
    """
    across = normal[..., :, 1:] - normal[..., :, :-1]
    twisted = (across[..., 1:, :] - across[..., :-1, :]) * (2.0 / (hx * hz))
    padded = pad_walls(shear)
    return (
        twisted
        + (padded[..., 2:, 1:-1] - 2 * shear + padded[..., :-2, 1:-1]) / hz**2
        - (padded[..., 1:-1, 2:] - 2 * shear + padded[..., 1:-1, :-2]) / hx**2
    )


def buoyancy_curl(density_face: A, hx: float) -> A:
    """Horizontal derivative of the density anomaly at interior corners.

    Times ``-gravity`` it is the curl of the body force, the right-hand side of the stream-function
    equation.

    Parameters
    ----------
    density_face
        On horizontal faces (..., z_face, x).

    Returns
    -------
    array
        On interior corners (..., nz - 1, nx - 1).
    """
    return (density_face[..., 1:-1, 1:] - density_face[..., 1:-1, :-1]) / hx


def vorticity(psi: A, hx: float, hz: float) -> A:
    """Vorticity ``dv_z/dx - dv_x/dz`` on interior corners (..., nz - 1, nx - 1)."""
    middle = psi[..., 1:-1, 1:-1]
    return -(
        (psi[..., 2:, 1:-1] - 2 * middle + psi[..., :-2, 1:-1]) / hz**2
        + (psi[..., 1:-1, 2:] - 2 * middle + psi[..., 1:-1, :-2]) / hx**2
    )


def force(
    normal: A, shear: A, density_face: A, gravity: float, hx: float, hz: float
) -> tuple[A, A]:
    """Divergence of the viscous stress plus buoyancy: what the pressure gradient balances.

    Parameters
    ----------
    normal, shear
        Viscous stress ``tau_xx = -tau_zz`` on cells (..., nz, nx) and ``tau_xz`` on all corners
        (..., nz + 1, nx + 1), or on interior ones where it vanishes on the walls (free slip).
    density_face
        Density anomaly on horizontal faces (..., z_face, x).

    Returns
    -------
    force_x, force_z
        On interior vertical faces (..., nz, nx - 1) and horizontal faces (..., nz - 1, nx).
    """
    tau = shear if shear.shape[-1] > normal.shape[-1] else pad_walls(shear)
    force_x = (normal[..., :, 1:] - normal[..., :, :-1]) / hx + (
        tau[..., 1:, 1:-1] - tau[..., :-1, 1:-1]
    ) / hz
    force_z = (
        (tau[..., 1:-1, 1:] - tau[..., 1:-1, :-1]) / hx
        - (normal[..., 1:, :] - normal[..., :-1, :]) / hz
        - gravity * density_face[..., 1:-1, :]
    )
    return force_x, force_z


def stream_function_from_velocity(velocity_x: Any, velocity_z: Any, hx: float, hz: float) -> Any:
    """Integrate the flux from the lower left corner (..., z_face, x_face), NumPy only.

    The mean of integrating first along x and first along z; both agree where the velocity is
    divergence-free.
    """
    vx, vz = np.asarray(velocity_x), np.asarray(velocity_z)
    shape = (*vx.shape[:-2], vz.shape[-2], vx.shape[-1])
    upward = np.zeros(shape, dtype=np.result_type(vx, vz))
    upward[..., 1:, :] = np.cumsum(vx, axis=-2) * hz
    across = np.zeros_like(upward)
    across[..., :, 1:] = -np.cumsum(vz, axis=-1) * hx
    return 0.5 * (upward + across[..., :1, :] + across + upward[..., :, :1])
