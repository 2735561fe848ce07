"""Which of several cooperating processes this one is, as ``torchrun`` tells through variables."""

from __future__ import annotations

import os


def is_chief() -> bool:
    """Whether this process is the one that writes and talks; true where it is alone."""
    return os.environ.get("RANK", "0") == "0"
