"""The configuration of a run: defaults, then a TOML file, then flags.

Light: nothing heavy is imported, so that a wrong option fails at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from ..errors import OptionError
from ..options import Meta, make_options, merge, refuse_unknown
from .choice import Choice, evaluator_options

DEFAULTS: dict[str, Any] = {
    "sampler": {"plugin": "random"},
    "solver": {"plugin": "builtin"},
    "model": {"plugin": "polarization"},
    "baselines": ["isoviscous", "dilute", "half_grid", "early_stopped"],
    "evaluators": [
        "fields",
        "crystals",
        "physics",
        "spectrum",
        "strata",
        "interaction",
        "cost",
    ],
}
"""The plugins that `run` uses when none is named: beside `EXACT_SOLVER` the only
place in the core that names any."""

EXACT_SOLVER = "multipole"
"""What `validate` measures against in random scenes when none is named and this is installed."""


@dataclass(frozen=True)
class SampleCounts:
    """How many samples each split of a run has."""

    training: Annotated[int, Meta(ge=1, description="samples to train on")] = 1500
    validation: Annotated[int, Meta(ge=1, description="samples to choose the best weights by")] = (
        100
    )
    test: Annotated[int, Meta(ge=1, description="samples to judge all models by")] = 200


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides the results of a run.

    Attributes
    ----------
    sampler, solver, model
        Plugins with their options.
    baselines, evaluators
        Names of models without training to compare with, and of evaluators.
    evaluator
        Options of the evaluators by name.
    samples
        Sizes of the splits.
    seed
        Seed of everything that is random.
    """

    sampler: Choice
    solver: Choice
    model: Choice
    baselines: tuple[str, ...]
    evaluators: tuple[str, ...]
    evaluator: dict[str, dict[str, Any]]
    samples: SampleCounts
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """Plain tables, as TOML or JSON would hold them."""
        return {
            **{choice.kind: choice.table for choice in (self.sampler, self.solver, self.model)},
            "baselines": list(self.baselines),
            "evaluators": list(self.evaluators),
            "evaluator": self.evaluator,
            "samples": dataclasses.asdict(self.samples),
            "seed": self.seed,
        }


@dataclass(frozen=True)
class RunSettings:
    """What stands beside the tables of plugins."""

    seed: Annotated[int, Meta(ge=0, description="seed of everything that is random")] = 0
    baselines: Annotated[
        tuple[str, ...], Meta(description="models without training to compare with")
    ] = tuple(DEFAULTS["baselines"])
    evaluators: Annotated[
        tuple[str, ...], Meta(description="evaluators that judge every model")
    ] = tuple(DEFAULTS["evaluators"])


def check_settings(values: Mapping[str, Any]) -> RunSettings:
    """Check what stands beside the tables of plugins.

    Raises
    ------
    OptionError
        If a value is wrong.
    """
    return make_options(RunSettings, values, where="run")


def resolve(*tables: Mapping[str, Any]) -> RunConfig:
    """Merge tables over the defaults and check every option against its plugin.

    Options stand beside the name of their plugin.

    Raises
    ------
    OptionError, PluginError
        If a table, key, option or plugin is unknown, or a value is wrong.
    """
    merged = merge(DEFAULTS, *tables)
    known = [field.name for field in dataclasses.fields(RunConfig)]
    refuse_unknown(merged, known, "unknown setting")
    choices = {}
    for kind in ("sampler", "solver", "model"):
        table = merged.pop(kind)
        if not isinstance(table, Mapping):
            raise OptionError(f"setting '{kind}' = {table!r}: expected a table with 'plugin'")
        choices[kind] = Choice.of(kind, table)
    samples = make_options(SampleCounts, merged.pop("samples", {}), where="samples")
    options = merged.pop("evaluator", {})
    settings = check_settings(merged)
    for name in settings.baselines:
        Choice.of("model", {"plugin": name})
    evaluator = evaluator_options(settings.evaluators, options)
    return RunConfig(
        **choices,
        baselines=settings.baselines,
        evaluators=settings.evaluators,
        evaluator=evaluator,
        samples=samples,
        seed=settings.seed,
    )
