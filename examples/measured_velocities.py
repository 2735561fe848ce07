"""A flow against a measurement: particle-image velocimetry of two settling discs.

Usage: python measured_velocities.py [FOLDER]

The measurement is synthetic: the flow of two discs at 256 x 256 cells, at random points, with 2 %
of noise, a sixth of the points lost and a shadow behind each disc. It is written as measured.csv in
millimetres, as a laboratory would, and compared with flows of three densities of the discs; the
right one fits to within the uncertainty.
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

import crystalsim
from crystalsim import Grid, SceneOptions, make_cases
from crystalsim.evaluation.measurements import interpolate, read_measurement, score_measurement

TANK = (-0.1, 0.1, -0.1, 0.1)
"""Walls of the tank [m]."""

SYRUP = SceneOptions(matrix_density=1400.0, matrix_viscosity=30.0)


def discs(density: float) -> list[dict[str, float]]:
    """Two discs of a radius of 6 mm, one above the other."""
    disc = {"radius": 0.006, "density": density, "viscosity": 3e5}
    return [{"x": -0.004, "z": 0.03, **disc}, {"x": 0.004, "z": 0.055, **disc}]


def solve(densities: list[float], cells: int) -> xr.Dataset:
    cases = make_cases([discs(density) for density in densities], Grid(cells, cells, *TANK), SYRUP)
    return crystalsim.get("solver", "builtin").solve(cases)


def measure(path: Path, density: float = 2500.0, points: int = 3000, seed: int = 0) -> None:
    """Write a synthetic measurement."""
    rng = np.random.default_rng(seed)
    truth = solve([density], 256)
    x, z = rng.uniform(-0.099, 0.099, (2, points))
    velocity = interpolate(truth.isel(sample=0), Grid.from_dataset(truth), x, z)
    noise = 0.02 * np.sqrt((velocity**2).mean())
    velocity += rng.normal(scale=noise, size=velocity.shape)
    lost = rng.random(points) < 1 / 6
    for disc in discs(density):
        lost |= (np.abs(z - disc["z"]) < disc["radius"]) & (x > disc["x"])
    velocity[:, lost] = np.nan
    table = 1e3 * np.stack([x, z, *velocity, np.full(points, noise)], axis=1)
    header = "x [mm],z [mm],vx [mm/s],vz [mm/s],uncertainty [mm/s]"
    np.savetxt(path, table, delimiter=",", header=header, comments="")


def main(folder: str = ".") -> xr.Dataset:
    """Measure, solve for three densities and compare."""
    path = Path(folder) / "measured.csv"
    measure(path)
    measurement = read_measurement(path)
    densities = [2000.0, 2500.0, 3000.0]
    scores = score_measurement(measurement, solve(densities, 128))
    for density, sample in zip(densities, scores["sample"].values, strict=True):
        one = scores.sel(sample=sample)
        print(
            f"{density:.0f} kg/m3: {100 * float(one['misfit']):5.1f} % off, "
            f"chi-square {float(one['reduced_chi_square']):7.2f}, fits best times "
            f"{float(one['best_scale']):.3f}"
        )
    return scores


if __name__ == "__main__":
    main(*sys.argv[1:])
