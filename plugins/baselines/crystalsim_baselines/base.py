"""What all baselines share: there is nothing to train, nor to keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr

from crystalsim import Configured, make_solutions
from crystalsim.contracts import OnEpoch
from crystalsim.datasets.schema import GIVEN_FIELDS
from crystalsim.datasets.solutions import require_free_slip
from crystalsim.errors import UnsupportedError


class Baseline(Configured[Any]):
    """A model without training."""

    def fields(self, cases: xr.Dataset) -> dict[str, np.ndarray]:
        """Fields of all samples by the names of the schema."""
        raise NotImplementedError

    def fit(
        self,
        training: Any,
        validation: Any,
        *,
        seed: int = 0,
        on_epoch: OnEpoch | None = None,
        folder: Path | None = None,
    ) -> xr.Dataset:
        """Do nothing: there is nothing to train."""
        return xr.Dataset(coords={"epoch": np.arange(0)})

    fit_parts = fit

    def check_solutions(self, solutions: xr.Dataset) -> None:
        """Refuse what cannot be compared; see `crystalsim.contracts.ChecksSolutions`."""
        require_free_slip(solutions, type(self).__name__)

    def predict(self, cases: xr.Dataset) -> xr.Dataset:
        """Compute all samples; see `crystalsim.contracts.Model`.

        Raises
        ------
        UnsupportedError
            If media are given on the grid.
        """
        if media := [name for name in GIVEN_FIELDS if name in cases.variables]:
            raise UnsupportedError(f"baselines take crystals, not variable '{media[0]}'")
        return make_solutions(cases, self.fields(cases), attributes={"source": type(self).__name__})

    def save(self, folder: Path) -> None:
        """Write nothing: there are no weights."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return a new model: there are no weights."""
        return cls()
