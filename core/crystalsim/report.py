"""A run as one page of HTML that needs nothing else: tables, figures, configuration."""

from __future__ import annotations

import base64
import csv
import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

import numpy as np

from . import __version__, store
from .errors import StoreError
from .summary import COLUMNS, Column

CAPTIONS = {
    "gallery": "Best, median and worst test sample: crystals, speed by solver and model, error.",
    "relative_l2_by_count": "Error of the velocity by number of crystals; band: 5th to 95th "
    "percentile.",
    "crystal_velocity_error_by_count": "Error of crystals' velocities by number of crystals.",
    "sample_median": "The median test sample.",
    "sample_worst": "The worst test sample.",
    "history": "Losses over epochs.",
}
"""What figures show, by the name of their file."""

_WORST = 10

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; margin: 0 auto; max-width: 70rem;
  padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
p { margin: .25rem 0 .75rem; color: #444; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid #e3e3e3; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th button { all: unset; cursor: pointer; font-weight: 600; }
th button:focus-visible { outline: 2px solid #0072b2; }
figure { margin: 1.5rem 0; }
img { max-width: 100%; height: auto; }
figcaption { color: #444; font-size: .9rem; }
summary { cursor: pointer; font-weight: 600; margin-top: 2rem; }
pre { overflow-x: auto; background: #f5f5f5; padding: .75rem; font-size: .85rem; }
</style>
</head>
<body>
<h1>$title</h1>
<p>$subtitle</p>
$body
<script>
document.querySelectorAll("table").forEach(function (table) {
  table.querySelectorAll("th").forEach(function (head, column) {
    head.firstElementChild.addEventListener("click", function () {
      var up = head.getAttribute("aria-sort") !== "ascending";
      table.querySelectorAll("th").forEach(function (h) { h.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      var rows = Array.from(table.tBodies[0].rows);
      rows.sort(function (a, b) {
        var x = a.cells[column].textContent, y = b.cells[column].textContent;
        var p = parseFloat(x), q = parseFloat(y);
        var order = isNaN(p) || isNaN(q) ? x.localeCompare(y) : p - q;
        return up ? order : -order;
      });
      rows.forEach(function (row) { table.tBodies[0].appendChild(row); });
    });
  });
});
</script>
</body>
</html>
""")


def make_report(run: Path) -> str:
    """Page of a finished run.

    Parameters
    ----------
    run
        Folder of the run.

    Returns
    -------
    str
        HTML with everything inside: no file, font or script is loaded from anywhere.

    Raises
    ------
    StoreError
        If the folder holds no finished run.
    """
    if not (run / "summary.txt").is_file():
        raise StoreError(f"{run}: no finished run; expected the folder of `crystalsim run`")
    heading = (run / "summary.txt").read_text(encoding="utf-8").splitlines()[0]
    with (run / "summary.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    body = [
        _section("Results", _results(header, rows)),
        _section("Worst samples", _worst(run)),
        *(_figure(path) for path in _in_order((run / "figures").glob("*.png"))),
        _folded("Configuration", (run / "config.toml").read_text(encoding="utf-8")),
        _folded("Provenance", _provenance(run)),
    ]
    return _PAGE.substitute(
        title=html.escape(f"crystalsim: {run.resolve().name}"),
        subtitle=html.escape(heading),
        body="\n".join(body),
    )


def _section(title: str, content: str) -> str:
    return f"<h2>{html.escape(title)}</h2>\n{content}" if content else ""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th><button type="button">{html.escape(h)}</button></th>' for h in header)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _results(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of the table that the run printed, where any row has a value."""
    columns = [
        column
        for column in COLUMNS
        if column.key in header and any(row[header.index(column.key)] for row in rows)
    ]

    def show(row: Sequence[str], column: Column) -> str:
        text = row[header.index(column.key)]
        return f"{column.factor * float(text):{column.form}}" if text else ""

    return _table(
        ["model", *(column.heading for column in columns)],
        [[row[0], *(show(row, column) for column in columns)] for row in rows],
    )


def _worst(run: Path) -> str:
    """Samples with the largest error of the trained model, with what is in them."""
    scores = next(
        (
            dataset
            for path in sorted((run / "scores").glob("*.nc"))
            if "relative_l2" in (dataset := store.read_file(path))
            and path.stem.endswith(_trained(run))
        ),
        None,
    )
    if scores is None:
        return ""
    errors = scores["relative_l2"].values
    order = [int(i) for i in np.argsort(-np.nan_to_num(errors, nan=-1.0))[:_WORST]]
    rows = [
        [
            str(int(scores["sample"].values[i])),
            f"{100 * errors[i]:.4g}",
            str(int(scores["crystal_count"].values[i])),
        ]
        for i in order
    ]
    return _table(["sample", "relative L2 of the velocity %", "crystals"], rows)


def _trained(run: Path) -> str:
    from .options import read_toml

    return "-" + str(read_toml(run / "config.toml")["model"]["plugin"]).replace("/", "-")


def _in_order(paths: Iterable[Path]) -> list[Path]:
    """Figures that have a caption first, in the order of the captions."""
    known = list(CAPTIONS)
    return sorted(
        paths, key=lambda p: (known.index(p.stem) if p.stem in known else len(known), p.stem)
    )


def _figure(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    caption = html.escape(CAPTIONS.get(path.stem, path.stem.replace("_", " ")))
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _folded(title: str, text: str) -> str:
    return (
        f"<details><summary>{html.escape(title)}</summary><pre>{html.escape(text)}</pre></details>"
    )


def _provenance(run: Path) -> str:
    lines = [f"report made by crystalsim {__version__}"]
    for path in sorted((run / "predictions").glob("*.nc")):
        lines.append(f"\n{path.relative_to(run)}")
        attributes = store.read_file(path).attrs
        lines += [f"  {name}: {value}" for name, value in attributes.items()]
    return "\n".join(lines)
