"""What a report is made of: sections of blocks, as plain data.

Knows no HTML: `page` draws blocks for a browser, `tables` writes tables for papers.
"""

import re
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

from s2lab.stats import Interval

Kind = Literal["text", "integer", "amount", "number", "percent", "seconds", "p"]
"""How a column is written: `amount` as 350k, `percent` from a share 0..1, `seconds` as 2 h 05 m,
`p` as a p-value."""

Cell = str | int | float | Interval | None
"""What a cell may hold; None and nan show as a dash."""


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Notice:
    """A sentence that must not be overlooked."""

    text: str
    level: Literal["note", "warning"] = "warning"


@dataclass(frozen=True)
class Column:
    title: str
    kind: Kind = "text"
    hint: str = ""
    """Shown when the pointer rests on the title: what the column means, its unit."""


@dataclass(frozen=True)
class Table:
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"a row has {len(row)} cells for {len(self.columns)} columns: {row!r}"
                )


@dataclass(frozen=True)
class Picture:
    """An SVG drawing, checked to be well formed and to neither run nor fetch anything."""

    svg: str
    caption: str = ""
    narrow: str | None = None
    """The same drawing for screens below 640 pixels; without one the drawing shrinks."""

    def __post_init__(self) -> None:
        for drawing in (self.svg, self.narrow):
            if drawing is not None:
                _check_drawing(drawing)


@dataclass(frozen=True)
class Code:
    """Text to read or copy as it is: a command, a configuration."""

    text: str
    title: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Figure:
    """One number of the headline."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True)
class Headline:
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Facts:
    """Names and values, one a line: versions, the machine."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Row:
    """Blocks side by side where the screen is wide enough."""

    blocks: tuple["Block", ...]


@dataclass(frozen=True)
class Fold:
    """Blocks behind a title that opens; always open on paper."""

    title: str
    blocks: tuple["Block", ...]


Block = Paragraph | Notice | Table | Picture | Code | Headline | Facts | Row | Fold


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


_NEVER_IN_A_DRAWING = frozenset(
    {"script", "foreignobject", "iframe", "image", "use", "a", "animate", "set", "handler"}
)

_STYLED = frozenset(
    {"style", "fill", "stroke", "filter", "mask", "clip-path", "cursor"}
    | {"marker", "marker-start", "marker-mid", "marker-end"}
)
_FETCH = re.compile(r"url\(\s*(?!['\"]?#)|@import", re.IGNORECASE)


def _check_drawing(svg: str) -> None:
    if "<!" in svg.replace("<!--", ""):
        raise ValueError("an SVG drawing must not have a DOCTYPE or entities")
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise ValueError(f"an SVG drawing is not well formed: {error}") from error
    if _local(root.tag) != "svg":
        raise ValueError(f"expected an <svg> drawing, got <{_local(root.tag)}>")
    for node in root.iter():
        if _local(node.tag) in _NEVER_IN_A_DRAWING:
            raise ValueError(f"an SVG drawing must not contain <{_local(node.tag)}>")
        for name, value in node.attrib.items():
            fetches = _local(name) in _STYLED and _FETCH.search(value)
            if _local(name).startswith("on") or _local(name) == "href" or fetches:
                raise ValueError(f"an SVG drawing must not contain {_local(name)}={value!r}")
        if _local(node.tag) == "style" and _FETCH.search(node.text or ""):
            raise ValueError("an SVG drawing must not fetch anything from its <style>")


def _local(name: object) -> str:
    return str(name).rpartition("}")[2].lower()
