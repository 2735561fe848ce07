"""The state of a training on disk, from which it goes on bit for bit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..runtime.log import logger
from ..storage.files import remove_stale, written_aside

_BLOCK = 1024
"""Samples that are hashed at once."""


def save_state(state: Mapping[str, Any], path: Path) -> None:
    """Write tensors and plain values aside and rename, so that a file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(path.parent)
    with written_aside(path) as aside:
        torch.save(dict(state), aside)


def load_state(path: Path, mark: str) -> dict[str, Any] | None:
    """Read a state without running any code of it.

    Returns
    -------
    dict or None
        None, with a warning where that is a surprise, if there is no such file, it is damaged or
        belongs to another training.
    """
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        logger.warning("%s: damaged, training starts over (%s)", path, reason)
        return None
    if state.get("mark") != mark:
        logger.warning("%s: of other options or data, training starts over", path)
        return None
    return state


def digest(tensors: Sequence[Tensor]) -> str:
    """Hash of shapes and values, in blocks: the tensors may be files that do not fit in memory."""
    hasher = hashlib.sha256()
    for tensor in tensors:
        hasher.update(str(tuple(tensor.shape)).encode())
        for block in tensor.split(_BLOCK) if tensor.numel() else ():
            hasher.update(block.contiguous().cpu().numpy().tobytes())
    return hasher.hexdigest()


def weights(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of a network, by name.

    Some libraries keep more in `state_dict`, such as the arguments of the constructor, which
    `torch.load` would have to run code for; the network is built from its options instead.
    """
    state = network.state_dict()
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def copy_weights(network: nn.Module) -> dict[str, Tensor]:
    """Copy the weights of a network to the processor's memory."""
    return {name: tensor.detach().cpu().clone() for name, tensor in weights(network).items()}
