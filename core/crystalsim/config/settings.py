"""Settings of one command: what stands in its TOML file and in ``-o``, checked.

Nothing that a user gave is ignored. What is given with ``-o`` has to be of use to the command; a
file may be shared by several commands, so that its other tables only have to be valid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import OptionError
from ..options import (
    make_options,
    merge,
    option_names,
    parse_assignments,
    read_toml,
    refuse_unknown,
    suggestion,
)
from ..registry import registry
from .choice import Choice, evaluator_options, refuse_stray_evaluators
from .run import DEFAULTS, SampleCounts, check_settings

TABLES = ("sampler", "solver", "model", "baselines", "evaluators", "evaluator", "samples", "seed")
"""Tables and settings of all commands together."""

_KINDS = ("sampler", "solver", "model")


@dataclass(frozen=True)
class Settings:
    """What a user set for a command.

    Attributes
    ----------
    uses
        Tables that the command uses, a few of `TABLES`.
    file
        Tables of the TOML file.
    flags
        Tables of ``-o``.
    """

    uses: tuple[str, ...]
    file: Mapping[str, Any]
    flags: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path | None, assignments: Sequence[str], *uses: str) -> Settings:
        """Read and check them.

        Raises
        ------
        OptionError, PluginError
            If ``-o`` names a table that the command does not use, or the file one that is unknown
            or wrong.
        """
        flags = parse_assignments(assignments)
        for key, value in flags.items():
            if key not in uses:
                raise OptionError(_useless(key, value, uses))
        file = read_toml(path) if path else {}
        refuse_unknown(file, TABLES, f"{path}: unknown table or setting")
        for key, value in file.items():
            if key not in uses:
                try:
                    _check(key, value)
                except OptionError as error:
                    raise OptionError(f"{path}: {error}") from None
        return cls(uses, file, flags)

    @property
    def tables(self) -> dict[str, Any]:
        """Tables that the command uses, ``-o`` winning over the file."""
        used = {key: value for key, value in self.file.items() if key in self.uses}
        return merge(used, self.flags)

    def choose(self, kind: str, name: str | None = None) -> Choice:
        """Choose the plugin of a kind: defaults < TOML < ``-o`` < the flag that names it.

        Parameters
        ----------
        kind
            Kind of the plugin.
        name
            What the flag, as ``--solver``, says.

        Raises
        ------
        OptionError, PluginError
            If something is unknown or wrong, or the flag and ``-o`` contradict each other.
        """
        table = self.tables.get(kind, {})
        if not isinstance(table, Mapping):
            raise OptionError(f"setting '{kind}' = {table!r}: expected a table")
        if name:
            self._agree(f"{kind}.plugin", self.flags.get(kind, {}).get("plugin"), name)
        return Choice.of(
            kind, merge(DEFAULTS.get(kind, {}), table, {"plugin": name} if name else {})
        )

    def seed(self, flag: int | None = None) -> int:
        """Seed from the flag, ``-o``, the TOML file or 0.

        Raises
        ------
        OptionError
            If it is not a whole number, or the flag and ``-o`` contradict each other.
        """
        if flag is not None:
            self._agree("seed", self.flags.get("seed"), flag)
        value = self.tables.get("seed", 0) if flag is None else flag
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise OptionError(f"setting 'seed' = {value!r}: expected a whole number from 0")
        return value

    def evaluators(self, names: Sequence[str], default: Sequence[str]) -> dict[str, dict[str, Any]]:
        """All options of the evaluators to use, by name.

        Parameters
        ----------
        names
            What the flag ``--evaluator`` says; the setting `evaluators` where it says nothing.
        default
            Names where neither says anything.

        Raises
        ------
        OptionError, PluginError
            If an evaluator or an option is unknown or wrong, or ``-o`` is for one that is not used.
        """
        if names:
            self._agree("evaluators", self.flags.get("evaluators"), list(names))
        listed = check_settings({"evaluators": self.tables.get("evaluators", list(default))})
        chosen = tuple(names) or listed.evaluators
        refuse_stray_evaluators(chosen, self.flags.get("evaluator", {}))
        tables = self.tables.get("evaluator", {})
        _check("evaluator", tables)  # those of the file that are not used have to be valid
        return evaluator_options(chosen, {n: table for n, table in tables.items() if n in chosen})

    @staticmethod
    def _agree(key: str, option: Any, flag: Any) -> None:
        if option is not None and option != flag:
            raise OptionError(f"{key} is given twice: {option!r} by -o and {flag!r} by a flag")


def _check(key: str, value: Any) -> None:
    """Check a table that is not used."""
    if key in _KINDS:
        if not isinstance(value, Mapping):
            raise OptionError(f"setting '{key}' = {value!r}: expected a table with 'plugin'")
        Choice.of(key, merge(DEFAULTS.get(key, {}), value))
    elif key == "samples":
        make_options(SampleCounts, value, where="samples")
    elif key == "evaluator":
        names = tuple(value) if isinstance(value, Mapping) else ()
        refuse_stray_evaluators(names or DEFAULTS["evaluators"], value)
        evaluator_options(names, value)
    else:
        settings = check_settings({key: value})
        for name in settings.baselines:
            registry().lookup("model", name)
        for name in settings.evaluators:
            registry().lookup("evaluator", name)


def _useless(key: str, value: Any, uses: Sequence[str]) -> str:
    """Why an option of ``-o`` is of no use to a command, with the nearest that is."""
    name = f"{key}.{next(iter(value))}" if isinstance(value, Mapping) and value else key
    used = ", ".join(uses)
    if key in TABLES:
        return f"option '{name}': this command takes no options of '{key}' (it takes: {used})"
    if isinstance(value, Mapping):
        near = suggestion(key, uses)
        return f"unknown option '{name}'{near} (tables of this command: {used})"
    homes = [
        f"{kind}.{key}"
        for kind in uses
        if kind in _KINDS
        and key in option_names(registry().options_class(kind, DEFAULTS[kind]["plugin"]))
    ]
    near = f"; did you mean '{homes[0]}'?" if homes else suggestion(key, uses)
    return f"unknown setting '{key}'{near} (tables of this command: {used})"
