"""Several processes that train one network, started by ``torchrun``.

Each process takes its part of every minibatch; gradients are summed, so that the step is that of
the whole minibatch, whatever the number of processes. All must see the same folders.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch
import torch.distributed
from torch import Tensor, nn


class Team:
    """The processes that train together; one alone is a team too.

    Attributes
    ----------
    rank, size
        Number of this process, and how many there are.
    is_chief
        Whether this one writes and talks.
    """

    def __init__(self) -> None:
        together = torch.distributed.is_available() and torch.distributed.is_initialized()
        self.rank = torch.distributed.get_rank() if together else 0
        self.size = torch.distributed.get_world_size() if together else 1
        self.is_chief = self.rank == 0

    def share(self, index: Tensor) -> Tensor:
        """Part of a minibatch that is this process's; may be empty."""
        return index.tensor_split(self.size)[self.rank]

    def sum_gradients(self, network: nn.Module) -> None:
        """Add up the gradients of all processes, in place."""
        if self.size == 1:
            return
        for parameter in network.parameters():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            torch.distributed.all_reduce(parameter.grad)

    def total(self, value: Tensor) -> float:
        """Sum of a number over all processes."""
        if self.size > 1:
            torch.distributed.all_reduce(value)
        return float(value)


@contextlib.contextmanager
def team(device: torch.device) -> Iterator[Team]:
    """Join the other processes, if ``torchrun`` started any."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or torch.distributed.is_initialized():
        yield Team()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Team()
        torch.distributed.barrier()
    finally:
        torch.distributed.destroy_process_group()


def local_device(kind: str) -> torch.device:
    """Device of this process: the GPU with its number on this machine, if there are several."""
    if kind == "cuda" and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return torch.device(kind)
