"""Work on many samples, shard by shard: in parallel, resumable, the same whatever the workers.

Each shard is a file of its own that the worker writes aside and renames. A call that is killed
loses the shards in hand; the same call again makes only what is missing.
"""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xarray as xr

from ..datasets.cases import cases_only
from ..errors import CrystalsimError, OptionError, StoreError
from ..registry import build, split_plugin
from ..runtime.log import logger
from ..runtime.progress import progress
from ..storage import netcdf
from ..storage.claims import VERSIONS, claim_folder, is_made, versions
from ..storage.files import checksum_fits, record_checksum, remove_stale
from ..storage.joining import join_files
from ..storage.provenance import fingerprint, provenance
from .schedule import PROCESSES, run_tasks
from .shard import Job, Outcome, Task, Work

SHARD_SIZE = 64


def solve_cases(
    cases: xr.Dataset,
    solver: dict[str, Any],
    output: Path,
    *,
    workers: int = 1,
    scheduler: str = PROCESSES,
    shard: tuple[int, int] = (1, 1),
    shard_size: int = SHARD_SIZE,
    seed: int | None = None,
    compress: bool = False,
) -> bool:
    """Solve cases into a file or a folder of shards.

    Parameters
    ----------
    cases
        Dataset of kind ``"cases"``.
    solver
        Table with ``plugin`` and its options.
    output
        A file (``.nc``) or a folder. Shards of a file are kept in a hidden folder until all are
        there.
    workers
        Processes; each uses one thread.
    scheduler
        ``"processes"``, ``"local"`` (Dask on this machine) or the address of a Dask scheduler.
    shard
        ``(i, n)``: make only every n-th shard from the i-th (from 1), for job arrays.
    shard_size
        Samples in a shard.
    seed
        Noted in the files.
    compress
        Whether to deflate the files; see `store.save`.

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
    split_plugin("solver", solver)
    if not 1 <= shard[0] <= shard[1]:
        raise OptionError(f"shard = {shard[0]}/{shard[1]}: expected i/n with i from 1 to n")
    attributes = provenance({"solver": solver}, seed)
    if output.suffix == ".nc" and is_made(output, attributes, cases=cases):
        logger.info("%s is there already", output)
        return True
    return _make_shards(
        cases,
        _Solve(solver),
        output,
        attributes,
        {"solver": solver},
        workers=workers,
        scheduler=scheduler,
        shard=shard,
        shard_size=shard_size,
        compress=compress,
    )


def predict_cases(
    cases: xr.Dataset,
    model: Any,
    output: Path,
    *,
    config: dict[str, Any],
    shard_size: int = SHARD_SIZE,
    compress: bool = False,
) -> None:
    """Predict cases with a model in this process into a file or a folder of shards.

    What is there already is kept; `config` has to tell models of other weights apart.

    Raises
    ------
    StoreError
        If `output` holds predictions of another model or other cases.
    """
    attributes = provenance({"model": config})
    if output.suffix == ".nc" and is_made(output, attributes, cases=cases):
        logger.info("%s is there already", output)
        return
    _make_shards(
        cases,
        model.predict,
        output,
        attributes,
        {"model": config},
        workers=1,
        scheduler=PROCESSES,
        shard=(1, 1),
        shard_size=shard_size,
        compress=compress,
    )


class _Solve:
    """Solve with a solver that is made once in each process."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.table = json.dumps(table)

    def __call__(self, cases: xr.Dataset) -> xr.Dataset:
        solved = _solver(self.table).solve(cases)
        assert isinstance(solved, xr.Dataset)
        return solved


@functools.cache
def _solver(table: str) -> Any:
    return build("solver", *split_plugin("solver", json.loads(table)))


