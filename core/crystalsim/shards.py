"""Work on many samples, shard by shard: in parallel, resumable, the same whatever the workers.

Each shard is a file of its own that the worker writes aside and renames. A call that is killed
loses the shards in hand; the same call again makes only what is missing.
"""

from __future__ import annotations

import contextlib
import functools
import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from . import schema, store
from .cases import cases_only, make_solutions
from .config import differences, split_plugin
from .errors import CrystalsimError, OptionError, SchemaError, StoreError
from .log import logger
from .progress import progress
from .registry import build

SHARD_SIZE = 64

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Task(NamedTuple):
    """One shard to make: the samples from `first` up to `last`."""

    number: int
    first: int
    last: int


class Outcome(NamedTuple):
    """What became of a shard: the numbers of samples that failed or did not converge."""

    samples: int
    failed: dict[int, str]
    unconverged: list[int]


Work = Callable[[xr.Dataset], xr.Dataset]


def solve_cases(
    cases: xr.Dataset,
    solver: dict[str, Any],
    output: Path,
    *,
    workers: int = 1,
    shard: tuple[int, int] = (1, 1),
    shard_size: int = SHARD_SIZE,
    seed: int | None = None,
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
    shard
        ``(i, n)``: make only every n-th shard from the i-th (from 1), for job arrays.
    shard_size
        Samples in a shard.
    seed
        Noted in the files.

    Returns
    -------
    bool
        Whether all shards are there now.

    Raises
    ------
    StoreError
        If `output` holds results of another configuration (the message names what differs).
    CrystalsimError
        If no sample could be solved.
    """
    split_plugin("solver", solver)
    if not 1 <= shard[0] <= shard[1]:
        raise OptionError(f"shard = {shard[0]}/{shard[1]}: expected i/n with i from 1 to n")
    attributes = store.provenance({"solver": solver}, seed)
    return _make_shards(
        cases,
        _Solve(solver),
        output,
        attributes,
        {"solver": solver},
        workers=workers,
        shard=shard,
        shard_size=shard_size,
    )


def predict_cases(
    cases: xr.Dataset,
    model: Any,
    output: Path,
    *,
    config: dict[str, Any],
    shard_size: int = SHARD_SIZE,
) -> None:
    """Predict cases with a model in this process into a file or a folder of shards."""
    attributes = store.provenance({"model": config})
    _make_shards(
        cases,
        model.predict,
        output,
        attributes,
        {"model": config},
        workers=1,
        shard=(1, 1),
        shard_size=shard_size,
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
    shard: tuple[int, int],
    shard_size: int,
) -> bool:
    samples = cases.sizes["sample"]
    single = output.suffix == ".nc"
    folder = output.with_name(f".{output.name}.shards") if single else output
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
        "cases": store.fingerprint(inputs),
    }
    _claim(folder, manifest, hidden=single)
    todo = [t for t in tasks[shard[0] - 1 :: shard[1]] if not _done(folder, t)]
    try:
        outcomes = list(_work_through(inputs, work, folder, attributes, todo, workers))
        if outcomes and all(len(o.failed) == o.samples for o in outcomes):
            for task in todo:
                store.shard_path(folder, task.number).unlink(missing_ok=True)
            number, text = next(iter(outcomes[0].failed.items()))
            raise CrystalsimError(f"all samples failed; sample {number}: {text}")
    finally:
        if single and not any(folder.glob("shard-*.nc")):
            shutil.rmtree(folder)  # nothing to go on from
    _report(outcomes)
    missing = [t for t in tasks if not store.shard_path(folder, t.number).is_file()]
    if not missing and single:
        parts = [store.read_file(store.shard_path(folder, t.number)) for t in tasks]
        store.save(store.concatenate(parts), output)
        shutil.rmtree(folder)
    return not missing


def _claim(folder: Path, manifest: dict[str, Any], *, hidden: bool) -> None:
    """Make the folder, or check that it belongs to the same work."""
    old = store.read_manifest(folder) if folder.is_dir() else None
    if old is not None and old != manifest:
        changed = "; ".join(differences(old, manifest))
        if not hidden:
            raise StoreError(f"{folder} holds results of other work ({changed}); choose another")
        logger.info("starting over, since what was begun differs (%s)", changed)
        shutil.rmtree(folder)
        old = None
    if old is None:
        if folder.is_dir() and any(folder.iterdir()) and not hidden:
            raise StoreError(f"{folder}: a folder that is not empty and holds no {store.MANIFEST}")
        store.make_folder(folder)
        store.write_text(folder / store.MANIFEST, json.dumps(manifest, indent=1))


def _done(folder: Path, task: Task) -> bool:
    """Whether a shard is there and readable; a damaged one is named and made again."""
    path = store.shard_path(folder, task.number)
    if not path.is_file():
        return False
    try:
        whole = store.read_file(path).sizes.get("sample") == task.last - task.first
    except StoreError as error:
        logger.warning("%s; making it again", error)
        return False
    return whole


def _work_through(
    cases: xr.Dataset,
    work: Work,
    folder: Path,
    attributes: dict[str, Any],
    tasks: list[Task],
    workers: int,
) -> Iterator[Outcome]:
    if not tasks:
        return
    total = sum(task.last - task.first for task in tasks)
    description = "solving" if isinstance(work, _Solve) else "predicting"
    with progress(total=total, description=description, unit="sample") as bar:
        for outcome in (
            _in_processes(cases, work, folder, attributes, tasks, workers)
            if workers > 1 and len(tasks) > 1
            else _in_this_process(cases, work, folder, attributes, tasks)
        ):
            bar.update(outcome.samples)
            yield outcome


def _in_this_process(
    cases: xr.Dataset, work: Work, folder: Path, attributes: dict[str, Any], tasks: list[Task]
) -> Iterator[Outcome]:
    for task in tasks:
        yield make_shard(
            _part(cases, task), work, store.shard_path(folder, task.number), attributes
        )


def _in_processes(
    cases: xr.Dataset,
    work: Work,
    folder: Path,
    attributes: dict[str, Any],
    tasks: list[Task],
    workers: int,
) -> Iterator[Outcome]:
    context = multiprocessing.get_context("spawn")
    with _one_thread_each():
        pool = ProcessPoolExecutor(min(workers, len(tasks)), context, _start_worker)
        try:
            futures: list[Future[Outcome]] = [
                pool.submit(
                    make_shard,
                    _part(cases, task),
                    work,
                    store.shard_path(folder, task.number),
                    attributes,
                )
                for task in tasks
            ]
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool:
            raise CrystalsimError(
                "a worker process died (killed, or out of memory); run the same command again to "
                "go on from what is done"
            ) from None
        except BaseException:  # also Ctrl-C: do not wait for the shards in hand
            for child in multiprocessing.active_children():
                child.terminate()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    # Ctrl-C reaches the whole process group: die at once, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """End this worker when its parent is gone: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that are started inside use one thread each."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _part(cases: xr.Dataset, task: Task) -> xr.Dataset:
    return cases.isel(sample=slice(task.first, task.last))


def make_shard(cases: xr.Dataset, work: Work, path: Path, attributes: dict[str, Any]) -> Outcome:
    """Work on one shard and write it; samples that raise are filled with NaN and reported."""
    failed: dict[int, str] = {}
    try:
        made = _checked(work, cases)
    except OptionError:
        raise  # not the sample's fault
    except Exception as error:
        if cases.sizes["sample"] == 1:
            made, failed = _failed(cases), {_ids(cases)[0]: _line(error)}
        else:
            made, failed = _one_by_one(cases, work)
    made = made.assign_attrs({**made.attrs, **attributes})
    store.save(made, path)
    converged = made["converged"].values.astype(bool)
    unconverged = [n for n, good in zip(_ids(cases), converged, strict=True) if not good]
    return Outcome(cases.sizes["sample"], failed, [n for n in unconverged if n not in failed])


def _checked(work: Work, cases: xr.Dataset) -> xr.Dataset:
    """Do the work and check that a plugin kept its promise: valid, the same samples, in order."""
    made = schema.validate(work(cases), "solutions")
    if _ids(made) != _ids(cases):
        raise SchemaError(f"samples {_ids(made)[:3]} ... came back for {_ids(cases)[:3]} ...")
    return made


def _one_by_one(cases: xr.Dataset, work: Work) -> tuple[xr.Dataset, dict[int, str]]:
    parts, failed = [], {}
    for i, number in enumerate(_ids(cases)):
        one = cases.isel(sample=[i])
        try:
            parts.append(_checked(work, one))
        except Exception as error:
            failed[number] = _line(error)
            parts.append(_failed(one))
    shared = [str(n) for n in parts[0].data_vars if all(n in part for part in parts)]
    good = next((i for i, n in enumerate(_ids(cases)) if n not in failed), 0)
    joined = store.concatenate([part[shared] for part in parts])
    return joined.assign_attrs(parts[good].attrs), failed


def _failed(case: xr.Dataset) -> xr.Dataset:
    """A solution that says that there is none."""
    size = case.sizes
    shape = {
        "velocity_x": (1, size["z"], size["x_face"]),
        "velocity_z": (1, size["z_face"], size["x"]),
        "pressure": (1, size["z"], size["x"]),
        "stream_function": (1, size["z_face"], size["x_face"]),
        "residual": (1,),
        "wall_time": (1,),
    }
    fields: dict[str, Any] = {name: np.full(dims, np.nan) for name, dims in shape.items()}
    fields |= {"converged": np.zeros(1, dtype=bool), "iterations": np.zeros(1, dtype=np.int32)}
    return make_solutions(case, fields)


def _ids(cases: xr.Dataset) -> list[int]:
    count = cases.sizes["sample"]
    return cases["sample"].values.tolist() if "sample" in cases.coords else list(range(count))


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, CrystalsimError) else f"{type(error).__name__}: {text}"


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
