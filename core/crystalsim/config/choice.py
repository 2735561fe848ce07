"""The choice of a plugin and of its options: made once, then passed to every stage."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import OptionError
from ..options import make_options, option_names, suggestion
from ..registry import build, registry


@dataclass(frozen=True)
class Choice:
    """A plugin with its options.

    Attributes
    ----------
    kind
        Kind of the plugin: ``"sampler"``, ``"solver"``, ``"model"`` or ``"evaluator"``.
    name
        Name of the plugin, or ``distribution/name``.
    options
        Plain values, as JSON and TOML hold them; options that are None are left out.
    """

    kind: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, kind: str, table: Mapping[str, Any], *, where: str = "") -> Choice:
        """Read ``{"plugin": name, **options}``, check the options and fill in their defaults.

        Parameters
        ----------
        kind
            Kind of the plugin.
        table
            Its name and options.
        where
            What stands before an option in messages, if not `kind`.

        Raises
        ------
        OptionError, PluginError
            If the plugin or one of the options is unknown, or a value is wrong.
        """
        values = dict(table)
        name = values.pop("plugin", None)
        if not isinstance(name, str):
            raise OptionError(f"table [{kind}]: 'plugin' is missing; expected the name of a {kind}")
        if not values and not registry().lookup(kind, name).plugin.options:
            return cls(kind, name)  # without importing the class, which may be heavy
        options: Any = make_options(
            registry().options_class(kind, name), values, where=where or kind
        )
        plain = json.loads(json.dumps(dataclasses.asdict(options))) if options is not None else {}
        return cls(kind, name, {key: value for key, value in plain.items() if value is not None})

    @property
    def table(self) -> dict[str, Any]:
        """``{"plugin": name, **options}``, as it stands in files."""
        return {"plugin": self.name, **self.options}

    @property
    def origin(self) -> str:
        """Plugin and distribution, for messages."""
        entry = registry().lookup(self.kind, self.name)
        return f"{self.kind} '{entry.plugin.name}' of {entry.distribution} {entry.version}"

    def build(self) -> Any:
        """Make the plugin object; see `crystalsim.get`."""
        return build(self.kind, self.name, self.options)

    def __hash__(self) -> int:
        return hash((self.kind, self.name, json.dumps(self.options, sort_keys=True)))


def evaluator_options(
    names: Iterable[str], tables: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """All options of some evaluators by name, from the tables ``[evaluator.NAME]``.

    Raises
    ------
    OptionError, PluginError
        If an evaluator or one of the options is unknown, or a value is wrong; options of an
        evaluator that is not one of `names` are refused.
    """
    names = tuple(names)
    refuse_stray_evaluators(names, tables)
    return {
        name: dict(
            Choice.of(
                "evaluator",
                {**tables.get(name, {}), "plugin": name},
                where=f"evaluator.{name}",
            ).options
        )
        for name in names
    }


def refuse_stray_evaluators(names: Sequence[str], tables: Any) -> None:
    """Refuse options of evaluators that are not used, or that name no evaluator.

    Parameters
    ----------
    names
        Evaluators that are used.
    tables
        Options by the name of the evaluator, as a user gave them.

    Raises
    ------
    OptionError, PluginError
        If there are any; the message names the nearest that would be used.
    """
    if not isinstance(tables, Mapping):
        raise OptionError(f"setting 'evaluator' = {tables!r}: expected tables [evaluator.NAME]")
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            known = [
                f"{each}.{option}"
                for each in names
                for option in option_names(registry().options_class("evaluator", each))
            ]
            same = [option for option in known if option.partition(".")[2] == name]
            near = (
                f"; did you mean 'evaluator.{same[0]}'?"
                if same
                else suggestion(name, known, "evaluator.")
            )
            raise OptionError(
                f"option 'evaluator.{name}' = {table!r}: expected evaluator.NAME.OPTION{near}"
            )
        if name not in names:
            registry().lookup("evaluator", name)
            raise OptionError(
                f"options of evaluator '{name}', which is not used (used: {', '.join(names)})"
            )
