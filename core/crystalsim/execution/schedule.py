"""The workers that make shards: in this process or in several, one thread each.

A sample that raises is filled with NaN and reported by its number; the others go on.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..storage import netcdf
from .processes import in_processes
from .shard import (
    Job,
    Outcome,
    Task,
    make_shard,
)

PROCESSES = "processes"
"""The scheduler that is used by default: a pool of processes on this machine."""


def run_tasks(
    job: Job, tasks: list[Task], workers: int, scheduler: str = PROCESSES
) -> Iterator[Outcome]:
    """Make shards, in several processes if there is more than one worker and one shard.

    Parameters
    ----------
    job, tasks
        What to make.
    workers
        Processes on this machine.
    scheduler
        ``"processes"``, ``"local"`` (Dask on this machine) or the address of a Dask scheduler.

    Raises
    ------
    CrystalsimError
        If a worker process dies, or there is no scheduler.
    """
    if scheduler != PROCESSES:
        from .dask import run_on_dask

        yield from run_on_dask(job.order(), tasks, workers, scheduler)
    elif workers > 1 and len(tasks) > 1:
        yield from in_processes(job.order(), tasks, workers)
    else:
        for task in tasks:
            path = netcdf.shard_path(job.folder, task.number)
            yield make_shard(job.part(task), job.work, path, job.attributes, job.compress)
