"""What a folder or file belongs to: work that is started again goes on, other work is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .._version import __version__
from ..errors import CrystalsimError, StoreError
from ..registry import registry
from ..runtime.log import logger
from . import netcdf
from .files import CHECKSUMS, create_text, make_folder, remove_stale, write_text
from .provenance import fingerprint

VERSIONS = "versions"
"""Entry of a manifest that says what made a folder; a difference is told, but is no refusal."""


ANOTHER = "choose another --output, or --overwrite"
"""What a user can do where there is other work."""

_HASH = re.compile("[0-9a-f]{16}")
"""What `fingerprint` gives."""


def versions(config: Mapping[str, Any]) -> dict[str, str]:
    """Versions of crystalsim and of the plugins that a configuration names."""
    versions = {"crystalsim": __version__}
    for kind, table in config.items():
        try:
            entry = registry().lookup(kind, table["plugin"])
        except (CrystalsimError, KeyError, TypeError):
            continue
        versions[str(entry.distribution)] = str(entry.version)
    return versions


def claim_folder(folder: Path, name: str, described: Mapping[str, Any]) -> None:
    """Make a folder for some work, or check that it belongs to the same work.

    Several processes may do so at once; one of them writes the description. Files that were left
    half-written by killed processes are removed.

    Parameters
    ----------
    folder
        The folder.
    name
        Name of the JSON file in it that describes the work.
    described
        Everything that decides the results, and `VERSIONS`.

    Raises
    ------
    StoreError
        If the folder holds other work (the message names what differs) or other files.
    """
    make_folder(folder)
    path = folder / name
    if not path.is_file():
        strange = [p for p in folder.iterdir() if not p.name.startswith(".") and p != path]
        if strange and not path.is_file():
            raise StoreError(f"{folder}: a folder that is not empty and holds no {name}")
        create_text(path, json.dumps(described, indent=1))
    compare(folder, _read(path), described)
    remove_stale(folder)
    remove_stale(folder / CHECKSUMS)


def compare(place: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Check that what stands in a place was made by the same work.

    Raises
    ------
    StoreError
        If not; the message names what differs.
    """
    before, now = ({k: v for k, v in d.items() if k != VERSIONS} for d in (old, new))
    if changed := differences(before, now):
        raise StoreError(f"{place} holds results of other work ({changed}); {ANOTHER}")
    if VERSIONS in old and (changed := differences(old[VERSIONS], new.get(VERSIONS, {}))):
        logger.warning("%s was begun by other versions (%s)", place, changed)


def is_made(
    path: Path,
    config: Mapping[str, Any],
    *,
    cases: xr.Dataset | None = None,
    samples: int | None = None,
    marks: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> bool:
    """Whether a file is there, whole, and of the same configuration.

    Parameters
    ----------
    path
        Path of the file.
    config
        Options of the stage that makes it; those of the stages before are not compared.
    cases
        What it was made from, if that has to be the same.
    samples
        How many samples it has to have.
    marks
        Further attributes that have to be the same, such as `seed`.
    overwrite
        Whether a file of ours is to be made again whatever it holds.

    Returns
    -------
    bool
        False if there is none, or, with a warning, if it is damaged.

    Raises
    ------
    StoreError
        If it is of another configuration; the message names what differs.
    """
    from ..datasets.cases import cases_only

    if not path.is_file():
        return False
    try:
        dataset = netcdf.read_file(path)
    except StoreError as error:
        logger.warning("%s; making it again", error)
        return False
    try:
        whole = json.loads(dataset.attrs["crystalsim_config"])
        old: dict[str, Any] = {"config": {kind: whole.get(kind) for kind in config}}
    except (KeyError, ValueError, TypeError, AttributeError):
        raise StoreError(f"{path}: a file that crystalsim did not make; choose another") from None
    if overwrite:
        return False
    new: dict[str, Any] = {"config": json.loads(json.dumps(config))}
    for name, mark in (marks or {}).items():
        before = dataset.attrs.get(name)
        old[name] = before.item() if isinstance(before, np.generic) else before
        new[name] = mark
    if samples is not None:
        old["samples"], new["samples"] = dataset.sizes.get("sample"), samples
    if cases is not None:
        old["cases"] = fingerprint(cases_only(dataset))
        new["cases"] = fingerprint(cases_only(cases))
    compare(path, old, new)
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        return dict(description)
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"{path}: damaged: {error}") from None


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Name what matters of what changed between two configurations; empty if nothing did.

    Another plugin comes first, without its options, which are others of necessity; no more than two
    differences are named, and the number of those that are left.
    """
    changed = sorted(_changes(old, new), key=lambda change: ".plugin: " not in change)
    named = "; ".join(change.removeprefix("config.") for change in changed[:2])
    return named + (f"; and {len(changed) - 2} more" if len(changed) > 2 else "")


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """All differences, as ``key: old -> new``."""
    if "plugin" in old and "plugin" in new and old["plugin"] != new["plugin"]:
        return [f"{prefix}plugin: {old['plugin']!r} -> {new['plugin']!r}"]
    changes = []
    for key in [*old, *(k for k in new if k not in old)]:
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            changes += _changes(before, after, f"{prefix}{key}.")
        elif before != after:
            hashes = all(isinstance(v, str) and _HASH.fullmatch(v) for v in (before, after))
            shown = f"{prefix}{key}: {before!r} -> {after!r}"
            changes.append(f"other {prefix}{key}" if hashes else shown)
    return changes


def write_same(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a text file, but never in the place of another text unless that is wanted.

    Raises
    ------
    StoreError
        If there is a file with another text, or it cannot be written.
    """
    if path.is_file() and not overwrite and path.read_bytes() != text.encode():
        raise StoreError(f"{path} is there and holds something else; {ANOTHER}")
    write_text(path, text)


def discard(folder: Path, marker: str) -> None:
    """Remove a folder that a command made, so that it can be made again.

    Parameters
    ----------
    folder
        The folder; nothing is done if it is not there or empty.
    marker
        What is in every folder that this command makes.

    Raises
    ------
    StoreError
        If it holds something else, which is left alone.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (folder / marker).exists():
        raise StoreError(
            f"{folder}: holds no {marker}, so that this command did not make it, and is left as it "
            "is; choose another"
        )
    shutil.rmtree(folder)
