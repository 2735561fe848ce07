"""crystalsim: Stokes flow around sinking crystals, solved or predicted, with plugins throughout.

Public names are loaded on first use (PEP 562), so that ``import crystalsim`` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

_HOMES = {
    "Case": "scene.case",
    "Configured": "options",
    "Grid": "scene.grid",
    "Meta": "options",
    "Plugin": "hookspecs",
    "SceneOptions": "scene.options",
    "crystal_motion": "stokes.crystal_motion",
    "get": "registry",
    "hookimpl": "hookspecs",
    "iterate_cases": "datasets.cases",
    "load_model": "storage.models",
    "make_cases": "datasets.cases",
    "make_solutions": "datasets.solutions",
    "motion_of": "stokes.crystal_motion",
    "open": "storage.netcdf",
    "run": "workflows.jobs",
    "save": "storage.saving",
    "solve": "workflows.jobs",
    "train": "workflows.jobs",
    "validate": "datasets.schema",
}

_DATASETS = (
    "datasets.cases",
    "datasets.solutions",
    "storage.netcdf",
    "storage.saving",
    "stokes.crystal_motion",
    "workflows.jobs",
)
"""Homes of what makes datasets."""

__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from .datasets.cases import iterate_cases, make_cases
    from .datasets.schema import validate
    from .datasets.solutions import make_solutions
    from .hookspecs import Plugin, hookimpl
    from .options import Configured, Meta
    from .registry import get
    from .scene.case import Case
    from .scene.grid import Grid
    from .scene.options import SceneOptions
    from .stokes.crystal_motion import crystal_motion, motion_of
    from .storage.models import load_model
    from .storage.netcdf import open
    from .storage.saving import save
    from .workflows.jobs import run, solve, train


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'crystalsim' has no attribute '{name}'")
    home = importlib.import_module(f".{_HOMES[name]}", __name__)
    if _HOMES[name] in _DATASETS:
        importlib.import_module(".accessor", __name__)  # registers `ds.crystals`
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted(__all__)
