"""Which resolution do I need? Errors of crystals' motion against the grid-free solver `multipole`.

    python plugins/builtin/benchmarks/resolution.py [FOLDER] [SOLVER.OPTION=VALUE ...]

writes `resolution.csv` (all figures) and `resolution.png` into a folder, in ten minutes. Random
scenes of up to six equal discs, for each number of cells a radius, contrast and grid, with gaps of
a radius or more; and two rigid discs that are squeezed together, for each gap.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import crystalsim
from crystalsim import Grid, crystal_motion, make_cases, motion_of

GRIDS = (64, 128, 256, 512)
RADII = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
CONTRASTS = (1e-4, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e4, float("inf"))
GAPS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0)
SCENES = 4
WIDTH = 2000.0


def random_scene(rng: np.random.Generator, radius: float, contrast: float) -> list[dict]:
    """Up to six equal discs, a radius apart at least."""
    discs: list[dict] = []
    for _ in range(2000):
        x, z = rng.uniform(-0.5 * WIDTH + 1.5 * radius, 0.5 * WIDTH - 1.5 * radius, 2)
        if all(np.hypot(x - d["x"], z - d["z"]) > 3 * radius for d in discs):
            density = 2700.0 + rng.uniform(100, 500)
            viscosity = 1e20 * contrast
            discs.append(
                {"x": x, "z": z, "radius": radius, "density": density, "viscosity": viscosity}
            )
        if len(discs) == 6:
            break
    return discs[: rng.integers(1, 7)]


def squeezed(gap: float) -> list[dict]:
    """A heavy rigid disc on a light one."""
    disc = {"x": 10.0, "radius": 100.0, "viscosity": float("inf")}
    height = 100.0 + 0.5 * gap
    return [{**disc, "z": height, "density": 2900.0}, {**disc, "z": -height, "density": 2500.0}]


def velocities(motion) -> np.ndarray:
    """Velocity (component, sample, crystal)."""
    return np.stack([motion["crystal_velocity_x"].values, motion["crystal_velocity_z"].values])


def compare(scenes: list[list[dict]], cells: int, solver, exact) -> tuple[np.ndarray, np.ndarray]:
    """Velocities by the solver on a grid, and exact ones."""
    cases = make_cases(scenes, Grid(cells, cells))
    return velocities(crystal_motion(solver.solve(cases))), velocities(motion_of(exact, cases))


def main() -> None:
    """Measure, write the table, draw the figure."""
    options = [a for a in sys.argv[1:] if "=" in a]
    folder = Path(next((a for a in sys.argv[1:] if "=" not in a), "."))
    chosen = dict(option.removeprefix("solver.").split("=") for option in options)
    solver = crystalsim.get("solver", "builtin", tolerance=1e-3, **chosen)
    exact = crystalsim.get("solver", "multipole")
    rows: list[dict[str, object]] = []
    for cells in GRIDS:
        for contrast in CONTRASTS:
            for radius in RADII:
                size = radius * WIDTH / cells
                # Tens of seconds a sample beyond, and nothing new.
                if size > 190 or (cells == 512 and (contrast < 0.1 or radius < 3)):
                    continue
                rng = np.random.default_rng([int(10 * radius), cells])
                scenes = [random_scene(rng, size, contrast) for _ in range(SCENES)]
                found, true = compare(scenes, cells, solver, exact)
                speed = np.nanmax(np.hypot(*true), axis=1, keepdims=True)
                error = 100 * np.hypot(*(found - true)) / speed
                rows.append({
                    "what": "random scenes", "cells": cells, "contrast": contrast,
                    "cells a radius": radius, "mean %": np.nanmean(error),
                    "worst %": np.nanmax(error),
                })  # fmt: skip
                print(rows[-1], flush=True)
        for gap in GAPS:
            found, true = compare([squeezed(gap * WIDTH / cells)], cells, solver, exact)
            ratio = (found[1, 0, 0] - found[1, 0, 1]) / (true[1, 0, 0] - true[1, 0, 1])
            rows.append({
                "what": "squeezed", "cells": cells, "contrast": float("inf"),
                "cells a radius": cells / 20, "gap in cells": gap, "approach over exact": ratio,
            })  # fmt: skip
            print(rows[-1], flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    with (folder / "resolution.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    draw(rows).savefig(folder / "resolution.png", dpi=150)


def draw(rows: list[dict]) -> plt.Figure:
    """Errors over cells a radius for each contrast, and the speed of approach over the gap."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.95, len(CONTRASTS)))
    for contrast, colour in zip(CONTRASTS, colours, strict=True):
        for panel, name in zip(axes[:2], ("mean %", "worst %"), strict=True):
            points = [
                (radius, np.max([r[name] for r in rows if _is(r, contrast, radius)]))
                for radius in RADII
                if any(_is(r, contrast, radius) for r in rows)
            ]
            label = "rigid" if np.isinf(contrast) else f"{contrast:g}"
            panel.loglog(*zip(*points, strict=True), "o-", color=colour, ms=3, label=label)
            panel.set(xlabel="cells a radius", xticks=RADII, xticklabels=[f"{r:g}" for r in RADII])
            panel.minorticks_off()
    for panel, name in zip(axes[:2], ("mean over crystals", "worst crystal"), strict=True):
        panel.axhline(1.0, color="0.6", lw=0.8)
        panel.axhline(0.1, color="0.6", lw=0.8)
        panel.set_title(f"Error of the velocity, {name}", loc="left", fontsize=10)
        panel.set_ylabel("% of the largest speed (worst grid)")
    axes[0].legend(title="contrast", fontsize=8, ncols=2)
    for cells in GRIDS:
        pairs = [
            (r["gap in cells"], r["approach over exact"])
            for r in rows
            if r["what"] == "squeezed" and r["cells"] == cells
        ]
        axes[2].semilogx(*zip(*pairs, strict=True), "o-", ms=3, label=f"{cells} x {cells}")
    axes[2].axhline(1.0, color="0.6", lw=0.8)
    axes[2].set(xlabel="gap in cells", ylabel="approach of squeezed rigid discs over exact")
    axes[2].set_title("Gaps (radius 100 m)", loc="left", fontsize=10)
    axes[2].legend(fontsize=8)
    return figure


def _is(row: dict, contrast: float, radius: float) -> bool:
    return (
        row["what"] == "random scenes"
        and row["contrast"] == contrast
        and row["cells a radius"] == radius
    )


if __name__ == "__main__":
    main()
