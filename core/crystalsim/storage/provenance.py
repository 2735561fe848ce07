"""How data came about, and whether they are the same."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from .._version import __version__

_DRAWN = ": sampler "
"""What is in the line of a history that says how cases were drawn."""


def provenance(
    config: Mapping[str, Any] | None = None,
    seed: int | None = None,
    *,
    before: Mapping[Any, Any] | None = None,
) -> dict[str, Any]:
    """Attributes that say how a dataset came about.

    Parameters
    ----------
    config
        Resolved options of this stage by kind of plugin, kept as JSON beside those of the stages
        before.
    seed
        Random seed, where there is one.
    before
        Attributes of the dataset whose cases this one is made from: how these came about is kept,
        and what else was made of them is not.
    """
    from ..registry import KINDS, registry

    plugins = sorted(
        {f"{e.distribution} {e.version}" for kind in KINDS for e in registry().entries(kind)}
    )
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    config, before = config or {}, before or {}
    drawn = {kind: table for kind, table in config_of(before).items() if kind == "sampler"}
    lines = [line for line in str(before.get("history", "")).splitlines() if _DRAWN in line]
    stage = ", ".join(f"{kind} {_name(table)}" for kind, table in config.items())
    lines.append(f"{now} crystalsim {__version__}" + (f": {stage}" if stage else ""))
    attributes: dict[str, Any] = {
        "Conventions": "CF-1.11",
        "history": "\n".join(lines),
        "crystalsim_version": __version__,
        "crystalsim_plugins": ", ".join(plugins),
        "crystalsim_config": json.dumps({**drawn, **config}, sort_keys=True),
    }
    if seed is not None:
        attributes["seed"] = seed
    return attributes


def config_of(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Options of all stages that made a dataset, from its attributes; empty where there are none.

    Raises
    ------
    ValueError
        If the attribute is not what `provenance` wrote.
    """
    config = json.loads(attributes.get("crystalsim_config", "{}"))
    if not isinstance(config, dict):
        raise ValueError(f"crystalsim_config = {config!r}; expected a table")
    return config


def _name(table: Any) -> str:
    """Plugin of a stage, or the names of several."""
    return str(table["plugin"]) if "plugin" in table else ", ".join(map(str, table))


def fingerprint(value: Any) -> str:
    """Short hash of anything that JSON can hold, or of a dataset's numbers."""
    digest = hashlib.sha256()
    if isinstance(value, xr.Dataset):
        for name in sorted(map(str, value.variables)):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(value[name].values).tobytes())
    else:
        digest.update(json.dumps(value, sort_keys=True, default=str).encode())
    return digest.hexdigest()[:16]
