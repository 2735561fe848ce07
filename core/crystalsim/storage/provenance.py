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


def provenance(
    config: Mapping[str, Any] | None = None, seed: int | None = None, source: str = ""
) -> dict[str, Any]:
    """Attributes that say how a dataset came about.

    Parameters
    ----------
    config
        Resolved options, kept as JSON.
    seed
        Random seed, where there is one.
    source
        The method, for CF's ``source``.
    """
    from ..registry import KINDS, registry

    plugins = sorted(
        {f"{e.distribution} {e.version}" for kind in KINDS for e in registry().entries(kind)}
    )
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    made: dict[str, Any] = {
        "Conventions": "CF-1.11",
        "history": f"{now} crystalsim {__version__}",
        "crystalsim_version": __version__,
        "crystalsim_plugins": ", ".join(plugins),
        "crystalsim_config": json.dumps(config or {}, sort_keys=True),
    }
    if source:
        made["source"] = source
    if seed is not None:
        made["seed"] = seed
    return made


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
