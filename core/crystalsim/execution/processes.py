"""Shards made by a pool of processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from ..errors import CrystalsimError
from ..runtime.processes import one_thread_each
from .shard import Order, Outcome, Task


def in_processes(order: Order, tasks: list[Task], workers: int) -> Iterator[Outcome]:
    """Make shards in a pool of processes of one thread each; see `schedule.run_tasks`."""
    context = multiprocessing.get_context("spawn")
    with one_thread_each():
        pool = ProcessPoolExecutor(min(workers, len(tasks)), context, _start_worker)
        try:
            futures: list[Future[Outcome]] = [pool.submit(order.make, task) for task in tasks]
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
