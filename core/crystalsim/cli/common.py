"""Options and helpers that several commands share; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from ..config.choice import Choice
from ..config.run import DEFAULTS
from ..errors import OptionError
from ..options import merge, parse_assignments, read_toml

F = TypeVar("F", bound=Callable[..., Any])


def configured(function: F) -> F:
    """Add ``--config`` and ``-o``."""
    function = click.option(
        "-o",
        "--option",
        "assignments",
        multiple=True,
        metavar="KEY=VALUE",
        help="An option of a plugin, as solver.tolerance=1e-8; may be repeated.",
    )(function)
    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path),
        help="TOML file with tables [sampler], [solver], [model] ...; flags win over it.",
    )(function)


def output_option(text: str, required: bool = True) -> Callable[[F], F]:
    """Add ``--output``."""
    return click.option("--output", type=click.Path(path_type=Path), required=required, help=text)


def compress_option(function: F) -> F:
    """Add ``--compress``."""
    return click.option(
        "--compress", is_flag=True, help="Deflate the files: 40 % smaller, slower to write."
    )(function)


def seed_option(function: F) -> F:
    """Add ``--seed``."""
    return click.option(
        "--seed", type=click.IntRange(min=0), default=None, help="Seed of all that is random [0]."
    )(function)


def tables(config_file: Path | None, assignments: Sequence[str]) -> dict[str, Any]:
    """Tables of the TOML file, overridden by ``-o``."""
    return merge(read_toml(config_file) if config_file else {}, parse_assignments(assignments))


def choose(kind: str, name: str | None, given: Mapping[str, Any]) -> Choice:
    """Choose a plugin and its options: defaults < TOML < flags.

    Raises
    ------
    OptionError, PluginError
        If something is unknown or wrong.
    """
    for key in given:
        if key not in {*DEFAULTS, "evaluator", "samples", "seed"}:
            raise OptionError(f"unknown table '{key}'; expected options as {kind}.NAME=VALUE")
    if not isinstance(given.get(kind, {}), Mapping):
        raise OptionError(f"setting '{kind}' = {given[kind]!r}: expected a table")
    table = merge(DEFAULTS.get(kind, {}), given.get(kind, {}), {"plugin": name} if name else {})
    return Choice.of(kind, table)


def chosen_seed(seed: int | None, given: Mapping[str, Any]) -> int:
    """Seed from the flag, the TOML file or 0.

    Raises
    ------
    OptionError
        If the file's is not a whole number.
    """
    value = given.get("seed", 0) if seed is None else seed
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise OptionError(f"setting 'seed' = {value!r}: expected a whole number from 0")
    return value
