"""Models on disk: a folder with `model.json`, which names the plugin, and what the plugin saved."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .._version import __version__
from ..config.choice import Choice
from ..contracts import Model, Pretrained
from ..errors import StoreError
from ..registry import registry
from .files import sha256, write_text

__all__ = ["load_model"]

HISTORY = "history.nc"
MODEL = "model.json"
TRAINING = "training.json"
"""File in a model's folder that says of what options and data it is."""

_NOT_WEIGHTS = (HISTORY, "training.pt", MODEL, TRAINING)


def save_model(model: Any, choice: Choice, folder: Path, seed: int) -> None:
    """Write a model into a folder; `model.json` comes last and says that it is whole."""
    entry = registry().lookup("model", choice.name)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder)
    described = {
        "plugin": choice.name,
        "distribution": entry.distribution,
        "version": entry.version,
        "crystalsim_version": __version__,
        "options": choice.options,
        "seed": seed,
    }
    write_text(folder / MODEL, json.dumps(described, indent=2))


def load_model(name: str | Path) -> Model:
    """Load a trained model from its folder, or that of a run, or by the name of its plugin.

    By name it is a model that needs no training, or one that brings weights along.

    Parameters
    ----------
    name
        Folder, or name of a plugin.

    Raises
    ------
    StoreError
        If the folder holds no model, or a damaged one.
    PluginError
        If there is neither such a folder nor such a plugin.
    """
    return read_model(name)[0]


def read_model(name: str | Path) -> tuple[Any, Choice]:
    """Load a model from a folder, or one that needs no training from its plugin's name.

    A plugin whose model is `Pretrained` brings weights along.

    Returns
    -------
    model
        Ready to predict.
    choice
        Plugin and options, and beside them a fingerprint of the `weights` where there are any.

    Raises
    ------
    StoreError
        If the folder holds no model, or a damaged one.
    PluginError
        If there is neither such a folder nor such a plugin.
    """
    folder = Path(name)
    if (folder / "model" / MODEL).is_file():  # the folder of a run
        folder = folder / "model"
    if not folder.is_dir():
        choice = Choice("model", str(name))
        model = choice.build()
        return model.pretrained() if isinstance(model, Pretrained) else model, choice
    try:
        described = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        plugin, options = str(described["plugin"]), dict(described["options"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoreError(f"{folder / MODEL}: not a model's folder: {reason}") from None
    choice = Choice("model", plugin, {**options, "weights": _fingerprint(folder)})
    return registry().load("model", plugin).load(folder), choice


def _fingerprint(folder: Path) -> str:
    """Short hash of what a model saved: predictions of other weights are other predictions."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*")):
        if path.is_file() and not path.name.startswith(".") and path.name not in _NOT_WEIGHTS:
            digest.update(path.name.encode() + bytes.fromhex(sha256(path)))
    return digest.hexdigest()[:16]
