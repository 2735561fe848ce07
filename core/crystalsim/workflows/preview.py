"""What a run would do, without doing it."""

from __future__ import annotations

import time
from pathlib import Path

import xarray as xr

from ..config.run import RunConfig
from ..runtime.log import silent
from ..runtime.words import plural
from ..storage.run_folder import SPLITS, RunFolder
from .chain import check_chain
from .run import refuse_other_run

TRIED = 2
"""Samples that are solved for the estimate."""
MOST_CELLS = 256**2
"""Largest grid on which samples are solved for it."""


def preview(config: RunConfig, folder: Path, *, workers: int = 1) -> str:
    """Say what `run` would do: stages, sizes, and how long the solver takes where that is cheap.

    Two samples are drawn and, on grids of up to 256 x 256 cells, solved; nothing is written.

    Parameters
    ----------
    config, folder, workers
        As for `crystalsim.workflows.run.run`.

    Raises
    ------
    StoreError
        If the folder holds another run.
    CrystalsimError
        If the stages do not fit together, see `crystalsim.workflows.chain.check_chain`.
    """
    place = RunFolder(folder)
    refuse_other_run(config, place)
    if place.is_complete:
        return f"{folder}: this run is complete; the command would show its results"
    check_chain(config)
    with silent():
        cases = config.sampler.build().sample(TRIED, seed=config.seed)
    counts = {split: getattr(config.samples, split) for split in SPLITS}
    total = sum(counts.values())
    shown = ", ".join(f"{count} {split}" for split, count in counts.items())
    done = [split for split in SPLITS if place.cases(split).is_file()]
    state = f"begun, with cases for {', '.join(done) or 'nothing'}" if place.is_run else "new"
    grid = f"{cases.sizes['x']} x {cases.sizes['z']} cells"
    model = f"{config.model.name}{' (trained already)' if place.is_trained else ''}"
    return "\n".join(
        [
            f"folder      {folder} ({state})",
            f"sample      {config.sampler.name}: {plural(total, 'sample')} ({shown}) on {grid}",
            f"solve       {config.solver.name}: {_cost(config, cases, total, workers)}",
            f"train       {model}: how long is not estimated",
            f"predict     {', '.join(dict.fromkeys((config.model.name, *config.baselines)))}",
            f"evaluate    {', '.join(config.evaluators)}",
        ]
    )


def _cost(config: RunConfig, cases: xr.Dataset, total: int, workers: int) -> str:
    """Time and size of the solutions, from two samples."""
    processes = plural(workers, "process", "processes")
    if cases.sizes["x"] * cases.sizes["z"] > MOST_CELLS:
        return f"{processes}; the grid is too large to try"
    solver = config.solver.build()
    with silent():
        solver.solve(cases.isel(sample=[0]))  # what is set up once for a grid is not counted
        start = time.perf_counter()
        solutions = solver.solve(cases)
    each = (time.perf_counter() - start) / TRIED
    size = solutions.nbytes / TRIED * total / 1e6
    return (
        f"about {each * total / workers:.2g} s with {processes} ({1000 * each:.2g} ms a sample), "
        f"{size:.3g} MB before compression"
    )
