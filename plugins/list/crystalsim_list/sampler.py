"""Read crystals from options, a CSV table or a TOML file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from crystalsim import Configured, Grid, make_cases
from crystalsim.datasets.crystals import read_crystal
from crystalsim.errors import PlacementError, SchemaError
from crystalsim.options import read_toml

from .plugin import ListOptions

RESULTS = (
    "crystal",
    "crystal_velocity_x",
    "crystal_velocity_z",
    "crystal_angular_velocity",
)
"""Columns that ``crystalsim export`` adds and that decide nothing: number and motion."""


class ListSampler(Configured[ListOptions]):
    """Gives the crystals that are listed; nothing is random.

    Parameters
    ----------
    options
        See ``crystalsim describe sampler list``.
    """

    options_class = ListOptions

    def sample(self, count: int | None = None, *, seed: int = 0) -> xr.Dataset:
        """Give the first `count` samples of the list (all if None); the seed has no effect."""
        samples: list[list[dict[str, float]]] = []
        for where, row in self._rows():
            number, crystal = self._crystal(where, row)
            while len(samples) <= number:
                samples.append([])
            samples[number].append(crystal)
        if count is not None and count > len(samples):
            source = self.options.file or "the option crystals"
            raise PlacementError(f"{source} lists {len(samples)} samples, {count} were asked for")
        if not samples:
            raise SchemaError(f"{self.options.file}: lists no crystals")
        grid = Grid.from_options(self.options)
        try:
            return make_cases(samples[:count], grid, self.options, attributes={"seed": seed})
        except SchemaError as error:
            raise SchemaError(f"{self.options.file or 'crystals'}: {error}") from None

    def _rows(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        if not self.options.file:
            for k, crystal in enumerate(self.options.crystals):
                yield f"crystals[{k}]", crystal
            return
        path = Path(self.options.file)
        if path.suffix == ".toml":
            tables = read_toml(path).get("crystals")
            if not isinstance(tables, list) or not tables:
                raise SchemaError(f"{path}: expected [[crystals]] tables")
            for k, crystal in enumerate(tables):
                yield f"{path}: crystals[{k}]", crystal
            return
        if path.suffix != ".csv":
            raise SchemaError(f"{path}: expected a file that ends in .csv or .toml")
        try:
            # The signature is what spreadsheets put before the first column.
            with path.open(newline="", encoding="utf-8-sig") as file:
                yield from _table(path, file)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise SchemaError(f"{path}: {getattr(error, 'strerror', None) or error}") from None

    def _crystal(self, where: str, row: Any) -> tuple[int, dict[str, float]]:
        """Sample and properties of a crystal."""
        if not isinstance(row, Mapping):
            raise SchemaError(f"{where}: {row!r}; expected a table with x, z, radius ...")
        said = {name: value for name, value in row.items() if name not in RESULTS}
        text = said.pop("sample", 0)
        try:
            number = -1.0 if isinstance(text, bool) else float(text)
        except (TypeError, ValueError):
            number = -1.0
        if not 0 <= number <= 10**6 or number != int(number):
            raise SchemaError(f"{where}: sample = {text!r}; expected a whole number from 0")
        return int(number), read_crystal(said, self.options, where)


def _table(path: Path, lines: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the rows of a CSV table by column name, without empty values."""
    reader = csv.reader(lines, strict=True)
    header = [name.strip() for name in next(reader, [])]
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise SchemaError(f"{path}, line 1: column '{twice[0]}' occurs more than once")
    for row in reader:
        if len(row) > len(header):
            raise SchemaError(
                f"{path}, line {reader.line_num}: {len(row)} values for {len(header)} columns"
            )
        values = {name: text for name, text in zip(header, row, strict=False) if text.strip()}
        if values:
            yield f"{path}, line {reader.line_num}", values
