"""``crystalsim describe``."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import click

from ..options import Configured, describe_options
from ..registry import registry


@click.command(
    "describe",
    epilog="\b\nExamples:\n  crystalsim describe solver builtin\n"
    "  crystalsim describe sampler random\n"
    "  crystalsim describe model checkpoint    # a trained one: its reach and parameters",
)
@click.argument("kind", type=click.Choice(["sampler", "solver", "model", "evaluator"]))
@click.argument("name")
def command(kind: str, name: str) -> None:
    """Show what the plugin NAME does and its options.

    NAME may be the folder of a trained model, which is loaded to tell what it was trained for.
    """
    if kind == "model" and Path(name).is_dir():
        _describe_trained(name)
        return
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


def _describe_trained(folder: str) -> None:
    from ..storage.models import read_model

    model, choice = read_model(folder)
    options = dict(choice.options)
    click.echo(f"model {choice.name} in {folder}")
    if isinstance(model, Configured):
        for name, text in model.facts().items():
            click.echo(f"{name}: {text}")
    if weights := options.pop("weights", None):
        click.echo(f"weights: {weights}")
    if training := options.pop("training", None):
        click.echo(f"training: {json.dumps(training)}")
    click.echo("Options:" if options else "No options.")
    for option, value in options.items():
        click.echo(f"  {option} = {value}")
