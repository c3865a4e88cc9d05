"""Read tables and targets from CSV files; errors name file, line and column. Knows no learners.

A column is all whole numbers, all numbers or all text; text cells are category names.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2lab.causal.data import TARGETS_COLUMN
from s2lab.causal.errors import InputError, nearest
from s2lab.causal.regimes import target_set

WHOLE = re.compile(r"[+-]?\d{1,18}")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
NOTHING = {"", "none"}
SEPARATOR = ";"
"""Between several targets of one row."""


@dataclass(frozen=True)
class CsvTable:
    """The cells of one file, checked to be rectangular."""

    path: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    """Line in the file of every row."""

    def column(self, name: str) -> list[str]:
        """Return the cells of one column; a missing one is refused with the nearest name."""
        if name not in self.header:
            raise InputError(f"{self.path} line 1: no column {name!r}{nearest(name, self.header)}")
        at = self.header.index(name)
        return [row[at] for row in self.rows]


def read_table(path: str | Path) -> CsvTable:
    """Read a CSV file with a header line; a ragged line or a repeated name is refused."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            numbered = [(reader.line_num, tuple(c.strip() for c in row)) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV: {error}") from None
    if not numbered:
        raise InputError(f"{path}: empty; expected a header line with column names")
    (_, header), body = numbered[0], numbered[1:]
    for at, name in enumerate(header):
        if not name:
            raise InputError(f"{path} line 1: column {at + 1} has no name")
        if name in header[:at]:
            raise InputError(f"{path} line 1: column {name!r} appears twice")
    for line, row in body:
        if len(row) != len(header):
            raise InputError(
                f"{path} line {line}: {len(row)} cells, expected {len(header)} as in the header"
            )
    if not body:
        raise InputError(f"{path}: no rows below the header")
    lines, rows = zip(*body, strict=True)
    return CsvTable(str(path), header, rows, lines)


def read_data(path: str | Path, columns: Sequence[str] | None = None) -> Any:
    """Read a data file into a DataFrame, its `intervention_targets` column (if any) parsed.

    `columns` are required to be there; other columns are kept. Raises `InputError` naming file,
    line and column for an empty cell and for text in a column of numbers.
    """
    import pandas

    table = read_table(path)
    for name in columns or ():
        table.column(name)
    variables = tuple(name for name in table.header if name != TARGETS_COLUMN)
    frame = pandas.DataFrame({name: typed_column(table, name) for name in variables})
    if TARGETS_COLUMN in table.header:
        targets = parse_targets(table, variables)
        frame[TARGETS_COLUMN] = pandas.Series(targets, dtype=object)
    return frame


def typed_column(table: CsvTable, name: str) -> list[int] | list[float] | list[str]:
    """Return one column as whole numbers, numbers or text, judged on all of its cells."""
    cells = table.column(name)
    for line, cell in zip(table.lines, cells, strict=True):
        if cell.lower() in {"", "nan", "na"}:
            raise InputError(
                f"{table.path} line {line}, column {name!r}: empty cell {cell!r}; "
                "every cell needs a value"
            )
    numeric = [NUMBER.fullmatch(cell) is not None for cell in cells]
    if any(numeric) and not all(numeric):
        odd = numeric.index(False)
        raise InputError(
            f"{table.path} line {table.lines[odd]}, column {name!r}: {cells[odd]!r} is not a "
            "number, other cells are; a column holds numbers only or names only"
        )
    if not any(numeric):
        return cells
    if all(WHOLE.fullmatch(cell) for cell in cells):
        return [int(cell) for cell in cells]
    return [float(cell) for cell in cells]


def read_target_file(
    path: str | Path, variables: Sequence[str], rows: int
) -> list[tuple[str, ...] | None]:
    """Read one target set per data row from the file's `intervention_targets` column.

    A single column may have any name. An empty cell (or `None`) is an observation; several
    targets are separated by ';'. Raises `InputError` on an unknown variable and a wrong length.
    """
    table = read_table_of_targets(path)
    if len(table.rows) != rows:
        raise InputError(f"{path}: {len(table.rows)} targets for {rows} data rows; one line each")
    return parse_targets(table, tuple(variables))


def read_table_of_targets(path: str | Path) -> CsvTable:
    """Read a targets file; a blank line is an observation when the file has a single column."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as CSV: {error}") from None
    lines = text.splitlines()
    if lines and "," not in lines[0]:
        header = lines[0].strip().strip('"')
        cells = tuple((line.strip().strip('"'),) for line in lines[1:])
        return CsvTable(str(path), (header,), cells, tuple(range(2, len(lines) + 1)))
    return read_table(path)


def parse_targets(table: CsvTable, variables: tuple[str, ...]) -> list[tuple[str, ...] | None]:
    """Return the target sets of a table, None where a row is an observation."""
    name = table.header[0] if len(table.header) == 1 else TARGETS_COLUMN
    parsed: list[tuple[str, ...] | None] = []
    for line, cell in zip(table.lines, table.column(name), strict=True):
        names = [part.strip() for part in cell.split(SEPARATOR)]
        wanted = [part for part in names if part.lower() not in NOTHING]
        where = f"{table.path} line {line}, column {name!r}"
        parsed.append(target_set(wanted, variables, where) or None)
    return parsed
