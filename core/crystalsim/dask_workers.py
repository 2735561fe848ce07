"""Workers on many machines, or on this one, through Dask.

Tasks carry the crystals of a shard and the name of its file; workers write the file themselves, so
that all of them must see the folder under the same path. Client, scheduler and workers talk in
Dask's own protocol, which is to be trusted no further than the network it runs in.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .errors import OptionError
from .workers import Job, Outcome, Task, make_shard, windowed, worker_died


def run_on_dask(job: Job, tasks: list[Task], workers: int, scheduler: str) -> Iterator[Outcome]:
    """Make shards by the workers of a Dask scheduler.

    A worker that dies is replaced, and its shard goes to another one, up to three times.

    Parameters
    ----------
    job, tasks
        What to make.
    workers
        Processes of a local cluster.
    scheduler
        ``"local"`` for a cluster on this machine that lives as long as the call, else an address
        such as ``tcp://10.0.0.1:8786``.

    Raises
    ------
    OptionError
        If Dask is not installed, or there is no scheduler at the address.
    CrystalsimError
        If a shard killed its workers again and again.
    """
    try:
        import distributed
    except ImportError:
        raise OptionError(
            f"--scheduler {scheduler}: Dask is not installed; pip install 'crystalsim[dask]'"
        ) from None
    job = job._replace(folder=job.folder.resolve())

    def submit(task: Task) -> Any:
        # Not pure: a task that is repeated has to write its file again.
        return client.submit(make_shard, *job.arguments(task), pure=False, retries=0)

    def wait(pending: set[Any]) -> tuple[set[Any], set[Any]]:
        found = distributed.wait(pending, return_when="FIRST_COMPLETED")
        return found.done, found.not_done

    with _client(scheduler, workers) as client:
        ahead = 2 * max(1, sum(client.ncores().values()), workers)
        try:
            yield from windowed(submit, wait, tasks, ahead)
        except distributed.KilledWorker:
            raise worker_died() from None


@contextlib.contextmanager
def _client(scheduler: str, workers: int) -> Iterator[Any]:
    import distributed

    if scheduler != "local":
        try:
            client = distributed.Client(scheduler, timeout=20)
        except (OSError, ValueError) as error:
            raise OptionError(
                f"--scheduler {scheduler}: no Dask scheduler there ({error}); expected "
                "'processes', 'local' or an address as tcp://10.0.0.1:8786"
            ) from None
        with client:
            yield client
        return
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=40
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
