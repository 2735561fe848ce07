"""Models on disk: a folder with `model.json`, which names the plugin, and what the plugin saved."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from .._version import __version__
from ..config.choice import Choice
from ..contracts import Model, Pretrained
from ..errors import StoreError
from ..options import Configured
from ..registry import registry
from . import netcdf
from .files import sha256, write_text
from .provenance import config_of

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
        Plugin and options, and beside them, where there are any, a fingerprint of the `weights` and
        the `training` that made them: tables of the plugins that made the data, seed and samples.

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
        return _by_name(str(name))
    try:
        described = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        plugin, options = str(described["plugin"]), dict(described["options"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoreError(f"{folder / MODEL}: not a model's folder: {reason}") from None
    facts = {"weights": _fingerprint(folder), "training": _recorded_training(folder)}
    choice = Choice("model", plugin, {**options, **{k: v for k, v in facts.items() if v}})
    return registry().load("model", plugin).load(folder), choice


def _by_name(name: str) -> tuple[Any, Choice]:
    """Make a model that needs no training, or one with the weights that come along."""
    choice = Choice.of("model", {"plugin": name})
    untrained = choice.build()
    if not isinstance(untrained, Pretrained):
        return untrained, choice
    model: Any = untrained.pretrained()
    with tempfile.TemporaryDirectory(prefix="crystalsim-model-") as folder:
        model.save(Path(folder))
        facts: dict[str, Any] = {"weights": _fingerprint(Path(folder))}
    if isinstance(model, Configured):
        facts = {**json.loads(json.dumps(dataclasses.asdict(model.options))), **facts}
    if training := getattr(model, "training", None):
        facts["training"] = dict(training)
    facts = {key: value for key, value in facts.items() if value is not None}
    return model, Choice("model", name, {**choice.options, **facts})


def _recorded_training(folder: Path) -> dict[str, Any]:
    """How the weights in a folder came about, from their history; empty if there is none."""
    if not (folder / HISTORY).is_file():
        return {}
    attributes = netcdf.read_file(folder / HISTORY).attrs
    recorded = dict(config_of(attributes).get("training", {}))
    for name, key in (("seed", "seed"), ("samples", "training_samples")):
        if key in attributes:
            recorded[name] = int(attributes[key])
    return recorded


def _fingerprint(folder: Path) -> str:
    """Short hash of what a model saved: predictions of other weights are other predictions."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*")):
        if path.is_file() and not path.name.startswith(".") and path.name not in _NOT_WEIGHTS:
            digest.update(path.name.encode() + bytes.fromhex(sha256(path)))
    return digest.hexdigest()[:16]
