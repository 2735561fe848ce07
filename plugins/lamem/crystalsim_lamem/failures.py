"""What goes wrong with LaMEM, each as one line."""

from __future__ import annotations

from crystalsim.errors import CrystalsimError


class LamemError(CrystalsimError):
    """A case is beyond LaMEM's limits, or LaMEM failed, or wrote what cannot be trusted."""
