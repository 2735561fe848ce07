"""What goes wrong for a user, each as one line that names the culprit.

The command line prints these without a traceback; everything else that is raised is a bug of ours.
"""

from __future__ import annotations

__all__ = [
    "CrystalsimError",
    "OptionError",
    "PlacementError",
    "PluginError",
    "SchemaError",
    "StoreError",
    "UnsupportedError",
]


class CrystalsimError(Exception):
    """Base of every error that a user can cause and mend."""

    exit_code = 1


class OptionError(CrystalsimError):
    """An option is unknown, has the wrong type or an impossible value."""

    exit_code = 2


class PluginError(CrystalsimError):
    """A plugin is unknown, ambiguous or cannot be loaded."""

    exit_code = 2


class ContractError(CrystalsimError):
    """A plugin returned what its contract does not allow."""


class MemoryShortageError(CrystalsimError):
    """There is not enough memory."""


class SchemaError(CrystalsimError):
    """A dataset does not follow the schema of its kind."""


class UnsupportedError(CrystalsimError):
    """A plugin was asked for what it does not offer, such as fields in place of crystals."""


class PlacementError(CrystalsimError):
    """Crystals cannot be placed within the constraints that were asked for."""


class StoreError(CrystalsimError):
    """A file or folder is missing, damaged or belongs to another configuration."""


def one_line(error: BaseException) -> str:
    """Message of an exception on one line, with its type in front unless it is one of ours."""
    text = " ".join(str(error).split())
    return text if isinstance(error, CrystalsimError) else f"{type(error).__name__}: {text}"
