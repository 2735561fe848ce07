"""The built-in solver against sparse direct solvers: seconds, memory and error.

Every measurement runs in a process of its own with one thread. The error is that of the crystals'
velocities against finite elements (over the largest speed), for case c of `tests/data/reference`.

    python benchmarks/solver.py            # 64 and 128 cells, a minute
    python benchmarks/solver.py 64 128 256 # the sparse solve of the saddle system takes minutes
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

REFERENCE = Path(__file__).parents[1] / "tests" / "data" / "reference" / "c.nc"
METHODS = {
    "builtin": "extra-stress conjugate gradients (builtin)",
    "cholmod": "sparse Cholesky (CHOLMOD) of the stream-function operator",
    "superlu": "SuperLU of the stream-function operator",
    "saddle": "SciPy splu of the saddle-point system (example direct)",
}


def measure(method: str, cells: int) -> dict[str, float]:
    """Solve the reference case once to warm up and some times for the clock."""
    import resource
    import time

    import numpy as np
    import xarray as xr

    import crystalsim
    from crystalsim import Grid, make_cases
    from crystalsim.stokes.crystal_motion import crystal_motion

    reference = xr.load_dataset(REFERENCE)
    crystals = [
        {
            "x": float(reference.crystal_x[i]),
            "z": float(reference.crystal_z[i]),
            "radius": float(reference.crystal_radius[i]),
            "density": 2700.0 + float(reference.crystal_density_contrast[i]),
            "viscosity": 1e24,
        }
        for i in range(reference.sizes["crystal"])
    ]
    cases = make_cases([crystals], Grid(cells, cells))
    if method in ("cholmod", "superlu"):
        solve = functools.partial(stream_function, method)
    else:
        solve = crystalsim.get("solver", "builtin" if method == "builtin" else "direct").solve
    if method == "builtin":
        solve(cases)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(20 if method == "builtin" else 1):
        start = time.perf_counter()
        solution = solve(cases)
        seconds.append(time.perf_counter() - start)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    motion = crystal_motion(solution).isel(sample=0)
    error = np.hypot(
        motion.crystal_velocity_x.values - reference.crystal_velocity_x.values,
        motion.crystal_velocity_z.values - reference.crystal_velocity_z.values,
    )
    largest = np.hypot(reference.crystal_velocity_x, reference.crystal_velocity_z).max()
    return {
        "seconds": float(np.median(seconds)),
        "megabytes": (after - before) / 1024,
        "error": float(error.max() / largest),
    }


def stream_function(method, cases):  # type: ignore[no-untyped-def]
    """Assemble ``S' eta S`` and factorise it."""
    import numpy as np
    import scipy.sparse as sparse
    import scipy.sparse.linalg

    from crystalsim import Grid, iterate_cases, make_solutions
    from crystalsim.scene.painting import rasterise
    from crystalsim.stokes.extra_stress import unit_grid
    from crystalsim.stokes.operators import buoyancy_curl, pad_walls, velocity

    grid = Grid.from_dataset(cases)
    case = next(iterate_cases(cases))
    scene = rasterise(case, grid)
    unit = unit_grid(grid)

    def second(cells: int, spacing: float) -> sparse.csr_array:
        ones = np.ones(cells - 1)
        return sparse.diags_array([ones[1:], -2 * ones, ones[1:]], offsets=[-1, 0, 1]).tocsr() / (
            spacing**2
        )

    def first(cells: int, spacing: float) -> sparse.csr_array:
        ones = np.ones(cells - 1) / spacing
        return sparse.diags_array([ones, -ones], offsets=[0, -1], shape=(cells, cells - 1)).tocsr()

    one_x, one_z = sparse.eye_array(grid.nx - 1), sparse.eye_array(grid.nz - 1)
    normal = 2 * sparse.kron(first(grid.nz, unit.hz), first(grid.nx, unit.hx))
    shear = sparse.kron(second(grid.nz, unit.hz), one_x) - sparse.kron(
        one_z, second(grid.nx, unit.hx)
    )
    cell = sparse.diags_array(scene.viscosity_cell.ravel() / case.matrix_viscosity)
    corner = sparse.diags_array(scene.viscosity_corner[1:-1, 1:-1].ravel() / case.matrix_viscosity)
    matrix = (normal.T @ cell @ normal + shear.T @ corner @ shear).tocsc()
    rhs = -case.gravity * buoyancy_curl(scene.density_face, unit.hx).ravel()
    if method == "cholmod":
        from sksparse.cholmod import cholesky

        solved = cholesky(matrix)(rhs)
    else:
        solved = scipy.sparse.linalg.splu(matrix, permc_spec="COLAMD").solve(rhs)
    scale = (0.5 * grid.height) ** 3 / case.matrix_viscosity
    psi = pad_walls(solved.reshape(grid.nz - 1, grid.nx - 1)) * scale
    velocity_x, velocity_z = velocity(psi, grid.hx, grid.hz)
    fields = {"velocity_x": velocity_x[None], "velocity_z": velocity_z[None]}
    return make_solutions(cases, {**fields, "stream_function": psi[None]})


def in_process(method: str, cells: int) -> dict[str, float]:
    """Measure in a process of its own, one thread."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, __file__, "--measure", method, str(cells)],
        env={**os.environ, **threads},
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
        return
    sizes = [int(text) for text in sys.argv[1:]] or [64, 128]
    import numpy
    import scipy

    print(
        f"{platform.machine()}, {os.cpu_count()} cores, one thread used; Python "
        f"{platform.python_version()}, NumPy {numpy.__version__}, SciPy {scipy.__version__}"
    )
    print(f"{'cells':>5}  {'ratio':>7}  {'seconds':>9}  {'MB':>7}  {'error %':>8}  method")
    for cells in sizes:
        ours = None
        for method, name in METHODS.items():
            if method == "cholmod" and not importlib.util.find_spec("sksparse"):
                print(f"{cells:5d}  (scikit-sparse is not installed: no {method})")
                continue
            found = in_process(method, cells)
            ours = ours or found["seconds"]
            print(
                f"{cells:5d}  {found['seconds'] / ours:7.1f}  {found['seconds']:9.4f}  "
                f"{found['megabytes']:7.0f}  {100 * found['error']:8.3f}  {name}",
                flush=True,
            )


if __name__ == "__main__":
    main()
