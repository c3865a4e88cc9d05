"""One self-contained HTML file from sections of blocks, written whole or not at all.

`from s2lab.report import Section, Table, ..., write_report` is all that a command needs.
Knows no runs and no statistics.
"""

from collections.abc import Sequence
from pathlib import Path

from s2lab import durable
from s2lab.errors import UserError
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
from s2lab.reporting.page import render_page

__all__ = [
    "Block",
    "Cell",
    "Code",
    "Column",
    "Facts",
    "Figure",
    "Fold",
    "Headline",
    "Notice",
    "Paragraph",
    "Picture",
    "Row",
    "Section",
    "Table",
    "write_report",
]


def write_report(
    path: str | Path,
    *,
    title: str,
    sections: Sequence[Section],
    subtitle: str = "",
    footer: str = "",
) -> Path:
    """Write the report and return its absolute path; folders on the way are made.

    The file needs no network and no other file. Raises UserError when it cannot be written; an
    older report in its place is untouched then.
    """
    path = Path(path).absolute()
    if path.is_dir():
        raise UserError(f"cannot write the report to {path}: it is a folder; name a file in it")
    text = render_page(title, sections, subtitle=subtitle, footer=footer)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.replace(path, text.encode("utf-8"))
    except OSError as error:
        raise durable.cannot_write(path, error, "choose another place for the report") from error
    return path
