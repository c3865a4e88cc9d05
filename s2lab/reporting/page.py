"""Blocks as HTML: one page that carries its style, script and drawings, and fetches nothing.

The page forbids itself everything else by its Content-Security-Policy. Knows no files and no runs.
"""

from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files

from s2lab.reporting.blocks import (
    Block,
    Cell,
    Code,
    Column,
    Facts,
    Figure,
    Fold,
    Headline,
    Notice,
    Paragraph,
    Picture,
    Row,
    Section,
    Table,
)
from s2lab.reporting.cells import limits_text, sort_value, value_text
from s2lab.reporting.markup import Markup, element, join


def render_page(title: str, sections: Sequence[Section], *, subtitle: str, footer: str) -> str:
    """The whole document as text."""
    script = _asset("page.js")
    head = join(
        element("meta", {"charset": "utf-8"}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": _policy(script)}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("link", {"rel": "icon", "href": "data:,"}),
        element("title", None, title),
        element("style", None, Markup(_asset("page.css"))),
    )
    body = element(
        "body",
        None,
        element("main", None, _header(title, subtitle, sections), *_sections(sections)),
        element("footer", None, footer) if footer else Markup(),
        element("script", None, Markup(script)),
    )
    return (
        f"<!doctype html>\n{element('html', {'lang': 'en'}, element('head', None, head), body)}\n"
    )


def _policy(script: str) -> str:
    digest = b64encode(sha256(script.encode()).digest()).decode()
    allowed = f"script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


@cache
def _asset(name: str) -> str:
    return files("s2lab.reporting").joinpath(name).read_text(encoding="utf-8")


def _header(title: str, subtitle: str, sections: Sequence[Section]) -> Markup:
    links = [
        element("a", {"href": f"#section-{place}"}, section.title)
        for place, section in enumerate(sections, 1)
    ]
    return element(
        "header",
        None,
        element("h1", None, title),
        element("p", {"class": "subtitle"}, subtitle) if subtitle else Markup(),
        element("nav", {"aria-label": "Contents"}, *links) if len(links) > 2 else Markup(),
    )


def _sections(sections: Sequence[Section]) -> list[Markup]:
    return [
        element(
            "section",
            {"id": f"section-{place}"},
            element("h2", None, section.title),
            *map(render_block, section.blocks),
        )
        for place, section in enumerate(sections, 1)
    ]


def render_block(block: Block) -> Markup:
    """One block as HTML, every string in it escaped."""
    match block:
        case Paragraph(text):
            return element("p", None, text)
        case Notice(text, level):
            mark = element("b", None, "Warning: " if level == "warning" else "Note: ")
            return element("p", {"class": f"notice {level}", "role": "note"}, mark, text)
        case Headline(figures):
            return element("dl", {"class": "headline"}, *map(_figure, figures))
        case Facts(items):
            pairs = [join(element("dt", None, k), element("dd", None, v)) for k, v in items]
            return element("dl", {"class": "facts"}, *pairs)
        case Row(blocks):
            return element("div", {"class": "row"}, *map(render_block, blocks))
        case Fold(title, blocks):
            return _fold(title, *map(render_block, blocks))
        case Code(text, title, folded):
            return _code(text, title, folded)
        case Picture():
            return _picture(block)
        case Table():
            return _table(block)


def _figure(figure: Figure) -> Markup:
    return element(
        "div",
        None,
        element("dt", None, figure.label),
        element("dd", {"class": "value"}, figure.value),
        element("dd", {"class": "remark"}, figure.note) if figure.note else Markup(),
    )


def _fold(title: str, *children: Markup) -> Markup:
    return element("details", None, element("summary", None, title), *children)


def _code(text: str, title: str, folded: bool) -> Markup:
    code = element("pre", {"tabindex": "0"}, element("code", None, text))
    if folded:
        return _fold(title or "Show", code)
    return join(element("p", {"class": "over"}, title), code) if title else code


def _picture(picture: Picture) -> Markup:
    kind = "wide" if picture.narrow else "scroll drawing"
    drawings = [element("div", {"class": kind}, Markup(picture.svg))]
    if picture.narrow:
        drawings.append(element("div", {"class": "narrow"}, Markup(picture.narrow)))
    caption = element("figcaption", None, picture.caption) if picture.caption else Markup()
    return element("figure", None, *drawings, caption)


def _table(table: Table) -> Markup:
    head = element("tr", None, *map(_heading, table.columns))
    rows = [
        element("tr", None, *map(_cell, row, table.columns, range(len(row)))) for row in table.rows
    ]
    grid = element(
        "table",
        None,
        element("thead", None, head),
        element("tbody", None, *rows),
    )
    name = table.caption or "table"
    scroll = {"class": "scroll", "tabindex": "0", "role": "group", "aria-label": name}
    caption = element("figcaption", None, table.caption) if table.caption else Markup()
    return element("figure", {"class": "table"}, caption, element("div", scroll, grid))


def _heading(column: Column) -> Markup:
    title = column.title.replace(" %", "\N{NO-BREAK SPACE}%")
    button = element("button", {"type": "button", "title": column.hint or None}, title)
    return element("th", {"scope": "col", "class": _side(column)}, button)


def _cell(cell: Cell, column: Column, place: int) -> Markup:
    limits = limits_text(cell, column.kind)
    order = sort_value(cell)
    attributes = {
        "class": _side(column),
        "data-order": None if order is None else repr(order),
        "scope": "row" if place == 0 else None,
    }
    value = value_text(cell, column.kind)
    children = [value, " ", element("span", {"class": "limits"}, limits)] if limits else [value]
    return element("th" if place == 0 else "td", attributes, *children)


def _side(column: Column) -> str | None:
    return None if column.kind == "text" else "number"
