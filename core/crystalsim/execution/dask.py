"""Shards made by Dask workers, on this machine or on many that share a file system.

Dask is optional (``pip install 'crystalsim[dask]'``) and imported when it is asked for. Only paths
and options travel; the workers read the cases from the folder and write the shards into it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import CrystalsimError, OptionError
from ..runtime.processes import one_thread_each
from .shard import Order, Outcome, Task

LOCAL = "local"
"""The scheduler that is started here, with workers on this machine."""

_CONNECT_SECONDS = 20
_PATIENCE_SECONDS = 60

_ONE_AT_A_TIME = threading.Lock()
"""Held in a worker process while it makes a shard: netCDF is not safe with several threads."""


def run_on_dask(order: Order, tasks: list[Task], workers: int, scheduler: str) -> Iterator[Outcome]:
    """Make shards on a Dask cluster.

    A shard whose worker dies is given to another one; Dask gives up after four deaths.

    Parameters
    ----------
    order, tasks
        What to make.
    workers
        Processes of the cluster that is started for ``"local"``.
    scheduler
        ``"local"``, or the address of a scheduler, such as ``tcp://host:8786``.

    Raises
    ------
    OptionError
        If Dask is not installed.
    CrystalsimError
        If there is no scheduler, workers die, or they write where this process cannot read.
    """
    try:
        import distributed
    except ImportError:
        raise OptionError(
            f"--scheduler {scheduler} needs Dask; install it with pip install 'crystalsim[dask]'"
        ) from None
    with _client(distributed, scheduler, min(workers, len(tasks))) as client:
        futures = {client.submit(_make, order, task, pure=False): task for task in tasks}
        try:
            for future in distributed.as_completed(list(futures), loop=client.loop):
                task = futures.pop(future)
                outcome: Outcome = _result(distributed, future)
                future.release()
                _seen(order.path(task))
                yield outcome
        finally:
            client.cancel(list(futures))


@contextlib.contextmanager
def _client(distributed: Any, scheduler: str, workers: int) -> Iterator[Any]:
    """Connect to a scheduler; one on this machine is started and ended."""
    with contextlib.ExitStack() as stack:
        address: Any = scheduler
        if scheduler == LOCAL:
            stack.enter_context(one_thread_each())
            address = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                )
            )
        try:
            client = distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise CrystalsimError(
                f"--scheduler {scheduler}: cannot be reached: {str(error).splitlines()[0]}"
            ) from None
        yield stack.enter_context(client)


def _make(order: Order, task: Task) -> Outcome:
    with _ONE_AT_A_TIME:
        return order.make(task)


def _result(distributed: Any, future: Any) -> Any:
    try:
        return future.result()
    except distributed.scheduler.KilledWorker:
        raise CrystalsimError(
            "Dask workers died again and again on one shard (killed, or out of memory); run the "
            "same command again to go on from what is done"
        ) from None
    except CrystalsimError:
        raise
    except (asyncio.CancelledError, concurrent.futures.CancelledError):
        raise CrystalsimError(
            "the Dask scheduler was lost; run the same command again to go on from what is done"
        ) from None
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        raise CrystalsimError(
            f"a Dask worker failed: {type(error).__name__}: {error}; are the same versions of "
            "crystalsim and its plugins installed there?"
        ) from None


def _seen(path: Path) -> None:
    """Check that a shard came where it is looked for; network file systems may take a while."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while path.name not in os.listdir(path.parent):  # noqa: PTH208 - listing renews what is known
        if time.monotonic() > end:
            raise CrystalsimError(
                f"{path}: made by a Dask worker but not here; workers need the same file system"
            )
        time.sleep(0.2)
