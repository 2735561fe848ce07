"""What a plugin can be and what it may be able to do, as protocols: nothing needs to be inherited.

There are four kinds: `Sampler`, `Solver`, `Model` and `Evaluator`. Each class is made from its
options dataclass alone (or from nothing, where it has no options), and names that dataclass in the
`Plugin` descriptor.

What some of them can do beyond that are capabilities: `WarmStart` and `IterationBudget` of solvers,
`Streaming`, `Pretrained` and `ChecksSolutions` of models, `Motion` of both. A class has a
capability by having its method, and whoever uses one asks ``isinstance(solver, WarmStart)``. Each
capability has one method of a name that nothing else has, so that the question has an honest
answer, at run time and to a type checker.

`crystalsim.testing` holds a suite of tests for each kind; it tests the capabilities that the plugin
has, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    import xarray as xr

    from .metrics import Metric, ScoreFigure

__all__ = [
    "ChecksSolutions",
    "DrawsFigures",
    "Evaluator",
    "GridFree",
    "IterationBudget",
    "Model",
    "Motion",
    "OnEpoch",
    "PreparesReference",
    "Pretrained",
    "Sampler",
    "Solver",
    "Streaming",
    "WarmStart",
]

OnEpoch = Callable[[int, Mapping[str, float]], None]
"""Called after each epoch, counted from 1, with its losses."""


@runtime_checkable
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
            Dataset of kind ``"cases"``.

        Raises
        ------
        PlacementError
            If the constraints cannot be met; the message names the one that fails.
        """
        ...


@runtime_checkable
class Solver(Protocol):
    """Computes the flow of cases."""

    def solve(self, cases: xr.Dataset) -> xr.Dataset:
        """Solve all samples: the same samples in the same order.

        Any subset of the samples gives the same numbers. The cases are left as they are. A sample
        that fails has ``converged = False``; the others go on.

        Returns
        -------
        xarray.Dataset
            Dataset of kind ``"solutions"``.
        """
        ...


@runtime_checkable
class Model(Protocol):
    """Predicts the flow of cases, after training where it needs any."""

    def fit(
        self,
        training: xr.Dataset,
        validation: xr.Dataset,
        *,
        seed: int = 0,
        on_epoch: OnEpoch | None = None,
        folder: Path | None = None,
    ) -> xr.Dataset:
        """Train on solutions; a model without training does nothing.

        Parameters
        ----------
        training, validation
            Datasets of kind ``"solutions"``, each on one grid; see `Streaming` for more.
        seed
            Fixes initial weights and the order of the data.
        on_epoch
            Called after each epoch.
        folder
            Where to keep what a resumed call needs; None keeps nothing.

        Returns
        -------
        xarray.Dataset
            History: named losses on ``(epoch)``; empty for a model without training. Its attribute
            ``earlier_training_time`` [s], if there is one, is the time of calls before this one
            that were cut off and from which it went on; ``parameters`` the number of trained
            parameters.
        """
        ...

    def predict(self, cases: xr.Dataset) -> xr.Dataset:
        """Predict all samples: the same samples in the same order.

        Returns
        -------
        xarray.Dataset
            Dataset of kind ``"solutions"``; `pressure` and `stream_function` only where the model
            has them.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write everything that `load` needs into `folder`, which exists."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Read what `save` wrote. No pickle is loaded."""
        ...


@runtime_checkable
class Evaluator(Protocol):
    """Compares a prediction with a reference.

    Attributes
    ----------
    metrics
        Declaration of each score by its name, as an attribute of the class: tables, figures and
        reports know of the score what stands there.
    """

    metrics: ClassVar[Mapping[str, Metric]]

    def evaluate(self, reference: xr.Dataset, prediction: xr.Dataset) -> xr.Dataset:
        """Score each sample.

        Parameters
        ----------
        reference, prediction
            Datasets of kind ``"solutions"`` with the same samples and grid.

        Returns
        -------
        xarray.Dataset
            Dataset of kind ``"scores"``: metrics on ``(sample)`` or ``(sample, crystal)``, each
            with its declaration as attributes; see `crystalsim.evaluation.scores.make_scores`.
        """
        ...


@runtime_checkable
class PreparesReference(Protocol):
    """Evaluator that computes once, for all predictions, what depends on the reference alone."""

    def prepare(self, reference: xr.Dataset) -> Any:
        """Compute what `evaluate` needs of the reference, in a form that is the evaluator's own."""
        ...

    def evaluate(
        self, reference: xr.Dataset, prediction: xr.Dataset, prepared: Any = None
    ) -> xr.Dataset:
        """Score each sample with what `prepare` returned, or None where nothing is prepared."""
        ...


