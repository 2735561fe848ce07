"""``crystalsim check``."""

from __future__ import annotations

import sys

import click

from ..errors import CrystalsimError, PluginError
from ..registry import KINDS, registry


@click.command("check", epilog="\b\nExamples:\n  crystalsim check crystalsim-builtin")
@click.argument("distribution")
def command(distribution: str) -> None:
    """Import everything that DISTRIBUTION offers; exit status 1 if something is broken.

    For solvers see `crystalsim validate`, for files `crystalsim verify`; docs/checking.md tells
    them apart.
    """
    problems = [p for p in registry().problems if p.distribution == distribution]
    entries = [
        entry
        for kind in KINDS
        for entry in registry().entries(kind)
        if entry.distribution == distribution
    ]
    listeners = [each for each in registry().listeners() if each.distribution == distribution]
    if not entries and not listeners and not problems:
        raise PluginError(f"no plugins come from a distribution '{distribution}'")
    bad = len(problems)
    for problem in problems:
        click.echo(f"broken  {problem.error}")
    for entry in entries:
        try:
            registry().load(entry.kind, entry.qualified_name)
            registry().options_class(entry.kind, entry.qualified_name)
        except CrystalsimError as error:
            bad += 1
            click.echo(f"broken  {error}")
        else:
            click.echo(f"fine    {entry.kind} {entry.plugin.name}")
    for listener in listeners:  # their modules are imported already
        click.echo(f"fine    listener {listener.name}, hears {', '.join(listener.hooks)}")
    if bad:
        sys.exit(1)
