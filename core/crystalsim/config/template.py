"""A configuration with every option of a run, commented, made from the options' dataclasses."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..options import describe_options
from ..registry import registry
from .run import DEFAULTS, RunSettings, SampleCounts


def template(plugins: Mapping[str, str], file: Path | None = None) -> str:
    """Write a commented configuration that means the defaults.

    Parameters
    ----------
    plugins
        Names of the sampler, the solver and the model, where they are not the default.
    file
        Name of the file, for the first lines.

    Raises
    ------
    PluginError
        If there is no such plugin.
    """
    lines = [
        "# Every option of a run and its default; what is left out has the same one.",
        "#",
        f"#   crystalsim run --config {file or 'run.toml'}",
        "",
        *_options(RunSettings),
        "",
        "[samples]",
        *_options(SampleCounts),
    ]
    for kind in ("sampler", "solver", "model"):
        plugin = plugins.get(kind, DEFAULTS[kind]["plugin"])
        lines += ["", f"# {registry().lookup(kind, plugin).plugin.summary}"]
        lines += [f"[{kind}]", f'plugin = "{plugin}"']
        lines += _options(registry().options_class(kind, plugin))
    for plugin in DEFAULTS["evaluators"]:
        summary = registry().lookup("evaluator", plugin).plugin.summary
        options = list(_options(registry().options_class("evaluator", plugin)))
        lines += ["", f"# {summary}", f"[evaluator.{plugin}]", *options] if options else []
    return "\n".join(lines) + "\n"


def _options(options_class: type | None) -> Iterator[str]:
    """Lines of the options of a dataclass; those without a default are comments."""
    for name, kind, default, description in describe_options(options_class):
        text = f"{kind}: {description}" if description else kind
        yield from textwrap.wrap(text, 98, initial_indent="# ", subsequent_indent="# ")
        yield f"{name} = {default}" if default not in ("null", "required") else f"# {name} ="
