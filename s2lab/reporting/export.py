"""A comparison on its way out: the page, the tables as files, the terminal. Computes nothing."""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid

from s2lab import __version__, durable
from s2lab.errors import UserError
from s2lab.report import write_report
from s2lab.reporting.blocks import Table
from s2lab.reporting.cells import as_text
from s2lab.reporting.comparison import Comparison
from s2lab.reporting.comparison_page import comparison_sections
from s2lab.reporting.comparison_tables import comparison_tables
from s2lab.reporting.tables import to_csv, to_latex, to_markdown

UNWRAPPED = 10_000  # columns of an output that is no terminal: programs read whole lines
FORMS = {"csv": to_csv, "tex": to_latex, "md": to_markdown}


def write_comparison(comparison: Comparison, path: Path) -> Path:
    """The self-contained HTML report; returns its absolute path.

    Raises:
        UserError: the file cannot be written.
    """
    return write_report(
        path,
        title=" and ".join(comparison.environments[:3]),
        subtitle=f"{', '.join(comparison.labels)}, by {comparison.by}",
        sections=comparison_sections(comparison),
        footer=f"s2lab {__version__}",
    )


def write_tables(comparison: Comparison, folder: Path) -> list[Path]:
    """Every table as CSV, LaTeX and Markdown; returns the files.

    Raises:
        UserError: a file cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in comparison_tables(comparison).items():
            for ending, form in FORMS.items():
                path = folder / f"{name}.{ending}"
                durable.replace(path, form(table).encode())
                written.append(path)
    except FileExistsError:
        raise UserError(f"--tables {folder} is a file; name a folder") from None
    except OSError as error:
        raise durable.cannot_write(folder, error, "name another folder") from error
    return written


def print_comparison(comparison: Comparison) -> None:
    """Tables, findings and warnings on standard output; single runs are for pages and files."""
    width = None if sys.stdout.isatty() else UNWRAPPED
    console = Console(highlight=False, markup=False, width=width)
    for name, table in comparison_tables(comparison).items():
        if name != "runs":
            console.print(grid(table), "")
    for line in (*comparison.verdicts, *(f"warning: {text}" for text in comparison.warnings)):
        console.print(line)


def grid(table: Table) -> Grid:
    """The table for a terminal."""
    shown = Grid(title=table.caption or None, title_justify="left", box=None, pad_edge=False)
    for column in table.columns:
        text = column.kind == "text"  # numbers wrap before names are cut
        shown.add_column(column.title, justify="left" if text else "right", no_wrap=text)
    for row in table.rows:
        shown.add_row(
            *(as_text(cell, column.kind) for cell, column in zip(row, table.columns, strict=True))
        )
    return shown
