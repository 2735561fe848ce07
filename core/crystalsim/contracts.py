"""The four things that a plugin can be, as protocols: nothing needs to be inherited.

Each class is made from its options dataclass alone (or from nothing, where it has no options), and
may name that dataclass in the `Plugin` descriptor. `crystalsim.testing` holds a suite of tests for
each of the protocols.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import xarray as xr

OnEpoch = Callable[[int, Mapping[str, float]], None]
"""Called after each epoch, counted from 1, with its losses."""


class Sampler(Protocol):
    """Draws cases: where the crystals are and what they are made of."""

    def sample(self, count: int | None = None, *, seed: int = 0) -> xr.Dataset:
        """Draw `count` cases.

        Parameters
        ----------
        count
            Number of samples; None for all that the sampler has by itself (a list), or one.
        seed
            Sample ``i`` depends on ``(seed, i)`` alone, so that the first samples are the same
            however many are drawn.

        Returns
        -------
        xarray.Dataset
            Of kind ``"cases"``.

        Raises
        ------
        PlacementError
            If the constraints cannot be met; the message names the one that fails.
        """
        ...


class Solver(Protocol):
    """Computes the flow of cases."""

    def solve(self, cases: xr.Dataset) -> xr.Dataset:
        """Solve all samples: the same samples in the same order.

        Any subset of the samples gives the same numbers. The cases are left as they are. A sample
        that fails has ``converged = False``; the others go on.

        A solver that can start from a known flow takes it as a second argument,
        ``initial: xr.Dataset | None = None``: solutions or predictions of the same samples.

        Returns
        -------
        xarray.Dataset
            Of kind ``"solutions"``.
        """
        ...


class Model(Protocol):
    """Predicts the flow of cases, after training where it needs any.

    A model that brings weights along offers a classmethod ``pretrained()`` that returns it ready to
    predict; ``crystalsim predict --model NAME`` uses it.
    """

    def fit(
        self,
        training: xr.Dataset | Sequence[xr.Dataset],
        validation: xr.Dataset | Sequence[xr.Dataset],
        *,
        seed: int = 0,
        on_epoch: OnEpoch | None = None,
        folder: Path | None = None,
    ) -> xr.Dataset:
        """Train on solutions; a model without training does nothing.

        Parameters
        ----------
        training, validation
            Datasets of kind ``"solutions"``. Several where the samples are on several grids, which
            a model may refuse; a model with an attribute ``streams = True`` gets the lazy shards
            of large data sets one by one.
        seed
            Fixes initial weights and the order of the data.
        on_epoch
            Called after each epoch.
        folder
            Where to keep what a resumed call needs; None keeps nothing.

        Returns
        -------
        xarray.Dataset
            History: named losses on ``(epoch)``; empty for a model without training. Calls that
            were cut off and went on count if its attribute ``earlier_training_time`` [s] tells.
        """
        ...

    def predict(self, cases: xr.Dataset) -> xr.Dataset:
        """Predict all samples: the same samples in the same order.

        Returns
        -------
        xarray.Dataset
            Of kind ``"solutions"``; `pressure` and `stream_function` only where the model has them.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write everything that `load` needs into `folder`, which exists."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Read what `save` wrote. No pickle is loaded."""
        ...


class Evaluator(Protocol):
    """Compares a prediction with a reference."""

    def evaluate(self, reference: xr.Dataset, prediction: xr.Dataset) -> xr.Dataset:
        """Score each sample.

        Parameters
        ----------
        reference, prediction
            Datasets of kind ``"solutions"`` with the same samples and grid.

        Returns
        -------
        xarray.Dataset
            Of kind ``"scores"``: metrics on ``(sample)`` or ``(sample, crystal)``, each with
            ``long_name``, ``units`` and its definition in ``description``.
        """
        ...
