"""Options: frozen dataclass <-> TOML table <-> ``-o key=value``.

Types and bounds are checked by msgspec. An option is a field with a type, a description and a
default::

    @dataclass(frozen=True)
    class MyOptions:
        tolerance: Annotated[float, Meta(gt=0, description="relative residual")] = 1e-3
"""

from __future__ import annotations

import dataclasses
import difflib
import html
import json
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import msgspec
from msgspec import Meta

from .errors import OptionError

__all__ = [
    "Configured",
    "Meta",
    "NoOptions",
    "read_toml",
]

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """Options of what has none."""


class Configured(Generic[T]):
    """Base class to inherit, if one likes, of what is made from its options and shows them.

    A subclass names the frozen dataclass of its options::

        class MySolver(Configured[MyOptions]):
            options_class = MyOptions

    Parameters
    ----------
    options
        Options; the defaults if None.

    Attributes
    ----------
    options_class
        Frozen dataclass. It is that of the plugin, too, where the `Plugin` descriptor names none.
    options
        Options of this object.
    """

    options_class: ClassVar[type] = NoOptions

    def __init__(self, options: T | None = None) -> None:
        self.options: T = self.options_class() if options is None else options

    def __repr__(self) -> str:
        values = _values(self.options).items()
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in values)})"

    def _repr_html_(self) -> str:
        """Table of the options, for notebooks."""
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{html.escape(repr(value))}</td></tr>"
            for name, value in _values(self.options).items()
        )
        return f"<b>{html.escape(type(self).__name__)}</b><table>{rows}</table>"

    def with_options(self, **changes: Any) -> Self:
        """Make another one with some options changed; nothing else is taken over.

        Raises
        ------
        OptionError
            If there is no such option, or its value is wrong.
        """
        values = {**_values(self.options), **changes}
        return type(self)(make_options(type(self.options), values, where=type(self).__name__))

    def facts(self) -> dict[str, str]:
        """What ``crystalsim describe`` tells beside the options: name and text of each fact."""
        return {}


def _values(options: Any) -> dict[str, Any]:
    """Options by name; msgspec leaves defaults out of `vars`."""
    return {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}


def make_options(options_class: type[T] | None, values: Mapping[str, Any], *, where: str) -> T:
    """Check `values` and make the options dataclass from them.

    Parameters
    ----------
    options_class
        Frozen dataclass; None for a plugin without options, for which None is returned.
    values
        Option names and values, as TOML would give them.
    where
        Prefix for messages, such as ``"solver"``.

    Raises
    ------
    OptionError
        If a name is unknown or a value has the wrong type or is out of bounds.
    """
    if options_class is None:
        if values:
            raise OptionError(f"unknown option '{where}.{next(iter(values))}': there are none")
        return typing.cast(T, None)
    if not isinstance(values, Mapping):
        raise OptionError(f"setting '{where}' = {values!r}: expected a table")
    refuse_unknown(values, option_names(options_class), "unknown option", f"{where}.")
    try:
        return msgspec.convert(dict(values), options_class)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        name = path.rstrip("`")
        key = name.split("[")[0].split(".")[0]
        if not name:
            raise OptionError(f"options of {where}: {message}") from None
        assignment = f" = {values[key]!r}" if key in values else ""
        raise OptionError(
            f"option {where}.{name}{assignment}: {message.replace('`', '')}"
        ) from None


def option_names(options_class: type | None) -> list[str]:
    """Names of the options of a dataclass; None has none."""
    return [field.name for field in dataclasses.fields(options_class)] if options_class else []


def suggestion(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Ask in a message for the nearest of the known names; empty where none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean '{prefix}{near[0]}'?" if near else ""


def refuse_unknown(
    names: Iterable[str], known: Sequence[str], message: str, prefix: str = ""
) -> None:
    """Refuse names that are not known.

    Parameters
    ----------
    names
        Names that a user gave.
    known
        Names that there are.
    message
        Beginning of the message, as ``"unknown option"``.
    prefix
        What stands before a name, as ``"solver."``.

    Raises
    ------
    OptionError
        If one of the names is not known; the nearest one is suggested.
    """
    for name in names:
        if name not in known:
            raise OptionError(
                f"{message} '{prefix}{name}'{suggestion(name, known, prefix)} "
                f"(known: {', '.join(known) or 'none'})"
            )


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """Turn ``["solver.tolerance=1e-8", ...]`` into nested tables.

    Values are read as TOML; what is not TOML is a string, so that
    ``solver.average=harmonic`` needs no quotes.

    Raises
    ------
    OptionError
        If an assignment is not of the form ``key=value``.
    """
    import tomllib

    tables: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        parts = [part.strip() for part in key.split(".")]
        if not equals or not all(parts):
            raise OptionError(f"option '{assignment}': expected key=value, as solver.tolerance=1")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except (tomllib.TOMLDecodeError, KeyError):
            value = text.strip()
        table = tables
        for part in parts[:-1]:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise OptionError(f"option '{assignment}': '{part}' is a value, not a table")
        table[parts[-1]] = value
    return tables


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    OptionError
        If the file is missing or is not TOML; the message names the file and the line.
    """
    import tomllib

    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OptionError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def to_toml(tables: Mapping[str, Any]) -> str:
    """Write nested tables of plain values as TOML."""
    import tomli_w

    return tomli_w.dumps(tables)


def merge(*tables: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested tables; later ones win, key by key."""
    merged: dict[str, Any] = {}
    for table in tables:
        for key, value in table.items():
            old = merged.get(key)
            if isinstance(old, Mapping) and isinstance(value, Mapping):
                merged[key] = merge(old, value)
            else:
                merged[key] = dict(value) if isinstance(value, Mapping) else value
    return merged


def describe_options(options_class: type | None) -> list[tuple[str, str, str, str]]:
    """List the options of a dataclass as (name, type, default as TOML, description)."""
    if options_class is None:
        return []
    hints = typing.get_type_hints(options_class, include_extras=True)
    rows = []
    for field in dataclasses.fields(options_class):
        hint, description = hints[field.name], ""
        if typing.get_origin(hint) is typing.Annotated:
            meta = next((m for m in hint.__metadata__ if isinstance(m, Meta)), None)
            description = (meta.description or "") if meta else ""
            hint = hint.__origin__
        if field.default_factory is not dataclasses.MISSING:
            default: Any = field.default_factory()
        else:
            default = field.default
        # JSON is TOML on one line, but for infinity.
        text = json.dumps(default, ensure_ascii=False, default=str).replace("Infinity", "inf")
        shown = "required" if default is dataclasses.MISSING else text
        rows.append((field.name, _type_name(hint), shown, description))
    return rows


def _type_name(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return " | ".join(str(value) for value in typing.get_args(hint))
    if isinstance(hint, type) and not typing.get_args(hint):
        return hint.__name__
    return str(hint).replace("typing.", "")
