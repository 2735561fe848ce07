"""Every model at equal training time, beside everything that needs no training.

Each model trains on the same 2000 samples of 1-3 crystals at 64 x 64 cells for the same seconds of
one processor core, and predicts crystals and grids that it has never seen. Baselines and the solver
stopped early stand in the same table. What is finished is kept: run it again to go on.

    python benchmarks/models.py runs/models                  # 3 seeds of 120 s each, an hour
    python benchmarks/models.py runs/models --seconds 20 --seeds 1 --samples 20   # a quick look
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HEADLINE = ("polarization", "unet", "fno")
"""What is trained with all seeds; the others with the first one."""

TRAINED: dict[str, tuple[str, dict[str, Any]]] = {
    "polarization": ("polarization", {}),
    "polarization, no solutions": (
        "polarization",
        {"constitutive_weight": 1.0, "velocity_weight": 0.0, "strain_weight": 0.0},
    ),
    "unet": ("unet", {}),
    "fno": ("fno", {}),
    "unet, extra stress": ("unet", {"predicts": "extra_stress"}),
    "unet_prototype": ("unet_prototype", {}),
    "fno_prototype": ("fno_prototype", {}),
}
FREE: dict[str, tuple[str, dict[str, Any]]] = {
    "isoviscous": ("isoviscous", {}),
    "dilute": ("dilute", {}),
    "superposition": ("superposition", {}),
    "half_grid": ("half_grid", {}),
    "builtin, 3 iterations": ("early_stopped", {"iterations": 3}),
    "builtin, 8 iterations": ("early_stopped", {"iterations": 8}),
    "builtin, default": ("early_stopped", {"iterations": 2000}),
}
SOLVER = "builtin, default"
"""What stands for the solver where training is to pay."""

TESTS: dict[str, dict[str, Any]] = {
    "1-3": {"cells": 64, "count": (1, 3)},
    "5": {"cells": 64, "count": 5},
    "10": {"cells": 64, "count": 10},
    "15": {"cells": 64, "count": 15},
    "25": {"cells": 64, "count": 25},
    "1-3 at 128": {"cells": 128, "count": (1, 3)},
    "1-3 at 256": {"cells": 256, "count": (1, 3)},
}
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
EXACT = 1e-5
"""Tolerance of the solver for the tests: a hundred times below the best models."""


def make_data(folder: Path, samples: int) -> None:
    """Draw and solve all splits that are not there yet."""
    import crystalsim

    splits = {
        "training": ({"cells": 64, "count": (1, 3)}, 2000, 1, 1e-3),
        "validation": ({"cells": 64, "count": (1, 3)}, 100, 2, 1e-3),
        **{name: (options, samples, 3, EXACT) for name, options in TESTS.items()},
    }
    for name, (options, count, seed, tolerance) in splits.items():
        path = folder / f"{name}.nc"
        if not path.exists():
            cases = crystalsim.get("sampler", "random", **options).sample(count, seed=seed)
            solver = crystalsim.get("solver", "builtin", tolerance=tolerance)
            crystalsim.save(solver.solve(cases), path)


def train(folder: Path, label: str, seed: int, seconds: float) -> dict[str, Any]:
    """Train for about as many seconds as asked for, in whole epochs, and score."""
    import crystalsim

    training, validation = (crystalsim.open(folder / f"{n}.nc").load() for n in SPLITS)
    plugin, options = TRAINED[label]
    options = {**options, "device": "cpu"}
    # Two short trainings tell what an epoch costs, and what starting does; one before warms up.
    costs: list[float] = []
    for count in (32, 160, 480):
        start = time.process_time()
        model = crystalsim.get("model", plugin, **options, epochs=1)
        part = training.isel(sample=slice(count))
        model.fit(part, validation.isel(sample=slice(16)), seed=seed)
        costs.append(time.process_time() - start)
    epoch = (costs[2] - costs[1]) / 320 * 2000
    epochs = max(1, round(seconds / epoch))
    model = crystalsim.get("model", plugin, **options, epochs=epochs)
    start = time.process_time()
    history = model.fit(training, validation, seed=seed)
    spent = time.process_time() - start
    kept = folder / f"{label} {seed}"
    kept.mkdir(exist_ok=True)
    model.save(kept)
    return {
        "training_seconds": spent,
        "epochs": epochs,
        "parameters": model.parameter_count,
        "validation": history["validation_relative_l2"].values.tolist(),
        "tests": {name: score(folder, name, model) for name in TESTS},
    }


SPLITS = ("training", "validation")


def score(folder: Path, name: str, model: Any) -> dict[str, Any]:
    """Score a model on one test split; times are the best of three runs."""
    import numpy as np

    import crystalsim
    from crystalsim import Grid
    from crystalsim.stokes.operators import divergence

    truth = crystalsim.open(folder / f"{name}.nc").load()
    found = model.predict(truth)
    fields = crystalsim.get("evaluator", "fields").evaluate(truth, found)
    crystals = crystalsim.get("evaluator", "crystals").evaluate(truth, found)
    grid = Grid.from_dataset(found)
    leaks = divergence(found.velocity_x.values, found.velocity_z.values, grid.hx, grid.hz)
    speed = np.abs(found.velocity_z.values).max()
    made: dict[str, Any] = {"r2": float(fields["r2"].mean())}
    made["divergence"] = float(np.abs(leaks).max() * grid.hx / speed)
    columns = {
        "velocity": fields["relative_l2"],
        "speed": fields["relative_l2_speed"],
        "stream_function": fields.get("relative_l2_stream_function"),
        "crystals": crystals["crystal_velocity_error_scaled"],
    }
    for key, values in columns.items():
        if values is not None:
            numbers = 100 * values.values[np.isfinite(values.values)]
            tail = np.percentile(numbers, 95), numbers.max()
            made[key] = [float(numbers.mean()), *map(float, tail)]
    return made


def clock(folder: Path, label: str) -> dict[str, float]:
    """Milliseconds a sample at 64 x 64 and 256 x 256 cells, best of five; alone on the machine.

    And the process's peak of memory in MB after predicting at 64 x 64 and then 256 x 256 cells,
    with Python and all libraries.
    """
    import resource

    import crystalsim

    if label in TRAINED:
        plugin = TRAINED[label][0]
        model = type(crystalsim.get("model", plugin)).load(folder / f"{label} 0")
    else:
        model = crystalsim.get("model", FREE[label][0], **FREE[label][1])
    made = {}
    for name in ("1-3", "10", "1-3 at 256"):
        truth = crystalsim.open(folder / f"{name}.nc").load()
        for batch in (1, 16):
            part = truth.isel(sample=slice(batch))
            best = min(_seconds(model, part) for _ in range(5))
            made[f"{name}, batch {batch}"] = 1e3 * best / part.sizes["sample"]
        made[f"{name}, memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return made


def _seconds(model: Any, cases: Any) -> float:
    start = time.perf_counter()
    model.predict(cases)
    return time.perf_counter() - start


def measure(folder: Path, label: str, seed: int, seconds: float) -> dict[str, Any]:
    """Train if it has to be, and score."""
    if label in TRAINED:
        return train(folder, label, seed, seconds)
    import crystalsim

    plugin, options = FREE[label]
    model = crystalsim.get("model", plugin, **options)
    return {
        "training_seconds": 0.0,
        "parameters": 0,
        "tests": {name: score(folder, name, model) for name in TESTS},
    }


def in_process(folder: Path, label: str, seed: int | None, seconds: float) -> None:
    """Measure in a process of its own, one thread, unless that was done before.

    Without a seed only the clock is asked.
    """
    result = folder / f"{label} {'clock' if seed is None else seed}.json"
    if result.exists():
        return
    command = [sys.executable, __file__, str(folder), "--measure", label]
    if seed is not None:
        command += ["--seed", str(seed)]
    subprocess.run(
        [*command, "--seconds", str(seconds)],
        env={**os.environ, **ONE_THREAD},
        check=True,
        stderr=subprocess.DEVNULL,
    )
    print(f"{label}, {'time' if seed is None else f'seed {seed}'}: done", flush=True)


def table(folder: Path) -> str:
    """All results as Markdown, means over the seeds, worst of all seeds."""
    import numpy as np

    lines = [
        "| model | parameters | training s | "
        + " | ".join(TESTS)
        + " | ms | ms at 256 | MB at 256 | pays after |",
        "| --- " * (len(TESTS) + 7) + "|",
    ]
    for label in (*TRAINED, *FREE):
        found = [json.loads(path.read_text()) for path in sorted(folder.glob(f"{label} ?.json"))]
        if not found:
            continue
        cells = []
        for name in TESTS:
            tests = [each["tests"][name] for each in found]
            velocity = np.array([test["velocity"] for test in tests])
            crystals = np.array([test["crystals"] for test in tests])
            cells.append(
                f"{velocity[:, 0].mean():.2g} / {crystals[:, 0].mean():.2g} "
                f"({velocity[:, 2].max():.2g})"
            )
        times = _clocked(folder, label)
        spent = np.mean([each["training_seconds"] for each in found])
        row = [label, f"{found[0]['parameters']}", f"{spent:.0f}", *cells]
        row += [
            f"{times[f'{name}, batch 1']:.1f} / {times[f'{name}, batch 16']:.1f}"
            for name in ("1-3", "1-3 at 256")
        ]
        row.append(f"{times['1-3 at 256, memory']:.0f}")
        lines.append("| " + " | ".join([*row, _pays(folder, label, float(spent))]) + " |")
    return "\n".join(lines)


def details(folder: Path, name: str) -> str:
    """All scores on one test split as Markdown: mean / p95 / worst in %, means over the seeds."""
    import numpy as np

    columns = ("velocity", "speed", "stream_function", "crystals")
    lines = [
        f"| {name} | " + " | ".join(columns) + " | 1 - R2 | divergence |",
        "| --- " * (len(columns) + 3) + "|",
    ]
    for label in (*TRAINED, *FREE):
        paths = sorted(folder.glob(f"{label} ?.json"))
        tests = [json.loads(path.read_text())["tests"][name] for path in paths]
        if not tests:
            continue
        cells = []
        for column in columns:
            values = np.mean([test[column] for test in tests], axis=0)
            cells.append(" / ".join(f"{value:.2g}" for value in values))
        cells += [f"{1 - np.mean([test['r2'] for test in tests]):.1e}"]
        cells += [f"{max(test['divergence'] for test in tests):.0e}"]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _pays(folder: Path, label: str, training: float) -> str:
    """Solves at the default tolerance after which training, and the solves for it, have paid."""
    solver, model = (_clocked(folder, name)["1-3, batch 16"] for name in (SOLVER, label))
    if not training:
        return "-"
    return f"{2100 + 1e3 * training / (solver - model):.2g}" if model < solver else "never"


def _clocked(folder: Path, label: str) -> dict[str, float]:
    times: dict[str, float] = json.loads((folder / f"{label} clock.json").read_text())
    return times


def draw(folder: Path) -> None:
    """Draw error over time for a sample, and over the number of crystals."""
    import numpy as np
    from matplotlib.figure import Figure

    from crystalsim.plotting import save_figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    by_time, by_count = figure.subplots(1, 2)
    counts = ["1-3", "5", "10", "15", "25"]
    for k, label in enumerate((*TRAINED, *FREE)):
        found = [json.loads(path.read_text()) for path in sorted(folder.glob(f"{label} ?.json"))]
        if not found:
            continue
        tests = [each["tests"] for each in found]
        style: dict[str, Any] = {"color": f"C{k % 10}", "marker": "osD^vP*"[k % 7]}
        error = np.mean([t["1-3"]["velocity"][0] for t in tests])
        spent = _clocked(folder, label)["1-3, batch 16"]
        filled = style["color"] if label in TRAINED else "white"
        by_time.plot(spent, error, linestyle="", markersize=9, markerfacecolor=filled, **style)
        means = np.mean([[t[c]["velocity"][0] for c in counts] for t in tests], axis=0)
        line = "-" if label in TRAINED else "--"
        by_count.plot(
            [2, 5, 10, 15, 25], means, linestyle=line, markerfacecolor=filled, label=label, **style
        )
    for axes, text in ((by_time, "time for a sample at 64 x 64 [ms]"), (by_count, "crystals")):
        axes.set(xlabel=text, ylabel="relative L2 error of the velocity [%]", yscale="log")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    by_time.set_xscale("log")
    by_time.set_xticks([2, 3, 5, 10, 20], ["2", "3", "5", "10", "20"], minor=False)
    by_time.minorticks_off()
    figure.legend(loc="outside right center", frameon=False, fontsize=8)
    save_figure(figure, folder / "models.png")


def main() -> None:
    """Measure what is missing, then print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=120.0, help="of training, one core")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=100, help="in each test split")
    parser.add_argument("--processes", type=int, default=1, help="that train at once")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.measure:
        kind: Any = "clock" if given.seed is None else given.seed
        path = given.folder / f"{given.measure} {kind}.json"
        made: Any = (
            clock(given.folder, given.measure)
            if given.seed is None
            else measure(given.folder, given.measure, given.seed, given.seconds)
        )
        path.write_text(json.dumps(made, indent=1))
        return
    import torch

    print(
        f"{platform.machine()}, {os.cpu_count()} cores, one thread each; Python "
        f"{platform.python_version()}, torch {torch.__version__}; relative L2 of the velocity / "
        "crystal velocity in % (worst sample)"
    )
    make_data(given.folder, given.samples)
    jobs = [(label, 0) for label in (*FREE, *TRAINED)]
    jobs += [(label, seed) for seed in range(1, given.seeds) for label in HEADLINE]
    with ThreadPoolExecutor(given.processes) as pool:
        list(pool.map(lambda job: in_process(given.folder, *job, given.seconds), jobs))
    for label in (*FREE, *TRAINED):
        in_process(given.folder, label, None, given.seconds)
    print(table(given.folder))
    for name in ("1-3", "10"):
        print(f"\n{details(given.folder, name)}")
    draw(given.folder)
    print(f"figure: {given.folder / 'models.png'}")


if __name__ == "__main__":
    main()
