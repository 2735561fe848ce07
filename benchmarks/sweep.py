"""Hard random cases, to see whether the built-in solver ever fails silently.

200 cases of 1-30 crystals at 64 x 64 cells, contrasts from 1e-3 to 1e6 mixed at will, gaps from 0.2
cells up, 5 m from the walls: solved at the default tolerance, and by the direct sparse solve of the
example package. Prints quantiles and draws iterations and errors.

    python benchmarks/sweep.py [SAMPLES] [FIGURE.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import crystalsim
from crystalsim.stokes.crystal_motion import crystal_motion


def main() -> None:
    """Solve, compare, print, draw."""
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    sampler = crystalsim.get(
        "sampler",
        "random",
        cells=64,
        count=(1, 30),
        radius=(25, 80),
        viscosity_contrast=(1e-3, 1e6),
        minimum_gap=0.2 * 2000 / 64,
        minimum_wall_gap=5,
    )
    cases = sampler.sample(samples, seed=11)
    found = crystalsim.get("solver", "builtin").solve(cases)
    exact = crystalsim.get("solver", "direct").solve(cases)
    field = crystalsim.get("evaluator", "fields").evaluate(exact, found).relative_l2.values
    motion = [crystal_motion(solution) for solution in (found, exact)]
    velocity = [
        np.stack([m.crystal_velocity_x.values, m.crystal_velocity_z.values]) for m in motion
    ]
    error = np.nanmax(np.hypot(*(velocity[0] - velocity[1])), axis=1)
    crystal = error / np.nanmax(np.hypot(*velocity[1]), axis=1)
    iterations = found.iterations.values
    weakest = np.nanmin(cases.crystal_viscosity.values / 1e20, axis=1)
    print(f"{samples} cases, {int((~found.converged.values).sum())} reported as not converged")
    print(f"{'':28}{'median':>10}{'95 %':>10}{'largest':>10}")
    for name, values in (
        ("iterations", iterations),
        ("relative L2 of velocity, %", 100 * field),
        ("worst crystal / largest, %", 100 * crystal),
    ):
        quantiles = np.quantile(values, [0.5, 0.95, 1.0])
        print(f"{name:28}" + "".join(f"{q:10.3g}" for q in quantiles))
    silent = found.converged.values & (field > 0.01)
    print(f"converged, and more than 1 % off in the field: {int(silent.sum())}")
    if len(sys.argv) > 2:
        draw(weakest, iterations, field, crystal, Path(sys.argv[2]))


def draw(
    weakest: np.ndarray,
    iterations: np.ndarray,
    field: np.ndarray,
    crystal: np.ndarray,
    path: Path,
) -> None:
    """Iterations against the weakest crystal, and both errors as distributions."""
    figure = Figure(figsize=(8.4, 3.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.loglog(weakest, iterations, "o", ms=3.5, color="#0072B2", alpha=0.6)
    left.set(xlabel="smallest viscosity contrast in the case", ylabel="iterations")
    share = np.arange(1, field.size + 1) / field.size
    right.semilogx(100 * np.sort(field), share, color="#0072B2", label="field, relative L2")
    right.semilogx(
        100 * np.sort(crystal), share, color="#D55E00", label="worst crystal / largest speed"
    )
    right.set(xlabel="error against the direct solve [%]", ylabel="share of cases", ylim=(0, 1))
    right.legend(frameon=False)
    for axes in (left, right):
        axes.grid(lw=0.3, color="0.85")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
