"""``crystalsim describe``."""

from __future__ import annotations

import inspect
import json
import shlex
from pathlib import Path

import click

from ..config.run import DEFAULTS, RunSettings, SampleCounts
from ..options import Configured, describe_options
from ..registry import registry


@click.command(
    "describe",
    epilog="\b\nExamples:\n  crystalsim describe solver builtin\n"
    "  crystalsim describe evaluator crystals\n"
    "  crystalsim describe run                 # its tables and defaults\n"
    "  crystalsim describe model checkpoint    # a trained one: its reach and parameters",
)
@click.argument("kind", type=click.Choice(["sampler", "solver", "model", "evaluator", "run"]))
@click.argument("name", required=False)
def command(kind: str, name: str | None) -> None:
    """Show what the plugin NAME does and its options, or the tables and defaults of `run`.

    NAME may be the folder of a trained model, which is loaded to tell what it was trained for.
    """
    if (kind == "run") is not (name is None):
        raise click.UsageError("expected a kind and a NAME, as `solver builtin`, or `run` alone")
    if name is None:
        _describe_run()
        return
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
    options_class = registry().options_class(kind, name)
    click.echo("Options:" if options_class else "No options.")
    # A run has several evaluators, so that their options stand below their names.
    _echo_options(options_class, f"evaluator.{name}." if kind == "evaluator" else f"{kind}.")


def _echo_options(options_class: type | None, prefix: str) -> None:
    """Print options as they can be typed."""
    for option, kind, default, description in describe_options(options_class):
        shown = f"={shlex.quote(default)}" if default not in ("null", "required") else "=..."
        click.echo(f"  -o {prefix}{option}{shown}")
        click.echo(f"      {kind}: {description}" if description else f"      {kind}")


def _describe_run() -> None:
    """Tables of a run, and its defaults as options."""
    click.echo("run: sample, solve, train, predict, evaluate and draw, all at once\n\nOptions:")
    for kind in ("sampler", "solver", "model"):
        plugin = DEFAULTS[kind]["plugin"]
        click.echo(f"  -o {kind}.plugin={plugin}")
        click.echo(f"      and beside it what `crystalsim describe {kind} {plugin}` lists")
    _echo_options(SampleCounts, "samples.")
    _echo_options(RunSettings, "")
    click.echo("  -o evaluator.NAME.OPTION=...")
    click.echo("      what `crystalsim describe evaluator NAME` lists")
    click.echo("\n`crystalsim init` writes all of them into a file for --config.")


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
