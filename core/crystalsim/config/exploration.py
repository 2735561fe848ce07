"""Explorations: what to search, and what came of each trial.

An exploration is a TOML file::

    title = "A small U-Net"
    trials = 20                  # that are finished, over all processes; may be raised later
    metric = "some_error"        # a score: its mean over the validation samples is to be best;
                                 # the first primary one of the evaluators where none is named

    [run]                        # as for `crystalsim run`
    model.plugin = "unet"

    [search]
    "model.learning_rate" = { low = 1e-4, high = 1e-2, log = true }
    "model.batch_size" = { low = 4, high = 32, step = 4 }   # whole numbers
    "model.width" = [8, 16, 24]                             # one of these
    "samples.training" = [200, 800]

All trials are judged on the same validation samples, those of `[run]`; samplers and solvers that
are searched make the training samples. Light: nothing heavy is imported.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import CrystalsimError, OptionError
from ..options import make_options, merge, read_toml, refuse_unknown
from .run import RunConfig, resolve

_SETTINGS = ("title", "trials", "metric", "run", "search")
_SPAN = ("low", "high", "log", "step")


@dataclass(frozen=True)
class Span:
    """Numbers between two bounds, both included; whole ones if the bounds are.

    Attributes
    ----------
    low, high
        Bounds.
    log
        Whether to search evenly in the logarithm.
    step
        Distance of the values from each other; None takes any, or all whole numbers.
    """

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high < float("inf"):
            raise ValueError(f"low = {self.low}, high = {self.high}: expected low < high")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log needs low > 0, and takes no step")
        if self.step is None:
            return
        if self.step <= 0 or (self.whole and not isinstance(self.step, int)):
            kind = "whole number from 1" if self.whole else "number above 0"
            raise ValueError(f"step = {self.step}: expected a {kind}")

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are searched."""
        return isinstance(self.low, int) and isinstance(self.high, int)


class Exploration(NamedTuple):
    """An exploration, checked.

    Attributes
    ----------
    title
        Title for readers, in any words.
    trials
        Number to finish.
    metric
        Name of a score, whose mean over the validation samples is to be best; empty for the
        first primary one of the evaluators.
    run
        Tables that all trials share, as they stand in the file.
    search
        Span, or values to choose from, of each dotted option.
    larger_is_better
        Whether the best value of the metric is the largest, as its evaluator declares.
    """

    title: str
    trials: int
    metric: str
    run: dict[str, Any]
    search: dict[str, Span | tuple[Any, ...]]
    larger_is_better: bool = False

    def config(self, parameters: Mapping[str, Any] | None = None) -> RunConfig:
        """Configuration of a trial, or of none.

        Raises
        ------
        OptionError, PluginError
            If the options are wrong together.
        """
        changes = [nested(key, value) for key, value in (parameters or {}).items()]
        return resolve(merge(self.run, *changes))

    def as_dict(self) -> dict[str, Any]:
        """Plain tables, with all options of `[run]`."""
        search = {
            key: {name: v for name, v in dataclasses.asdict(value).items() if v is not None}
            if isinstance(value, Span)
            else list(value)
            for key, value in self.search.items()
        }
        return {
            "title": self.title,
            "trials": self.trials,
            "metric": self.metric,
            "run": self.config().as_dict(),
            "search": search,
        }


class Outcome(NamedTuple):
    """What came of a trial.

    Attributes
    ----------
    number
        Number of the trial, from 0.
    state
        ``"complete"``, ``"pruned"`` (ended early), ``"failed"``, ``"interrupted"`` (another trial
        goes on with it), ``"running"`` or ``"waiting"``.
    value
        The metric, or of a trial that was pruned the last error while training; None without any.
    seconds
        How long it took.
    epochs
        Finished epochs of training.
    parameters
        What was tried, by dotted option.
    error
        Why it failed.
    """

    number: int
    state: str
    value: float | None
    seconds: float | None
    epochs: int
    parameters: dict[str, Any]
    error: str = ""


def read_exploration(path: Path) -> Exploration:
    """Read an exploration and check every bound against the plugins' options.

    Raises
    ------
    OptionError, PluginError
        If something is unknown, missing or wrong.
    """
    table = read_toml(path)
    refuse_unknown(table, _SETTINGS, f"{path}: unknown setting")
    trials, metric = table.get("trials", 20), table.get("metric", "")
    if not isinstance(trials, int) or isinstance(trials, bool) or trials < 1:
        raise OptionError(f"{path}: trials = {trials!r}; expected a whole number from 1")
    if not isinstance(metric, str):
        raise OptionError(f"{path}: metric = {metric!r}; expected the name of a score")
    for key in ("run", "search"):
        if not isinstance(table.get(key, {}), Mapping):
            raise OptionError(f"{path}: {key} = {table[key]!r}; expected a table")
    search = {}
    for key, value in _flat(table.get("search", {})):
        try:
            search[key] = _dimension(key, value)
        except OptionError as error:
            raise OptionError(f"{path}: {error}") from None
    if not search:
        raise OptionError(f"{path}: expected at least one option in the table [search]")
    title = str(table.get("title", path.stem))
    exploration = Exploration(title, trials, metric, dict(table.get("run", {})), search)
    exploration.config()
    for key, dimension in search.items():
        for value in (dimension.low, dimension.high) if isinstance(dimension, Span) else dimension:
            try:
                exploration.config({key: value})
            except CrystalsimError as error:
                raise type(error)(f"{path}: search of {key}: {error}") from None
    return exploration


def nested(key: str, value: Any) -> dict[str, Any]:
    """Turn a dotted option into tables."""
    for part in reversed(key.split(".")):
        value = {part: value}
    assert isinstance(value, dict)
    return value


def label(value: Any) -> str | int | float | bool:
    """Turn a value to choose into one that a database holds: lists become JSON."""
    return value if isinstance(value, (str, int, float, bool)) else json.dumps(value)


def best_outcome(exploration: Exploration, outcomes: Sequence[Outcome]) -> Outcome | None:
    """Best of the complete trials; None where there is none."""
    sign = -1 if exploration.larger_is_better else 1
    complete = [o for o in outcomes if o.state == "complete" and o.value is not None]
    return min(complete, key=lambda o: sign * (o.value or 0.0), default=None)


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted options, whether the file quotes them or not."""
    for key, value in table.items():
        if isinstance(value, Mapping) and not any(name in value for name in _SPAN):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _dimension(key: str, value: Any) -> Span | tuple[Any, ...]:
    kind, _, name = key.partition(".")
    if not name or (kind not in ("sampler", "solver", "model") and key != "samples.training"):
        # Trials with other validation samples or seeds could not be compared with each other.
        raise OptionError(
            f"search of '{key}': expected an option of sampler, solver or model, or "
            "samples.training"
        )
    if isinstance(value, list):
        if not value:
            raise OptionError(f"search of '{key}': expected at least one value")
        return tuple(value)
    if not isinstance(value, Mapping):
        raise OptionError(
            f"search of '{key}' = {value!r}: expected a list, or a table with low and high"
        )
    return make_options(Span, value, where=f"search.{key}")
