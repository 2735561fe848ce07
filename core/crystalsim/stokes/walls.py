"""Walls beyond free slip: the isoviscous operators of periodic sides and of no slip.

``periodic_sides``
    What leaves through one side comes in through the other; top and bottom are free-slip. The
    stream function is periodic in x (nothing flows through the bottom, so that no net flux crosses
    any level) and zero on the bottom. On the top it is the net horizontal flux, which is set to
    zero: a uniform horizontal translation meets no resistance between free-slip plates, and this
    fixes it. The horizontal mean of ``v_x`` may vary with height. Top and bottom carry no shear, so
    that there is no mean horizontal pressure gradient either, and the pressure is periodic; the
    horizontal mean of the density anomaly adds to the pressure alone. A real Fourier transform in
    x takes the place of the sine transform. Of a `viscosity_corner` given on both sides the left
    counts.
``no_slip``
    All four walls are at rest. The tangential velocity is reflected with its sign changed, so that
    the shear stress on a wall is ``eta 2 v_t / h`` with ``v_t`` half a cell inside, and

        K = K0 + 2 W' W,    W psi = v_t / h  on the corners of the walls,

    with ``K0`` and its sine modes of free slip. The walls are a correction of low rank
    (capacitance matrix, Buzbee, Dorr, George & Golub 1971, doi:10.1137/0708066) that is exact:
    modes of equal parity in x and in z couple among themselves only, which leaves four dense
    symmetric systems of about ``(nx + nz) / 2`` unknowns, inverted once for each grid: 17 ms and
    2 MB at 256 x 256 cells, where an isoviscous solve then takes 1.8 instead of 1.1 ms. Crystals
    take as many iterations as with free slip. (With the walls' stress among the unknowns of the
    conjugate gradients, preconditioned by a sine transform of each wall, they took a fifth more,
    and the whole 1.6 instead of 1.3 times as long as with free slip.)
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import scipy.fft
import scipy.linalg
from numpy.typing import DTypeLike, NDArray

from ..scene.grid import Grid
from .isoviscous import (
    Corners,
    IsoviscousOperator,
    isoviscous_operator,
    laplacian_eigenvalues,
)
from .operators import force, strain_rate
from .transforms import sine, sine_matrix

Array = NDArray[Any]
Walls = Literal["free_slip", "periodic_sides", "no_slip"]


class PeriodicOperator(IsoviscousOperator):
    """Isoviscous operator with periodic sides; unknowns are (nz - 1, nx), the left side's first.

    Parameters
    ----------
    grid
        Its cell sizes fix the unit of length.
    """

    unknown: Corners = (slice(1, -1), slice(0, -1))
    sheared: Corners = (slice(1, -1), slice(0, -1))

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        # Wave k has k periods on the width, a sine mode half a period.
        in_x = laplacian_eigenvalues(2 * np.arange(grid.nx // 2 + 1), grid.nx, grid.hx)
        in_z = laplacian_eigenvalues(np.arange(1, grid.nz), grid.nz, grid.hz)
        self._inverse = 1.0 / ((in_z[:, None] + in_x) ** 2 * (2 * grid.nz))
        in_z = laplacian_eigenvalues(np.arange(grid.nz), grid.nz, grid.hz)
        poisson = in_z[:, None] + in_x
        poisson[0, 0] = np.inf  # the mean of the pressure is zero
        self._inverse_poisson = 1.0 / poisson
        self._single = self._inverse.astype(np.float32)

    def solve(self, rhs: Array, *, overwrite: bool = False) -> Array:
        """Solve ``K0 psi = rhs`` on unknown corners (..., nz - 1, nx)."""
        modes = scipy.fft.rfft(sine(rhs, (-2,), overwrite=overwrite), axis=-1)
        self._invert(modes)
        psi = scipy.fft.irfft(modes, n=self.grid.nx, axis=-1, overwrite_x=True)
        return np.asarray(sine(psi, (-2,), overwrite=True))

    def on_rows(self, rows: NDArray[np.intp], dtype: DTypeLike) -> Callable[[Array], Array]:
        """See `IsoviscousOperator.on_rows`; rows are (row, nx)."""
        back = sine_matrix(self.grid.nz, np.dtype(dtype).str)[rows]
        forth = np.ascontiguousarray(4.0 * back.T)

        def solve(rhs: Array) -> Array:
            waves = scipy.fft.rfft(rhs, axis=-1)
            # Real products of real and imaginary parts side by side.
            modes = (forth @ waves.view(rhs.dtype)).view(waves.dtype)
            self._invert(modes)
            waves = (back @ modes.view(rhs.dtype)).view(waves.dtype)
            return np.asarray(scipy.fft.irfft(waves, n=self.grid.nx, axis=-1, overwrite_x=True))

        return solve

    def _invert(self, modes: Array) -> None:
        modes *= self._single if modes.dtype == np.complex64 else self._inverse

    def extend(self, psi: Array) -> Array:
        """See `IsoviscousOperator.extend`."""
        on_levels = np.pad(psi, ((1, 1), (0, 0)))
        return np.concatenate([on_levels, on_levels[:, :1]], axis=1)

    def number(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """See `IsoviscousOperator.number`."""
        width = self.grid.nx
        place = np.full((self.grid.nz + 3, width + 3), -1, dtype=np.intp)
        place[rows + 2, 1:-2] = np.arange(rows.size * width).reshape(rows.size, width)
        place[:, [0, -2]] = place[:, [width, 1]]
        return place

    def buoyancy_curl(self, density_face: Array) -> Array:
        """See `IsoviscousOperator.buoyancy_curl`."""
        inner = density_face[1:-1]
        return (inner - np.roll(inner, 1, axis=1)) / self.grid.hx

    def strain_rate(self, psi: Array) -> tuple[Array, Array]:
        """See `IsoviscousOperator.strain_rate`."""
        around = np.pad(self.extend(psi)[:, :-1], ((0, 0), (1, 1)), mode="wrap")
        normal, shear = strain_rate(around, self.grid.hx, self.grid.hz)
        return normal[:, 1:], shear

    def shear_on_all(self, shear: Array) -> Array:
        """See `IsoviscousOperator.shear_on_all`."""
        return self.extend(shear)

    def force(
        self, normal: Array, shear: Array, density_face: Array, gravity: float
    ) -> tuple[Array, Array]:
        """See `IsoviscousOperator.force`; one vertical face for each column, the left one."""
        before = (0, 0), (1, 0)
        on_levels = np.pad(shear, ((1, 1), (0, 0)))
        force_x, force_z = force(
            np.pad(normal, before, mode="wrap"),
            np.pad(on_levels, ((0, 0), (1, 1)), mode="wrap"),
            np.pad(density_face, before, mode="wrap"),
            gravity,
            self.grid.hx,
            self.grid.hz,
        )
        return force_x, force_z[:, 1:]

    def pressure(self, force_x: Array, force_z: Array) -> Array:
        """See `IsoviscousOperator.pressure`; force_x is (nz, nx)."""
        grid = self.grid
        source = (np.roll(force_x, -1, axis=-1) - force_x) / grid.hx
        source[..., :-1, :] += force_z / grid.hz
        source[..., 1:, :] -= force_z / grid.hz
        modes = scipy.fft.rfft(scipy.fft.dct(source, type=2, axis=-2, norm="ortho"), axis=-1)
        modes *= -self._inverse_poisson
        waves = scipy.fft.irfft(modes, n=grid.nx, axis=-1, overwrite_x=True)
        return np.asarray(scipy.fft.idct(waves, type=2, axis=-2, norm="ortho", overwrite_x=True))


class NoSlipOperator(IsoviscousOperator):
    """Isoviscous operator with all walls at rest; unknowns are interior corners.

    Parameters
    ----------
    grid
        Its cell sizes fix the unit of length.
    """

    balanced = False
    sheared: Corners = (slice(None), slice(None))

    def __init__(self, grid: Grid) -> None:
        super().__init__(grid)
        self._to_x = _velocity_at_wall(grid.nx, grid.hx)
        self._to_z = _velocity_at_wall(grid.nz, grid.hz)
        twice_transformed = 4 * grid.nx * grid.nz
        inverse = self._inverse * twice_transformed
        self._coupled = {
            (i, j): _coupled(self._to_z[i, i::2], self._to_x[j, j::2], inverse[i::2, j::2])
            * twice_transformed
            for i, j in itertools.product((0, 1), (0, 1))
        }

    def _invert(self, modes: Array) -> None:
        super()._invert(modes)
        # Velocity along bottom and top, then tractions in its place; so with left and right.
        along_x, along_z = self._to_z @ modes, modes @ self._to_x.T
        for (i, j), coupled in self._coupled.items():
            in_x, in_z = along_x[..., i, j::2], along_z[..., i::2, j]
            # One row a sample, so that its numbers do not depend on how many there are.
            velocities = np.concatenate([in_x, in_z], axis=-1)[..., None, :]
            tractions = (velocities @ coupled)[..., 0, :]
            in_x[...], in_z[...] = np.split(tractions, [in_x.shape[-1]], axis=-1)
        modes -= self._inverse * (self._to_z.T @ along_x + along_z @ self._to_x)

    def strain_rate(self, psi: Array) -> tuple[Array, Array]:
        """See `IsoviscousOperator.strain_rate`; on all corners, ``2 v_t / h`` on walls."""
        normal, inner = super().strain_rate(psi)
        shear = np.zeros((self.grid.nz + 1, self.grid.nx + 1))
        shear[1:-1, 1:-1] = inner
        shear[[0, -1], 1:-1] = 2.0 * psi[[0, -1]] / self.grid.hz**2
        shear[1:-1, [0, -1]] = -2.0 * psi[:, [0, -1]] / self.grid.hx**2
        return normal, shear

    def weigh_corners(self, values: Array) -> Array:
        """Double the values on walls.

        The strain rate that multiplies them in ``S`` is ``v_t / h``, half of that at the wall,
        because half of the corner's control volume lies inside; their product is the stress.
        """
        weighed = 2.0 * values
        weighed[1:-1, 1:-1] = values[1:-1, 1:-1]
        # Where two walls meet nothing moves.
        weighed[:: len(values) - 1, :: values.shape[1] - 1] = 0.0
        return weighed

    def shear_on_all(self, shear: Array) -> Array:
        """See `IsoviscousOperator.shear_on_all`."""
        return shear


def _velocity_at_wall(cells: int, spacing: float) -> Array:
    """Tangential velocity over the cell size that modes have at a wall, by parity.

    Returns
    -------
    array
        (2, cells - 1): modes that give opposite walls opposite shear, and those that give equal.
    """
    modes = np.arange(1, cells)
    values = np.sqrt(2.0 / cells) * np.sin(np.pi / cells * modes) / spacing**2
    return np.stack([np.where(modes % 2 == 1, values, 0.0), np.where(modes % 2 == 0, values, 0.0)])


def _coupled(to_z: Array, to_x: Array, inverse: Array) -> Array:
    """Inverse of ``1/4 + U' Lambda**-2 U`` for the modes of one parity in z and in x.

    Opposite walls move alike there, so that the two are one of twice the weight: ``2 W' W = 4 U
    U'``. First come the modes along bottom and top, then those along the sides.

    Parameters
    ----------
    to_z, to_x
        Velocity at the walls of the modes of that parity.
    inverse
        Their ``Lambda**-2`` (mode in z, mode in x).
    """
    size = to_x.size
    matrix = np.diag(0.25 + np.concatenate([to_z**2 @ inverse, inverse @ to_x**2]))
    matrix[size:, :size] = inverse * np.outer(to_z, to_x)
    matrix[:size, size:] = matrix[size:, :size].T
    return np.asarray(scipy.linalg.inv(matrix, check_finite=False))


@functools.lru_cache(maxsize=4)
def wall_operator(grid: Grid, walls: Walls) -> IsoviscousOperator:
    """Return the isoviscous operator of a grid and its walls, made once."""
    if walls == "free_slip":
        return isoviscous_operator(grid)
    return {"periodic_sides": PeriodicOperator, "no_slip": NoSlipOperator}[walls](grid)
