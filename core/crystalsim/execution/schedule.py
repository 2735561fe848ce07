"""The workers that make shards: in this process or in several, one thread each.

A sample that raises is filled with NaN and reported by its number; the others go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import xarray as xr

from .processes import in_processes
from .shard import Order, Outcome, Task

PROCESSES = "processes"
"""The scheduler that is used by default: a pool of processes on this machine."""


class Schedule(NamedTuple):
    """Who makes which shards.

    Attributes
    ----------
    workers
        Processes on this machine; each uses one thread.
    scheduler
        ``"processes"``, ``"local"`` (Dask on this machine) or the address of a Dask scheduler.
    shard
        ``(i, n)``: make only every n-th shard from the i-th (from 1), for job arrays.
    """

    workers: int = 1
    scheduler: str = PROCESSES
    shard: tuple[int, int] = (1, 1)


def run_tasks(
    cases: xr.Dataset, order: Order, tasks: list[Task], schedule: Schedule
) -> Iterator[Outcome]:
    """Make shards, in several processes if there is more than one worker and one shard.

    Parameters
    ----------
    cases
        All samples.
    order, tasks
        What to make.
    schedule
        Who makes it.

    Raises
    ------
    CrystalsimError
        If a worker process dies, or there is no scheduler.
    """
    if schedule.scheduler != PROCESSES:
        from .dask import run_on_dask

        yield from run_on_dask(order.for_others(cases), tasks, schedule.workers, schedule.scheduler)
    elif schedule.workers > 1 and len(tasks) > 1:
        yield from in_processes(order.for_others(cases), tasks, schedule.workers)
    else:
        for task in tasks:
            yield order.make(task, cases.isel(sample=slice(task.first, task.last)))