@runtime_checkable
class DrawsFigures(Protocol):
    """Evaluator that offers figures of its scores, as an attribute of the class.

    Runs, comparisons and reports draw them; `make_scores` writes what they show into the scores.
    """

    figures: ClassVar[Sequence[ScoreFigure]]


@runtime_checkable
class WarmStart(Protocol):
    """A solver that can start from a flow that is known: a prediction, or a rough solution."""

    def solve_from(self, cases: xr.Dataset, initial: xr.Dataset) -> xr.Dataset:
        """Solve all samples as `Solver.solve` does, but start from `initial`.

        What comes out meets the same tolerance. What `initial` has to hold to be of use is the
        solver's affair: it says so in its documentation, and starts from nothing without it.

        Parameters
        ----------
        cases
            Dataset of kind ``"cases"``.
        initial
            Solutions or predictions of the same samples.

        Raises
        ------
        OptionError
            If `initial` is of other samples.
        """
        ...


@runtime_checkable
class IterationBudget(Protocol):
    """A solver that can be told to stop early."""

    def limited(self, *, iterations: int | None = None, tolerance: float | None = None) -> Self:
        """Give a solver of the same options that stops sooner or later than this one.

        Samples that have not reached its tolerance in time have ``converged = False``; its
        solutions say in `iterations` how many each sample took.

        Parameters
        ----------
        iterations
            Most iterations that a sample may take, one at least; None leaves it as it is.
        tolerance
            Residual to stop at, in the solver's own measure; None leaves it as it is.

        Raises
        ------
        OptionError
            If one of them is out of bounds.
        """
        ...


@runtime_checkable
class Streaming(Protocol):
    """A model that trains on several datasets, which need be neither in memory nor on one grid."""

    def fit_parts(
        self,
        training: Sequence[xr.Dataset],
        validation: Sequence[xr.Dataset],
        *,
        seed: int = 0,
        on_epoch: OnEpoch | None = None,
        folder: Path | None = None,
    ) -> xr.Dataset:
        """Train as `Model.fit` does, on data in parts.

        Parameters
        ----------
        training, validation
            Datasets of kind ``"solutions"``, each on one grid and perhaps lazy, such as the shards
            of a folder. Parts on one grid train as if they were one dataset.
        seed, on_epoch, folder
            As in `Model.fit`.
        """
        ...


@runtime_checkable
class Pretrained(Protocol):
    """A model that brings weights along.

    Made without options, it predicts with them until it is trained. An attribute `training`, if
    there is one, says how they were trained: a mapping that JSON can hold, kept in predictions.
    """

    @classmethod
    def pretrained(cls) -> Self:
        """Give the model with these weights and the options of their training."""
        ...


@runtime_checkable
class GridFree(Protocol):
    """A solver or model whose velocities do not depend on the cells of the cases.

    Commands warn of crystals and gaps that the cells do not resolve, but not where the class says
    ``grid_free = True``. Its solutions give the variable `resolved` themselves.
    """

    grid_free: ClassVar[bool]


@runtime_checkable
class ChecksSolutions(Protocol):
    """A model that knows, before it is trained, which solutions it cannot learn from.

    `run` asks it with one small sample before it spends any time on solving.
    """

    def check_solutions(self, solutions: xr.Dataset) -> None:
        """Refuse solutions that `Model.fit` would refuse.

        Parameters
        ----------
        solutions
            Dataset of kind ``"solutions"``.

        Raises
        ------
        UnsupportedError
            If the model cannot be trained on them; the message says what is expected.
        """
        ...


@runtime_checkable
class Motion(Protocol):
    """A solver or model that gives the motion of crystals by itself, without fields on the grid.

    `crystalsim.motion_of` asks for it, and takes the means of the velocity over each crystal where
    there is no such method.
    """

    def motion(self, cases: xr.Dataset) -> xr.Dataset:
        """Give the motion of each crystal: the same samples in the same order.

        Returns
        -------
        xarray.Dataset
            `crystal_velocity_x`, `crystal_velocity_z` [m s-1] and `crystal_angular_velocity` [s-1]
            on (sample, crystal), NaN beyond `crystal_count`, which is a coordinate, as
            `crystalsim.crystal_motion` gives them; and `converged` on (sample).
        """
        ...
