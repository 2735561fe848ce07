"""Which of several cooperating processes this one is, as ``torchrun`` tells through variables."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


def is_chief() -> bool:
    """Whether this process is the one that writes and talks; true where it is alone."""
    return os.environ.get("RANK", "0") == "0"


def default_workers() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
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
