"""Work on many samples, shard by shard: in parallel, resumable, the same whatever the workers.

Each shard is a file of its own that the worker writes aside and renames. A call that is killed
loses the shards in hand; the same call again makes only what is missing.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from ..config.choice import Choice
from ..datasets.cases import cases_only
from ..datasets.returned import log_traceback
from ..errors import CrystalsimError, OptionError, StoreError
from ..runtime import memory
from ..runtime.log import logger
from ..runtime.progress import progress
from ..runtime.words import listed, plural
from ..storage import netcdf
from ..storage.claims import VERSIONS, claim_folder, discard, is_made, versions
from ..storage.files import checksum_fits, record_checksum, remove_stale
from ..storage.joining import join_files
from ..storage.provenance import fingerprint, provenance
from .schedule import PROCESSES, Schedule, run_tasks
from .shard import Compute, Order, Outcome, Task

SHARD_SIZE = 64


class Job(NamedTuple):
    """Everything that decides what stands in an output.

    Attributes
    ----------
    verb
        What is done to the samples, for people.
    cases
        All samples, without anything but what decides the flow.
    compute
        Turns cases into solutions.
    origin
        Plugin and distribution that `compute` asks, for messages.
    config
        Table of the solver or the model, by its kind.
    output
        A file (``.nc``) or a folder. Shards of a file are kept in a hidden folder until all are
        there.
    attributes
        Provenance of every file.
    shard_size
        Samples in a shard.
    compress
        Whether to deflate the files; see `netcdf.write`.
    overwrite
        Whether to make everything again, in the place of what is there.
    """

    verb: str
    cases: xr.Dataset
    compute: Compute
    origin: str
    config: dict[str, Any]
    output: Path
    attributes: dict[str, Any]
    shard_size: int
    compress: bool
    overwrite: bool = False

    @property
    def single(self) -> bool:
        """Whether the output is one file."""
        return self.output.suffix == ".nc"

    @property
    def tasks(self) -> list[Task]:
        """All shards."""
        samples = self.cases.sizes["sample"]
        return [
            Task(number, first, min(first + self.shard_size, samples))
            for number, first in enumerate(range(0, samples, self.shard_size))
        ]

    @property
    def manifest(self) -> dict[str, Any]:
        """Description of the folder of shards."""
        return {
            "kind": "solutions",
            "shards": len(self.tasks),
            "shard_size": self.shard_size,
            "samples": self.cases.sizes["sample"],
            "config": self.config,
            "cases": fingerprint(self.cases),
        }

    def is_finished(self) -> bool:
        """Whether the output is one file, and there."""
        return self.single and is_made(
            self.output, self.config, cases=self.cases, overwrite=self.overwrite
        )


def solve_cases(
    cases: xr.Dataset,
    solver: Choice,
    output: Path,
    *,
    schedule: Schedule = Schedule(),  # noqa: B008 - cannot change
    shard_size: int = SHARD_SIZE,
    seed: int | None = None,
    compress: bool = False,
    overwrite: bool = False,
) -> bool:
    """Solve cases into a file or a folder of shards.

    Parameters
    ----------
    cases
        Dataset of kind ``"cases"``.
    solver
        Solver and its options.
    output, shard_size, compress, overwrite
        See `Job`.
    schedule
        Who makes which shards.
    seed
        Seed of the cases, noted in the files.

    Returns
    -------
    bool
        Whether all shards are there now.

    Raises
    ------
    StoreError
        If `output` holds results of another configuration or of other cases (the message names
        what differs).
    CrystalsimError
        If no sample could be solved.
    """
    first, parts = schedule.shard
    if not 1 <= first <= parts:
        raise OptionError(f"shard = {first}/{parts}: expected i/n with i from 1 to n")
    config, compute = {"solver": solver.table}, functools.partial(_solve, solver)
    attributes = provenance(config, seed, before=cases.attrs)
    job = Job(
        f"solving ({solver.name})",
        cases_only(cases),
        compute,
        solver.origin,
        config,
        output,
        attributes,
        shard_size,
        compress,
        overwrite,
    )
    return _make_shards(job, schedule)


def predict_cases(
    cases: xr.Dataset,
    model: Any,
    output: Path,
    *,
    choice: Choice,
    shard_size: int = SHARD_SIZE,
    compress: bool = False,
    overwrite: bool = False,
) -> None:
    """Predict cases with a model in this process into a file or a folder of shards.

    What is there already is kept; `choice` has to tell models of other weights apart.

    Raises
    ------
    StoreError
        If `output` holds predictions of another model or other cases.
    """
    config = {"model": choice.table}
    attributes, compute = provenance(config, before=cases.attrs), model.predict
    job = Job(
        f"predicting ({choice.name})",
        cases_only(cases),
        compute,
        choice.origin,
        config,
        output,
        attributes,
        shard_size,
        compress,
        overwrite,
    )
    _make_shards(job, Schedule())


def _solve(solver: Choice, cases: xr.Dataset) -> Any:
    return _built(solver).solve(cases)


@functools.cache
def _built(solver: Choice) -> Any:
    """Make a solver, once in each process."""
    return solver.build()


def _make_shards(job: Job, schedule: Schedule) -> bool:
    """Make what is missing; gives whether all is there now."""
    if job.is_finished():
        logger.info("%s is there already", job.output)
        return True
    tasks, manifest = job.tasks, job.manifest
    if not tasks:
        raise OptionError("there are no samples")
    folder = job.output
    if job.single:
        # Work that differs never shares a folder.
        hidden = f".{job.output.name}.{fingerprint(manifest)[:8]}.shards"
        folder = job.output.with_name(hidden)
        remove_stale(job.output.parent)
    elif job.overwrite:
        discard(folder, netcdf.MANIFEST)
    order = Order(folder, job.compute, job.origin, job.attributes, job.compress)
    first, parts = schedule.shard
    _require_memory(job, schedule)
    try:
        claim_folder(folder, netcdf.MANIFEST, {**manifest, VERSIONS: versions(job.config)})
        missing = [task for task in tasks[first - 1 :: parts] if not _done(order.path(task), task)]
        _make(job, order, missing, schedule)
        paths = [order.path(task) for task in tasks]
        if job.single:
            return _join(job, paths)
        return all(path.is_file() for path in paths)
    except (StoreError, FileNotFoundError):
        # Another process at the same file may have finished it and removed the shards.
        if job.is_finished():
            return True
        raise


def _require_memory(job: Job, schedule: Schedule) -> None:
    """Refuse shards that do not fit into memory; those of a cluster are its own affair."""
    if schedule.scheduler in (PROCESSES, "local"):
        sizes = job.cases.sizes
        together = min(schedule.workers, len(job.tasks)) * min(job.shard_size, sizes["sample"])
        memory.require_for_solutions(
            sizes["x"] * sizes["z"],
            together,
            job.verb,
            # Solvers alone have workers and shards to choose.
            "take fewer cells"
            + (", fewer --workers or a smaller --shard-size" if "solver" in job.config else ""),
        )


def _make(job: Job, order: Order, tasks: list[Task], schedule: Schedule) -> None:
    """Make shards and tell what failed; a hidden folder in which there are none is removed."""
    try:
        outcomes = list(_work_through(job, order, tasks, schedule))
        if outcomes and all(len(o.failed) == o.samples for o in outcomes):
            for task in tasks:
                order.path(task).unlink(missing_ok=True)
            number, failure = min(next(iter(o.failed.items())) for o in outcomes)
            log_traceback(job.origin, failure.traceback)
            raise CrystalsimError(f"all samples failed; sample {number}: {failure.message}")
    finally:
        if job.single and not any(order.folder.glob("shard-*.nc")):
            shutil.rmtree(order.folder, ignore_errors=True)  # nothing to go on from
    _report(outcomes, job.origin)


def _join(job: Job, paths: list[Path]) -> bool:
    """Make one file of all shards, if they are there and no other process has made it."""
    if all(path.is_file() for path in paths):
        join_files(paths, job.output, compress=job.compress)
    elif not job.is_finished():
        return False
    shutil.rmtree(paths[0].parent, ignore_errors=True)
    return True


def _done(path: Path, task: Task) -> bool:
    """Whether a shard is there and whole; a damaged one is named and made again."""
    if not path.is_file():
        return False
    fits = checksum_fits(path)
    if fits:
        return True
    if fits is False:
        logger.warning("%s: damaged, its checksum differs; making it again", path)
        return False
    try:  # made before there were checksums
        whole = netcdf.read_file(path).sizes.get("sample") == task.last - task.first
    except StoreError as error:
        logger.warning("%s; making it again", error)
        return False
    if whole:
        record_checksum(path, path)
    return whole


def _work_through(
    job: Job, order: Order, tasks: list[Task], schedule: Schedule
) -> Iterator[Outcome]:
    if not tasks:
        return
    total = sum(task.last - task.first for task in tasks)
    with progress(total=total, description=job.verb, unit="sample") as bar:
        for outcome in run_tasks(job.cases, order, tasks, schedule):
            bar.update(outcome.samples)
            logger.debug("a shard of %s is done", plural(outcome.samples, "sample"))
            yield outcome


def _report(outcomes: list[Outcome], origin: str) -> None:
    failed = {number: why for outcome in outcomes for number, why in outcome.failed.items()}
    unconverged = sorted(number for outcome in outcomes for number in outcome.unconverged)
    for number, why in sorted(failed.items())[:10]:
        logger.warning("sample %s failed: %s", number, why.message)
        log_traceback(origin, why.traceback)
    if len(failed) > 10:
        logger.warning("and %s failed", plural(len(failed) - 10, "more sample"))
    if unconverged:
        samples = plural(len(unconverged), "sample")
        logger.warning("%s did not converge: %s", samples, listed(unconverged))
