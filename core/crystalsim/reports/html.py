"""Pages of HTML that need nothing else: no file, font or script is loaded from anywhere."""

from __future__ import annotations

import base64
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2

_SCALE = 0.55
"""Pixels of the page for one of a figure, which has 200 to the inch."""


class Picture(NamedTuple):
    """A PNG file within a page: its data in base 64, its width [pixel of the page], its caption."""

    data: str
    width: int
    caption: str


class Block(NamedTuple):
    """A part of a page; what is empty is left out.

    Attributes
    ----------
    title
        Heading, or the line that opens a folded part.
    text
        Paragraph of plain text.
    cells
        Table that a click on a heading sorts, the headings first.
    explained
        Headings and what stands below them.
    plain
        Plain text as it is.
    pictures
        Figures.
    folded
        Whether a click opens the part.
    """

    title: str
    text: str = ""
    cells: Sequence[Sequence[str]] = ()
    explained: Sequence[tuple[str, str]] = ()
    plain: str = ""
    pictures: Sequence[Picture] = ()
    folded: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything but the title."""
        return bool(self.text or len(self.cells) > 1 or self.plain or self.pictures)


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("crystalsim.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


def page(title: str, subtitle: str, blocks: Sequence[Block]) -> str:
    """Whole page of some parts, in their order; parts that hold nothing are left out."""
    return _template().render(title=title, subtitle=subtitle, blocks=[b for b in blocks if b])


def picture(path: Path, caption: str) -> Picture:
    """Picture of a PNG file; all have the same scale."""
    raw = path.read_bytes()
    # A PNG starts with its signature, then the width.
    width = round(_SCALE * int.from_bytes(raw[16:20], "big"))
    return Picture(base64.b64encode(raw).decode("ascii"), width, caption)
