"""``crystalsim plugins``."""

from __future__ import annotations

import sys

import click

from ..registry import KINDS, registry
from .common import echo_json, json_option


@click.command("plugins", epilog="\b\nExamples:\n  crystalsim plugins\n  crystalsim plugins --json")
@json_option
def command(as_json: bool) -> None:
    """List what is installed; exit status 1 if a plugin is broken."""
    listeners = registry().listeners()
    entries = [entry for kind in KINDS for entry in registry().entries(kind)]
    if as_json:
        rows = [
            {
                "kind": entry.kind,
                **entry.plugin._asdict(),
                "distribution": entry.distribution,
                "version": entry.version,
            }
            for entry in entries
        ]
        problems = [problem._asdict() for problem in registry().problems]
        heard = [listener._asdict() for listener in listeners]
        echo_json({"plugins": rows, "listeners": heard, "problems": problems})
    else:
        for entry in entries:
            origin = f"{entry.distribution} {entry.version}"
            click.echo(f"{entry.kind:10} {entry.plugin.name:14} {origin:28} {entry.plugin.summary}")
        for listener in listeners:
            origin = f"{listener.distribution} {listener.version}"
            hooks = ", ".join(listener.hooks)
            click.echo(f"{'listener':10} {listener.name:14} {origin:28} hears {hooks}")
        if not entries and not listeners:
            click.echo("no plugins are installed")
    if registry().problems:
        sys.exit(1)
