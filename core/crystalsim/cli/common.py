"""Options and helpers that several commands share; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from ..errors import CrystalsimError, OptionError

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


def json_option(function: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def overwrite_option(function: F) -> F:
    """Add ``--overwrite``."""
    return click.option(
        "--overwrite", is_flag=True, help="Make it again, in the place of what is there."
    )(function)


def plugin_option(kind: str, default: str) -> Callable[[F], F]:
    """Add ``--sampler``, ``--solver`` or ``--model``, whose values a shell completes.

    Parameters
    ----------
    kind
        Kind of the plugin.
    default
        What the help says is used without the flag.
    """
    return click.option(
        f"--{kind}", shell_complete=complete(kind), help=f"{kind.capitalize()} plugin [{default}]."
    )


def complete(kind: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Complete the names of plugins of a kind in a shell."""

    def names(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
        from ..registry import registry

        known = [entry.plugin.name for entry in registry().entries(kind)]
        return [name for name in known if name.startswith(begun)]

    return names


def refuse_ignored(names: str, reason: str) -> None:
    """Refuse flags of the current command that would be ignored.

    Parameters
    ----------
    names
        Parameters of the command, separated by blanks.
    reason
        When they are of use.

    Raises
    ------
    click.UsageError
        If one of them stands on the command line.
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in names.split() and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]}: {reason}")


def file_or_folder(output: Path, *inputs: Path, file: str = ".nc", folder: bool = True) -> None:
    """Check the path of an output before anything is done.

    Parameters
    ----------
    output
        Path that ``--output`` names.
    inputs
        Files or folders that the command reads.
    file
        Ending of a file; empty if only a folder can be written.
    folder
        Whether a folder can be written.

    Raises
    ------
    OptionError
        If it has the ending of another kind of file, or would replace what it is made from.
    """
    expected = " or ".join([f"a file ({file})"] * bool(file) + ["a folder"] * folder)
    if output.suffix != file and (output.suffix in _OTHER_FILES or not folder):
        raise OptionError(f"--output {output}: expected {expected}")
    for path in inputs:
        place, source = output.resolve(), path.resolve()
        if place == source or place in source.parents:
            raise OptionError(f"--output {output} would replace {path}, which it is made from")


_OTHER_FILES = (
    *(".nc", ".nc4", ".cdf", ".zarr", ".h5", ".hdf5", ".npz", ".npy", ".csv", ".json"),
    *(".toml", ".txt", ".vtk", ".vtr", ".png", ".pdf"),
)
"""Endings of files that nobody means as folders."""


def echo_json(value: Any) -> None:
    """Print a value as JSON; numbers that are not finite become null."""
    import json
    import math

    def plain(part: Any) -> Any:
        if isinstance(part, Mapping):
            return {str(key): plain(each) for key, each in part.items()}
        if isinstance(part, (list, tuple)):
            return [plain(each) for each in part]
        if isinstance(part, float) and not math.isfinite(part):
            return None
        return str(part) if isinstance(part, Path) else part

    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def unconverged(output: Path, what: str, missing: str = "") -> str:
    """Say how many samples there are, and how many did not converge.

    Parameters
    ----------
    output
        File or folder of solutions.
    what
        What is said first.
    missing
        What is still missing; nothing more is said then.

    Raises
    ------
    CrystalsimError
        If no sample converged.
    """
    from ..runtime.words import plural
    from ..storage.netcdf import read_converged

    if missing:
        return f"{what}{missing}"
    converged = read_converged(output)
    bad = int((~converged).sum())
    if bad == converged.size:
        raise CrystalsimError(f"{output}: none of {plural(bad, 'sample')} converged")
    return f"{what}, {bad} of them not converged" if bad else what
