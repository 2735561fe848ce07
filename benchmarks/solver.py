"""All ways to solve for the flow, in one run: seconds, memory and error against the truth.

Every measurement runs in a process of its own with one thread; seconds are those of the processor,
so that other work on the machine counts little. The scene is ten random crystals with `multipole`
for the truth where that is installed, else the three of case c with finite elements. Memory is what
the solve adds to the peak of its process. What is not installed is said and left out.

    python benchmarks/solver.py                       # 64 to 256 cells, two minutes
    python benchmarks/solver.py 64 128 256 512 --figure errors.png
    python benchmarks/solver.py 256 --methods builtin saddle --scene ten
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

REFERENCE = Path(__file__).parents[1] / "tests" / "data" / "reference" / "c.nc"
BUILTIN = {
    "builtin": {},
    "tight": {"tolerance": 1e-8},
    "single": {"precision": "single"},
    "motion": {},
}
METHODS = {
    "builtin": "builtin, default tolerance",
    "tight": "builtin, tolerance 1e-8",
    "single": "builtin, single precision",
    "motion": "builtin, crystals' motion alone",
    "multipole": "multipole, without a grid",
    "cholmod": "sparse Cholesky (CHOLMOD) of the stream function's operator",
    "superlu": "SuperLU of the stream function's operator",
    "saddle": "SciPy splu of the saddle-point system (example direct)",
    "lamem": "LaMEM, direct",
}
COLORS = (
    "#0072B2",
    "#56B4E9",
    "#009E73",
    "#999999",
    "#CC79A7",
    "#E69F00",
    "#D55E00",
    "#000000",
    "#F0E442",
)
LARGEST = {"saddle": 256, "superlu": 512, "lamem": 256}
"""Cells beyond which a method takes minutes or all memory."""


def scene(name, cells):  # type: ignore[no-untyped-def]
    """Cases of a scene, and the true velocities (component, crystal) or None."""
    import numpy as np
    import xarray as xr

    import crystalsim
    from crystalsim import Grid, make_cases

    if name == "ten":
        cases = crystalsim.get("sampler", "random", cells=cells, count=10).sample(1, seed=1)
        if not installed("multipole"):
            return cases, None
        motion = crystalsim.get("solver", "multipole").motion(cases)
        return cases, velocities(motion)
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
    truth = np.stack([reference.crystal_velocity_x.values, reference.crystal_velocity_z.values])
    return make_cases([crystals], Grid(cells, cells)), truth


def velocities(motion):  # type: ignore[no-untyped-def]
    """Velocities of the only sample (component, crystal)."""
    import numpy as np

    names = ("crystal_velocity_x", "crystal_velocity_z")
    return np.stack([motion[name].values[0] for name in names])


def measure(method: str, cells: int, name: str) -> dict[str, float | None]:
    """Solve once to warm up and some times for the clock."""
    import resource
    import time

    import numpy as np

    import crystalsim
    from crystalsim.stokes.crystal_motion import crystal_motion

    def clock() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + children.ru_utime + children.ru_stime

    cases, truth = scene(name, cells)
    if method in ("cholmod", "superlu"):
        solve = functools.partial(stream_function, method)
    elif method in BUILTIN:
        solver = crystalsim.get("solver", "builtin", **BUILTIN[method])
        solve = solver.motion if method == "motion" else solver.solve
    else:
        solve = crystalsim.get("solver", "direct" if method == "saddle" else method).solve
    quick = method in BUILTIN
    if quick:
        solve(cases)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(20 if quick else 1):
        start = clock()
        solution = solve(cases)
        seconds.append(clock() - start)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    error = None
    if truth is not None:
        motion = solution if method == "motion" else crystal_motion(solution)
        wrong = np.hypot(*(velocities(motion) - truth)).max()
        error = float(wrong / np.hypot(*truth).max())
    return {
        "seconds": float(np.median(seconds)),
        "megabytes": (after - before) / 1024,
        "error": error,
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
    painted = rasterise(case, grid)
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
    cell = sparse.diags_array(painted.viscosity_cell.ravel() / case.matrix_viscosity)
    inner = painted.viscosity_corner[1:-1, 1:-1].ravel()
    corner = sparse.diags_array(inner / case.matrix_viscosity)
    matrix = (normal.T @ cell @ normal + shear.T @ corner @ shear).tocsc()
    rhs = -case.gravity * buoyancy_curl(painted.density_face, unit.hx).ravel()
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


def installed(method: str) -> bool:
    """Whether a method can be had here."""
    import crystalsim
    from crystalsim.errors import CrystalsimError

    if method == "cholmod":
        return importlib.util.find_spec("sksparse") is not None
    if method in ("multipole", "lamem", "saddle"):
        try:
            solver = crystalsim.get("solver", "direct" if method == "saddle" else method)
            if method == "lamem":
                solver.solve(scene("c", 16)[0])
        except CrystalsimError:
            return False
    return True


def in_process(method: str, cells: int, name: str) -> dict[str, float]:
    """Measure in a process of its own, one thread."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, __file__, "--measure", method, str(cells), "--scene", name],
        env={**os.environ, **threads},
        check=True,
        capture_output=True,
        text=True,
    )
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def draw(rows: list[tuple[str, int, dict[str, float]]], path: Path) -> None:
    """Error over seconds, a line for each method."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 5.0), layout="constrained")
    axes = figure.subplots()
    for color, (method, label) in zip(COLORS, METHODS.items(), strict=True):
        mine = [
            (row["seconds"], 100 * row["error"], cells) for m, cells, row in rows if m == method
        ]
        if mine:
            seconds, errors, sizes = zip(*mine, strict=True)
            axes.loglog(seconds, errors, "o-", ms=4, lw=1, color=color, label=label)
            if method in ("single", "motion"):
                continue  # beside those of the default
            for x, y, cells in zip(seconds, errors, sizes, strict=True):
                axes.annotate(str(cells), (x, y), (4, 3), textcoords="offset points", fontsize=7)
    axes.set(xlabel="processor time [s]", ylabel="error of the worst crystal [%]")
    axes.grid(lw=0.3, color="0.85")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Print the table; draw it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", nargs="*", type=int, default=[64, 128, 256])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--scene", choices=("ten", "c"))
    parser.add_argument("--figure", type=Path, help="where to draw error over time")
    parser.add_argument("--measure", choices=METHODS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.cells[0], arguments.scene)))
        return
    import numpy
    import scipy

    name = arguments.scene or ("ten" if installed("multipole") else "c")
    fast = "ducc0" if importlib.util.find_spec("ducc0") else "SciPy"
    print(
        f"{processor()}, one of {os.cpu_count()} cores; Python {platform.python_version()}, NumPy "
        f"{numpy.__version__}, SciPy {scipy.__version__}, transforms by {fast}; scene '{name}'"
    )
    methods = [method for method in arguments.methods if installed(method)]
    missing = [method for method in arguments.methods if method not in methods]
    if missing:
        print(f"not installed, and left out: {', '.join(missing)}")
    print(f"{'cells':>5}  {'ratio':>7}  {'seconds':>9}  {'MB':>7}  {'error %':>8}  method")
    rows = []
    for cells in arguments.cells:
        first = None
        for method in methods:
            if cells > LARGEST.get(method, cells):
                continue
            row = in_process(method, cells, name)
            first = first or row["seconds"]
            error = "-" if row["error"] is None else f"{100 * row['error']:.3f}"
            print(
                f"{cells:5d}  {row['seconds'] / first:7.1f}  {row['seconds']:9.4f}  "
                f"{row['megabytes']:7.0f}  {error:>8}  {METHODS[method]}",
                flush=True,
            )
            rows.append((method, cells, row))
    if arguments.figure:
        draw([row for row in rows if row[2]["error"] is not None], arguments.figure)


def processor() -> str:
    """Model of the processor, where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
