"""A table as Markdown, CSV or LaTeX, every name in it escaped for its new home.

Knows no HTML and no files.
"""

import csv
import io
import re

from s2lab.reporting.blocks import Cell, Column, Table
from s2lab.reporting.cells import MINUS, MISSING, as_text, sort_value
from s2lab.stats import Interval

_LATEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "∞": r"$\infty$"},
    **{MINUS: "$-$", MISSING: "--"},
}


def to_markdown(table: Table) -> str:
    """GitHub's pipe table, the caption as a line above it."""
    rows = [
        [column.title for column in table.columns],
        [":--" if column.kind == "text" else "--:" for column in table.columns],
    ]
    lines = ["| " + " | ".join(map(_markdown, rows[0])) + " |", "| " + " | ".join(rows[1]) + " |"]
    for row in table.rows:
        cells = [_markdown(text) for text in _texts(row, table)]
        lines.append("| " + " | ".join(cells) + " |")
    caption = [_markdown(table.caption), ""] if table.caption else []
    return "\n".join([*caption, *lines]) + "\n"


def to_csv(table: Table) -> str:
    """Full precision, units unscaled; an interval takes three columns, what is missing is empty."""
    columns, rows = with_limits(table)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_plain(value) for value in row] for row in rows)
    return out.getvalue()


def with_limits(table: Table) -> tuple[list[str], list[list[str | float | None]]]:
    """Columns and rows for programs: an interval takes three columns, what is missing is None."""
    ranged = [
        any(isinstance(row[place], Interval) for row in table.rows)
        for place in range(len(table.columns))
    ]
    columns: list[str] = []
    for column, wide in zip(table.columns, ranged, strict=True):
        limits = [f"{column.title} low", f"{column.title} high"] if wide else []
        columns += [column.title, *limits]
    rows = []
    for row in table.rows:
        values: list[str | float | None] = []
        for cell, wide in zip(row, ranged, strict=True):
            ends = [cell.low, cell.high] if isinstance(cell, Interval) else [None, None]
            values += [_value(cell), *(map(_value, ends) if wide else [])]
        rows.append(values)
    return columns, rows


def to_latex(table: Table) -> str:
    r"""A `tabular` for the booktabs package."""
    sides = "".join("l" if column.kind == "text" else "r" for column in table.columns)
    lines = [rf"\begin{{tabular}}{{{sides}}}", r"\toprule"]
    lines += [_latex_row([column.title for column in table.columns]), r"\midrule"]
    lines += [_latex_row(_texts(row, table)) for row in table.rows]
    caption = [f"% {_one_line(table.caption)}"] if table.caption else []
    return "\n".join([*caption, *lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _texts(row: tuple[Cell, ...], table: Table) -> list[str]:
    def text(cell: Cell, column: Column) -> str:
        return as_text(cell, column.kind)

    return list(map(text, row, table.columns))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _markdown(text: str) -> str:
    shown = re.sub(r"([\\`*_|\[\]~])", r"\\\1", _one_line(text))
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _latex_row(texts: list[str]) -> str:
    return " & ".join("".join(_LATEX.get(c, c) for c in _one_line(text)) for text in texts) + r" \\"


def _value(cell: Cell) -> str | float | None:
    return cell if isinstance(cell, str) else sort_value(cell)


def _plain(value: str | float | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return repr(int(value) if value.is_integer() else value)