def _make_shards(
    cases: xr.Dataset,
    work: Work,
    output: Path,
    attributes: dict[str, Any],
    config: dict[str, Any],
    *,
    workers: int,
    scheduler: str,
    shard: tuple[int, int],
    shard_size: int,
    compress: bool,
) -> bool:
    samples = cases.sizes["sample"]
    single = output.suffix == ".nc"
    tasks = [
        Task(number, first, min(first + shard_size, samples))
        for number, first in enumerate(range(0, samples, shard_size))
    ]
    if not tasks:
        raise OptionError("there are no samples")
    inputs = cases_only(cases)
    manifest = {
        "kind": "solutions",
        "shards": len(tasks),
        "shard_size": shard_size,
        "samples": samples,
        "config": config,
        "cases": fingerprint(inputs),
    }
    folder = _hidden(output, manifest) if single else output
    if single:
        remove_stale(output.parent)
    job = Job(inputs, work, folder, attributes, compress)
    try:
        claim_folder(folder, netcdf.MANIFEST, {**manifest, VERSIONS: versions(config)})
        todo = [t for t in tasks[shard[0] - 1 :: shard[1]] if not _done(folder, t)]
        _make(job, todo, workers, scheduler, hidden=single)
        paths = [netcdf.shard_path(folder, t.number) for t in tasks]
        if single:
            return _join(paths, output, attributes, cases, compress)
        return all(path.is_file() for path in paths)
    except (StoreError, FileNotFoundError):
        # Another process at the same file may have finished it and removed the shards.
        if single and is_made(output, attributes, cases=cases):
            return True
        raise


def _make(job: Job, todo: list[Task], workers: int, scheduler: str, *, hidden: bool) -> None:
    """Make shards and tell what failed; a hidden folder in which there are none is removed."""
    try:
        outcomes = list(_work_through(job, todo, workers, scheduler))
        if outcomes and all(len(o.failed) == o.samples for o in outcomes):
            for task in todo:
                netcdf.shard_path(job.folder, task.number).unlink(missing_ok=True)
            number, text = next(iter(outcomes[0].failed.items()))
            raise CrystalsimError(f"all samples failed; sample {number}: {text}")
    finally:
        if hidden and not any(job.folder.glob("shard-*.nc")):
            shutil.rmtree(job.folder, ignore_errors=True)  # nothing to go on from
    _report(outcomes)


def _hidden(output: Path, manifest: dict[str, Any]) -> Path:
    """Folder for the shards of one file; work that differs never shares one."""
    return output.with_name(f".{output.name}.{fingerprint(manifest)[:8]}.shards")


def _join(
    paths: list[Path],
    output: Path,
    attributes: dict[str, Any],
    cases: xr.Dataset,
    compress: bool,
) -> bool:
    """Make one file of all shards, if they are there and no other process has made it."""
    if all(path.is_file() for path in paths):
        join_files(paths, output, compress=compress)
    elif not is_made(output, attributes, cases=cases):
        return False
    shutil.rmtree(paths[0].parent, ignore_errors=True)
    return True


def _done(folder: Path, task: Task) -> bool:
    """Whether a shard is there and whole; a damaged one is named and made again."""
    path = netcdf.shard_path(folder, task.number)
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


def _work_through(job: Job, tasks: list[Task], workers: int, scheduler: str) -> Iterator[Outcome]:
    if not tasks:
        return
    total = sum(task.last - task.first for task in tasks)
    description = "solving" if isinstance(job.work, _Solve) else "predicting"
    with progress(total=total, description=description, unit="sample") as bar:
        for outcome in run_tasks(job, tasks, workers, scheduler):
            bar.update(outcome.samples)
            logger.debug("a shard of %d samples is done", outcome.samples)
            yield outcome


def _report(outcomes: list[Outcome]) -> None:
    failed = {number: text for outcome in outcomes for number, text in outcome.failed.items()}
    unconverged = sorted(number for outcome in outcomes for number in outcome.unconverged)
    for number, text in sorted(failed.items())[:10]:
        logger.warning("sample %s failed: %s", number, text)
    if len(failed) > 10:
        logger.warning("and %d more samples failed", len(failed) - 10)
    if unconverged:
        shown = ", ".join(map(str, unconverged[:10])) + (" ..." if len(unconverged) > 10 else "")
        logger.warning(
            "%d samples did not converge and are left out of training: %s", len(unconverged), shown
        )
