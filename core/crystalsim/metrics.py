"""What an evaluator declares of its scores: what they mean, how tables show them, what draws them.

The declarations travel with the scores as attributes of their files, so that tables and reports of
a file need no plugin. Light: nothing heavy is imported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

from .errors import SchemaError

__all__ = ["Column", "MILLISECONDS", "Metric", "PERCENT", "ScoreFigure", "Unit"]

Better = Literal["low", "high", "none"]
Role = Literal["", "primary", "alternative_time"]
Statistic = Literal["mean", "median", "p95", "worst"]


class Unit(NamedTuple):
    """A unit to show values in: `label`, and the SI value of one of it."""

    label: str
    size: float


PERCENT = Unit("%", 0.01)
"""Unit of ratios that are shown in percent."""
MILLISECONDS = Unit("ms", 1e-3)
"""Unit of short times [s]."""


class Column(NamedTuple):
    """How tables of results show a metric.

    Attributes
    ----------
    heading
        Heading of the first column; the unit is put behind it.
    form
        Format of the numbers, such as ``".3g"``.
    statistics
        What of the values is shown, a column each.
    """

    heading: str
    form: str = ".3g"
    statistics: tuple[Statistic, ...] = ("mean",)


@dataclass(frozen=True)
class Metric:
    """Definition of a score.

    Attributes
    ----------
    long_name
        Name for tables and axes.
    units
        SI units, ``"1"`` for a ratio.
    description
        The exact definition.
    better
        Whether a ``"low"`` or a ``"high"`` value is the better one; ``"none"`` for an input or a
        context, which is no score and has no worst sample.
    shown
        Unit in which people see the values; the SI units where it is None.
    column
        Columns of the tables of results; None for a metric that these leave out.
    role
        ``"primary"`` for the error that contestants and samples are ranked by, and that studies and
        comparisons show; ``"alternative_time"`` for the time [s] that the result would cost without
        the prediction, against which tables set the time of training.
    beside
        Name of the score of the same dataset that says what the reference itself has.
    quoted
        Means that others published, by the label of their row in the table of results.

    Raises
    ------
    SchemaError
        If one of the values is none of those that are allowed.
    """

    long_name: str
    units: str
    description: str
    better: Better
    shown: Unit | None = None
    column: Column | None = None
    role: Role = ""
    beside: str = ""
    quoted: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        statistics = self.column.statistics if self.column else ()
        for name, values, known in (
            ("better", (self.better,), get_args(Better)),
            ("role", (self.role,), get_args(Role)),
            ("statistics", statistics, get_args(Statistic)),
        ):
            for value in values:
                if value not in known:
                    expected = ", ".join(map(repr, known))
                    raise SchemaError(
                        f"metric '{self.long_name}': {name} = {value!r}; expected one of {expected}"
                    )
        if self.role == "primary" and self.better != "low":
            raise SchemaError(
                f"metric '{self.long_name}': better = {self.better!r}; expected 'low' of a primary "
                "metric, which is an error"
            )
        # Files come from anywhere: no format that fills the memory with blanks.
        if self.column and not re.fullmatch(r"\.\d{1,2}[efg]", self.column.form):
            raise SchemaError(
                f"metric '{self.long_name}': form = {self.column.form!r}; expected one such as "
                "'.3g'"
            )

    @property
    def unit(self) -> Unit:
        """Unit in which people see the values, without a label for a ratio."""
        return self.shown or Unit("" if self.units == "1" else self.units, 1.0)

    @property
    def label(self) -> str:
        """Long name with the unit in brackets, for axes and headings."""
        return f"{self.long_name} [{self.unit.label}]" if self.unit.label else self.long_name

    def text(self, value: float, form: str = ".4g") -> str:
        """Number of a value [SI] in the unit that is shown."""
        return format(value / self.unit.size, form)

    def attributes(self) -> dict[str, Any]:
        """Attributes of the score in its dataset; see `Metric.from_attributes`."""
        attributes: dict[str, Any] = {
            name: getattr(self, name) for name in ("long_name", "units", "description", "better")
        }
        if self.shown:
            attributes |= {"shown_units": self.shown.label, "shown_size": self.shown.size}
        if self.column:
            attributes |= {"column_heading": self.column.heading, "column_format": self.column.form}
            attributes["column_statistics"] = " ".join(self.column.statistics)
        attributes |= {name: text for name in ("role", "beside") if (text := getattr(self, name))}
        if self.quoted:
            attributes["quoted"] = json.dumps(dict(self.quoted))
        return attributes

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> Metric:
        """Declaration that the attributes of a score hold.

        Raises
        ------
        SchemaError
            If one is missing or wrong.
        """
        shown = column = None
        try:
            if "shown_units" in attributes:
                shown = Unit(str(attributes["shown_units"]), float(attributes["shown_size"]))
            if "column_heading" in attributes:
                column = Column(
                    str(attributes["column_heading"]),
                    str(attributes["column_format"]),
                    tuple(str(attributes["column_statistics"]).split()),  # type: ignore[arg-type]
                )
            return cls(
                str(attributes["long_name"]),
                str(attributes["units"]),
                str(attributes["description"]),
                attributes["better"],
                shown,
                column,
                attributes.get("role", ""),
                str(attributes.get("beside", "")),
                {k: float(v) for k, v in json.loads(attributes.get("quoted", "{}")).items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            name = attributes.get("long_name", "without 'long_name'")
            raise SchemaError(
                f"metric '{name}': attributes are missing or wrong: {error}"
            ) from None


class ScoreFigure(NamedTuple):
    """A figure that an evaluator offers of its scores.

    Attributes
    ----------
    name
        Name of the file, without its ending.
    target
        ``"package.module:function"``, imported only to draw. It takes the scores of each contestant
        by name, and the name of `metric`, and returns a `matplotlib.figure.Figure`.
    metric
        Score that is drawn; contestants without a finite value of it are left out.
    caption
        What the figure shows, a sentence for the report.
    order
        Place in the report, the smallest first. The gallery has 10, samples have 80.
    """

    name: str
    target: str
    metric: str
    caption: str
    order: int = 50
