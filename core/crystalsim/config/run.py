"""The configuration of a run: defaults, then a TOML file, then flags.

Light: nothing heavy is imported, so that a wrong option fails at once.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from ..errors import OptionError
from ..options import Meta, make_options, merge
from ..registry import resolve_table, split_plugin

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
"""The plugins that `run` uses when none is named: the only place in the core that names any."""

QUICK_EVALUATORS: tuple[str, ...] = tuple(DEFAULTS["evaluators"][:2])
"""Those that say how large errors are, for tables of many models; the others say why."""


@dataclass(frozen=True)
class SampleCounts:
    """How many samples each split of a run has."""

    training: Annotated[int, Meta(ge=1)] = 1500
    validation: Annotated[int, Meta(ge=1)] = 100
    test: Annotated[int, Meta(ge=1)] = 200


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides the results of a run.

    Attributes
    ----------
    sampler, solver, model
        Tables with ``plugin`` and the options of that plugin.
    evaluator
        Options of evaluators by name.
    baselines, evaluators
        Names of models without training to compare with, and of evaluators.
    samples
        Sizes of the splits.
    seed
        Of everything that is random.
    """

    sampler: dict[str, Any]
    solver: dict[str, Any]
    model: dict[str, Any]
    baselines: tuple[str, ...]
    evaluators: tuple[str, ...]
    evaluator: dict[str, dict[str, Any]] = field(default_factory=dict)
    samples: SampleCounts = field(default_factory=SampleCounts)
    seed: Annotated[int, Meta(ge=0)] = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain tables, as TOML or JSON would hold them."""
        plain = json.loads(json.dumps(dataclasses.asdict(self)))
        assert isinstance(plain, dict)
        return plain


def resolve(*tables: Mapping[str, Any]) -> RunConfig:
    """Merge tables over the defaults and check every option against its plugin.

    Options stand beside the name of their plugin.

    Raises
    ------
    OptionError, PluginError
        If a table, key, option or plugin is unknown, or a value is wrong.
    """
    merged = merge(DEFAULTS, *tables)
    known = [f.name for f in dataclasses.fields(RunConfig)]
    for key in merged:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise OptionError(f"unknown setting '{key}'{hint} (known: {', '.join(known)})")
    for key in ("sampler", "solver", "model"):
        if not isinstance(merged[key], Mapping):
            raise OptionError(f"setting '{key}' = {merged[key]!r}: expected a table with 'plugin'")
    samples = make_options(SampleCounts, merged.pop("samples", {}), where="samples")
    try:
        config = msgspec.convert({**merged, "samples": vars(samples)}, RunConfig)
    except msgspec.ValidationError as error:
        raise OptionError(f"configuration: {str(error).replace('`', '')}") from None
    for name in config.baselines:
        split_plugin("model", {"plugin": name})
    for name in config.evaluator:
        if name not in config.evaluators:
            raise OptionError(f"options for evaluator '{name}', which is not in 'evaluators'")
    evaluator = {
        name: split_plugin("evaluator", {"plugin": name, **config.evaluator.get(name, {})})[1]
        for name in config.evaluators
    }
    return dataclasses.replace(
        config,
        sampler=resolve_table("sampler", config.sampler),
        solver=resolve_table("solver", config.solver),
        model=resolve_table("model", config.model),
        evaluator=evaluator,
    )
