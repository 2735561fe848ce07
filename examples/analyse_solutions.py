"""How fast do crystals sink in company? An analysis with xarray.

Usage: python analyse_solutions.py SOLUTIONS.nc [FIGURE.png]

where SOLUTIONS.nc is any solutions file, such as that of::

    crystalsim sample -n 60 --output cases.nc
    crystalsim solve cases.nc --output solutions.nc
"""

import sys

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from crystalsim.stokes.crystal_motion import crystal_motion


def relative_velocity(solutions: xr.Dataset) -> xr.DataArray:
    """Sinking velocity of each crystal over the Stokes velocity of a sphere of its size."""
    contrast = solutions["crystal_density"] - solutions["matrix_density"]
    driving = contrast * solutions["gravity"] * solutions["crystal_radius"] ** 2
    stokes = 2 / 9 * driving / solutions["matrix_viscosity"]
    return -crystal_motion(solutions)["crystal_velocity_z"] / stokes


def by_count(velocity: xr.DataArray) -> xr.Dataset:
    """Mean and standard deviation over all crystals of the samples with the same count."""
    samples = velocity.groupby("crystal_count")
    return xr.Dataset({"mean": samples.mean(...), "std": samples.std(...)})


def draw(velocity: xr.DataArray, summary: xr.Dataset) -> Figure:
    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    count, value = xr.broadcast(velocity["crystal_count"], velocity)
    axes.plot(count.values.ravel(), value.values.ravel(), ".", color="0.7", label="crystals")
    axes.errorbar(
        summary["crystal_count"],
        summary["mean"],
        summary["std"],
        fmt="o-",
        color="#0072B2",
        capsize=3,
        label="mean and standard deviation",
    )
    axes.set(
        xlabel="number of crystals",
        ylabel="sinking velocity / Stokes velocity",
        xticks=summary["crystal_count"].values,
    )
    axes.axhline(0, color="black", linewidth=0.6)
    axes.legend(frameon=False)
    return figure


def main(path: str, figure: str | None = None) -> xr.Dataset:
    """Print the summary and draw it where a file is named."""
    with xr.open_dataset(path) as solutions:
        velocity = relative_velocity(solutions)
    summary = by_count(velocity)
    for count in summary["crystal_count"].values:
        here = summary.sel(crystal_count=count)
        mean, std = float(here["mean"]), float(here["std"])
        print(f"{count:3d} crystals: {mean:.2f} +- {std:.2f} Stokes velocities")
    upward = float((velocity < 0).sum() / np.isfinite(velocity).sum())
    print(f"{100 * upward:.0f} % of the crystals are carried upward by the others")
    if figure:
        draw(velocity, summary).savefig(figure, dpi=150)
    return summary


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
