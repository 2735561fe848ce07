"""What the suites share: the descriptor, the options, the file format."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import xarray as xr

from ..errors import OptionError
from ..hookspecs import ENTRY_POINT_GROUP
from ..options import describe_options, make_options
from ..registry import Entry, get, registry
from ..storage.netcdf import open as open_dataset
from ..storage.netcdf import write

HEAVY = ("matplotlib", "netCDF4", "numpy", "scipy", "torch", "xarray")
"""What no plugin may import before it is used: every command would start slowly."""


class PluginContract:
    """What all plugins keep.

    Attributes
    ----------
    kind, name
        As in ``crystalsim.get(kind, name)``.
    options
        Options to test with, where the defaults will not do.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}

    def make(self, **changes: Any) -> Any:
        """Make the plugin object, with `changes` to the options of the suite."""
        return get(self.kind, self.name, **{**self.options, **changes})

    def entry(self) -> Entry:
        """Find the plugin."""
        return registry().lookup(self.kind, self.name)

    def options_class(self) -> Any:
        """Import the options dataclass; None for a plugin without options."""
        return registry().options_class(self.kind, self.name)

    def test_is_installed_with_a_summary(self) -> None:
        """The registry finds it, it says in one line what it is, and it can be made."""
        entry = self.entry()
        assert entry in registry().entries(self.kind)
        assert entry.plugin.summary.strip()
        assert "\n" not in entry.plugin.summary
        assert not [p for p in registry().problems if p.distribution == entry.distribution]
        assert isinstance(self.make(), registry().load(self.kind, self.name))

    def test_listing_imports_nothing_heavy(self) -> None:
        """Neither the module with the hooks nor that of the options."""
        entry = self.entry()
        points = importlib.metadata.distribution(entry.distribution).entry_points
        modules = {point.module for point in points.select(group=ENTRY_POINT_GROUP)}
        if entry.plugin.options:
            modules.add(entry.plugin.options.partition(":")[0])
        code = (
            f"import importlib, sys; [importlib.import_module(m) for m in {sorted(modules)}]; "
            f"print(*[m for m in {HEAVY} if m in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == [], f"imported by {sorted(modules)}"

    def test_options_are_frozen_described_and_round_trip(self) -> None:
        """Options -> JSON -> options is the identity, and each has a description."""
        options_class = self.options_class()
        if options_class is None:
            return
        options = make_options(options_class, self.options, where=self.kind)
        written = json.dumps(dataclasses.asdict(options))
        assert make_options(options_class, json.loads(written), where=self.kind) == options
        undescribed = [row[0] for row in describe_options(options_class) if not row[3].strip()]
        assert undescribed == []
        field = dataclasses.fields(options)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(options, field, None)

    def test_objects_show_their_options(self) -> None:
        """`repr` has the class and the value of each option; `Configured` does it."""
        options_class, instance = self.options_class(), self.make()
        if options_class is None:
            return
        options = make_options(options_class, self.options, where=self.kind)
        assert type(instance).__name__ in repr(instance)
        for field in dataclasses.fields(options):
            assert f"{field.name}={getattr(options, field.name)!r}" in repr(instance)

    def test_unknown_options_are_refused_by_name(self) -> None:
        """A misspelt option is an error that names it."""
        with pytest.raises(OptionError, match="no_such_option"):
            self.make(no_such_option=1)


def assert_survives_a_file(dataset: xr.Dataset, path: Path) -> None:
    """Check that a dataset, written and read, is identical, in plain xarray and in ours."""
    write(dataset, path)
    xr.testing.assert_identical(xr.load_dataset(path), dataset)
    xr.testing.assert_identical(open_dataset(path), dataset)


def without_time(dataset: xr.Dataset) -> xr.Dataset:
    """Drop `wall_time`, which no two calls share."""
    return dataset.drop_vars("wall_time", errors="ignore")


def drawn_cases() -> Any:
    """Import the strategies of hypothesis, or skip the test that asks for them."""
    pytest.importorskip("hypothesis", reason="pip install 'crystalsim[testing]'")
    return importlib.import_module(".strategies", __package__)
