"""A solver: velocity and pressure on the staggered grid, by one sparse factorisation.

With face velocities ``u`` and cell pressures ``p`` the discrete equations are

    [ A  G ] [u]   [f]
    [ D  0 ] [p] = [0]

where ``A`` holds the divergence of the viscous stress. One pressure is fixed; the mean is taken off
afterwards, and one step of iterative refinement brings the divergence to rounding.
"""

from __future__ import annotations

import time

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg
import xarray as xr
from numpy.typing import NDArray

from crystalsim import Configured, Grid, make_solutions
from crystalsim.datasets.scenes import scenes
from crystalsim.datasets.schema import VARIABLES
from crystalsim.errors import SchemaError
from crystalsim.scene.case import Case
from crystalsim.scene.painting import Scene
from crystalsim.stokes.extra_stress import scales, unit_grid
from crystalsim.stokes.operators import stream_function_from_velocity

from .plugin import DirectOptions

Array = NDArray[np.float64]

COMPUTED = ("velocity_x", "velocity_z", "pressure", "stream_function", "residual", "wall_time")


class DirectSolver(Configured[DirectOptions]):
    """Velocity and pressure by one sparse LU factorisation of the saddle-point system.

    Slow, but with no iteration to stop too early: an oracle for other solvers. High viscosity
    contrasts cost digits; samples whose residual exceeds the option `tolerance` are reported as not
    converged.

    Parameters
    ----------
    options
        See ``crystalsim describe solver direct``.
    """

    options_class = DirectOptions

    def solve(self, cases: xr.Dataset) -> xr.Dataset:
        """Solve all samples; see `crystalsim.contracts.Solver`."""
        grid = Grid.from_dataset(cases)
        fields = {
            name: np.zeros([cases.sizes[dim] for dim in VARIABLES[name].dims]) for name in COMPUTED
        }
        for i, (case, scene) in enumerate(scenes(cases, grid, self.options.average)):
            if not np.isfinite(scene.viscosity_cell).all():
                raise SchemaError(
                    f"sample {cases['sample'].values[i]}: crystal_viscosity = inf Pa s; solver "
                    "'direct' expects a finite number (1e4 times the magma's is nearly rigid)"
                )
            for name, values in self._solve_one(case, scene, grid).items():
                fields[name][i] = values
        converged = fields["residual"] <= self.options.tolerance
        return make_solutions(
            cases,
            {**fields, "converged": converged},
            attributes={"source": "crystalsim-direct", "viscosity_average": self.options.average},
        )

    def _solve_one(self, case: Case, scene: Scene, grid: Grid) -> dict[str, Array | float]:
        start = time.perf_counter()
        unit = scales(scene, grid, case.matrix_viscosity, case.gravity)
        cell = scene.viscosity_cell / case.matrix_viscosity
        corner = scene.viscosity_corner / case.matrix_viscosity
        buoyancy = float(case.gravity > 0) * scene.density_face / unit.density
        u, w, p, residual = solve_saddle(unit_grid(grid), cell, corner, buoyancy)
        velocity_x, velocity_z = unit.velocity * u, unit.velocity * w
        return {
            "velocity_x": velocity_x,
            "velocity_z": velocity_z,
            "pressure": unit.stress * (p - p.mean()),
            "stream_function": np.asarray(
                stream_function_from_velocity(velocity_x, velocity_z, grid.hx, grid.hz)
            ),
            "residual": residual,
            "wall_time": time.perf_counter() - start,
        }


def solve_saddle(
    grid: Grid, cell: Array, corner: Array, buoyancy: Array
) -> tuple[Array, Array, Array, float]:
    """Solve the staggered equations with free slip on all walls.

    Parameters
    ----------
    grid
        Its cell sizes fix the unit of length.
    cell, corner
        Viscosity (nz, nx) and (nz + 1, nx + 1).
    buoyancy
        Weight of the density anomaly on horizontal faces (nz + 1, nx), downward.

    Returns
    -------
    velocity_x, velocity_z, pressure
        (nz, nx + 1), (nz + 1, nx) and (nz, nx).
    residual
        Norm of what is left of the equations over that of the buoyancy.
    """
    nx, nz = grid.nx, grid.nz
    # Differences in one direction; velocities on walls are zero and left out.
    to_cell_x = _difference(nx, grid.hx)  # interior vertical faces -> cells
    to_cell_z = _difference(nz, grid.hz)
    one_x, one_z = sparse.identity(nx), sparse.identity(nz)
    inner_x, inner_z = sparse.identity(nx - 1), sparse.identity(nz - 1)
    du_dx = sparse.kron(one_z, to_cell_x)
    dw_dz = sparse.kron(to_cell_z, one_x)
    # Shear lives on interior corners: without traction there is none on the walls.
    du_dz = sparse.kron(-to_cell_z.T, inner_x)
    dw_dx = sparse.kron(inner_z, -to_cell_x.T)
    twice = sparse.diags(2.0 * cell.ravel())
    shear = sparse.diags(corner[1:-1, 1:-1].ravel())
    stress_u = du_dx.T @ twice @ du_dx + du_dz.T @ shear @ du_dz
    stress_w = dw_dz.T @ twice @ dw_dz + dw_dx.T @ shear @ dw_dx
    coupling = du_dz.T @ shear @ dw_dx
    matrix = sparse.block_array(
        [
            [stress_u, coupling, -du_dx.T],
            [coupling.T, stress_w, -dw_dz.T],
            [-du_dx, -dw_dz, None],
        ],
        format="csc",
    )
    faces = du_dx.shape[1], dw_dz.shape[1]
    known = np.concatenate([np.zeros(faces[0]), -buoyancy[1:-1].ravel(), np.zeros(nx * nz)])
    # The last pressure is zero; its equation follows from the others.
    kept = matrix.shape[0] - 1
    matrix, known = matrix[:kept, :kept], known[:kept]
    factors = scipy.sparse.linalg.splu(matrix)
    unknowns = factors.solve(known)
    unknowns += factors.solve(known - matrix @ unknowns)
    residual = float(np.linalg.norm(known - matrix @ unknowns) / (np.linalg.norm(known) or 1.0))
    u, w, p = np.split(np.append(unknowns, 0.0), [faces[0], sum(faces)])
    return (
        np.pad(u.reshape(nz, nx - 1), ((0, 0), (1, 1))),
        np.pad(w.reshape(nz - 1, nx), ((1, 1), (0, 0))),
        p.reshape(nz, nx),
        residual,
    )


def _difference(cells: int, spacing: float) -> sparse.csr_array:
    """From values on interior faces, zero on the walls, to differences over cells."""
    here = sparse.eye_array(cells, cells - 1)
    return sparse.csr_array((here - sparse.eye_array(cells, cells - 1, k=-1)) / spacing)
