"""Pages of HTML that need nothing else: no file, font or script is loaded from anywhere."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

_SCALE = 0.55
"""Pixels of the page for one of a figure, which has 200 to the inch."""

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
        if (isNaN(p) !== isNaN(q)) { return isNaN(p) ? 1 : -1; }
        var order = isNaN(p) ? x.localeCompare(y) : p - q;
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


def page(title: str, subtitle: str, body: Iterable[str]) -> str:
    """Whole page of some parts."""
    return _PAGE.substitute(
        title=html.escape(title), subtitle=html.escape(subtitle), body="\n".join(body)
    )


def section(title: str, content: str) -> str:
    """Heading and content; nothing where there is no content."""
    return f"<h2>{html.escape(title)}</h2>\n{content}" if content else ""


def paragraph(text: str) -> str:
    """Paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Table that a click on a heading sorts."""
    head = "".join(f'<th><button type="button">{html.escape(h)}</button></th>' for h in header)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def figure(path: Path, caption: str) -> str:
    """Picture of a PNG file, within the page."""
    raw = path.read_bytes()
    data = base64.b64encode(raw).decode("ascii")
    caption = html.escape(caption)
    # A PNG starts with its signature, then the width: show every figure at the same scale.
    width = round(_SCALE * int.from_bytes(raw[16:20], "big"))
    return (
        f'<figure><img alt="{caption}" width="{width}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def folded(title: str, content: str) -> str:
    """Content behind a line that opens it."""
    return f"<details><summary>{html.escape(title)}</summary>{content}</details>"


def preformatted(text: str) -> str:
    """Plain text as it is."""
    return f"<pre>{html.escape(text)}</pre>"
