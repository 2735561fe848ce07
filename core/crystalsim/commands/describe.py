"""``crystalsim describe``."""

from __future__ import annotations

import inspect

import click

from ..options import describe_options
from ..registry import registry


@click.command(
    "describe",
    epilog="\b\nExamples:\n  crystalsim describe solver builtin\n"
    "  crystalsim describe sampler random",
)
@click.argument("kind", type=click.Choice(["sampler", "solver", "model", "evaluator"]))
@click.argument("name")
def command(kind: str, name: str) -> None:
    """Show what the plugin NAME does and its options."""
    entry = registry().lookup(kind, name)
    click.echo(f"{kind} {entry.plugin.name}: {entry.plugin.summary}")
    click.echo(f"from {entry.distribution} {entry.version}\n")
    documentation = inspect.getdoc(registry().load(kind, name)) or ""
    text = documentation.split("\nParameters\n")[0].strip()
    if text:
        click.echo(f"{text}\n")
    rows = describe_options(registry().options_class(kind, name))
    click.echo("Options:" if rows else "No options.")
    for option, kind_name, default, description in rows:
        click.echo(f"  -o {kind}.{option}={default}")
        click.echo(f"      {kind_name}: {description}" if description else f"      {kind_name}")
