"""crystalsim: Stokes flow around sinking crystals, solved or predicted, with plugins throughout.

Public names are loaded on first use (PEP 562), so that ``import crystalsim`` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Grid": "grid",
    "Plugin": "hookspecs",
    "SceneOptions": "contracts",
    "get": "registry",
    "hookimpl": "hookspecs",
    "iterate_cases": "cases",
    "make_cases": "cases",
    "make_solutions": "solutions",
    "open": "store",
    "save": "store",
    "validate": "schema",
}

_DATASETS = ("cases", "solutions", "store")
"""Homes of what makes datasets."""

__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from .cases import iterate_cases, make_cases
    from .contracts import SceneOptions
    from .grid import Grid
    from .hookspecs import Plugin, hookimpl
    from .registry import get
    from .schema import validate
    from .solutions import make_solutions
    from .store import open, save


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'crystalsim' has no attribute '{name}'")
    home = importlib.import_module(f".{_HOMES[name]}", __name__)
    if _HOMES[name] in _DATASETS:
        importlib.import_module(".accessor", __name__)  # registers `ds.crystals`
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted(__all__)
