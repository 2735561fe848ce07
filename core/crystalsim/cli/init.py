"""``crystalsim init``."""

from __future__ import annotations

from pathlib import Path

import click

from ..config.run import DEFAULTS
from ..config.template import template
from .common import overwrite_option, plugin_option, refuse_ignored


@click.command(
    "init",
    epilog="\b\nExamples:\n  crystalsim init run.toml\n"
    "  crystalsim init --model unet unet.toml\n"
    "  crystalsim init --sampler list    # to the screen",
)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@plugin_option("sampler", DEFAULTS["sampler"]["plugin"])
@plugin_option("solver", DEFAULTS["solver"]["plugin"])
@plugin_option("model", DEFAULTS["model"]["plugin"])
@overwrite_option
def command(
    file: Path | None, sampler: str | None, solver: str | None, model: str | None, overwrite: bool
) -> None:
    """Write a configuration with every option of a run: its default and what it is.

    FILE is for --config of `run` and of other commands; without it the text is printed.
    """
    named = {"sampler": sampler, "solver": solver, "model": model}
    text = template({kind: name for kind, name in named.items() if name}, file)
    if file is None:
        refuse_ignored("overwrite", "without FILE nothing is written")
        click.echo(text, nl=False)
        return
    from ..storage.claims import write_same

    write_same(file, text, overwrite=overwrite)
    click.echo(f"{file}: `crystalsim run --config {file}` takes it as it is")
