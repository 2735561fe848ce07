"""Studies: what a study's file says, checked; see `crystalsim.workflows.study`.

Light: nothing heavy is imported, so that a wrong option fails at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..errors import OptionError
from ..options import merge, read_toml, refuse_unknown
from .choice import Choice
from .run import RunConfig, resolve


class Study(NamedTuple):
    """A study, checked.

    Attributes
    ----------
    title
        Title for readers, in any words.
    variants
        Configuration of each run by name; ``""`` where there is one only.
    tests
        Samplers by name.
    test_samples
        Samples of each test.
    """

    title: str
    variants: dict[str, RunConfig]
    tests: dict[str, Choice]
    test_samples: int


def read_study(path: Path) -> Study:
    """Read a study and check all its options.

    Raises
    ------
    OptionError, PluginError
        If something is unknown, missing or wrong.
    """
    table = read_toml(path)
    known = ("title", "test_samples", "run", "variants", "tests")
    refuse_unknown(table, known, f"{path}: unknown setting")
    if not isinstance(table.get("tests"), Mapping) or not table["tests"]:
        raise OptionError(f"{path}: expected at least one table [tests.NAME]")
    samples = table.get("test_samples", 50)
    if not isinstance(samples, int) or samples < 1:
        raise OptionError(f"{path}: test_samples = {samples!r}; expected a number from 1")
    base = table.get("run", {})
    variants = {
        name: resolve(base, changed) for name, changed in table.get("variants", {"": {}}).items()
    }
    sampler = next(iter(variants.values())).sampler.table
    tests = {
        name: Choice.of("sampler", merge(sampler, changed))
        for name, changed in table["tests"].items()
    }
    return Study(str(table.get("title", path.stem)), variants, tests, samples)
