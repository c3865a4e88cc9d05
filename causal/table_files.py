"""Tables on disk: CSV, and Parquet where pyarrow is installed. Knows no learners and no graph.

A file's ending says what it is. What was intervened on in a row is text in its column
`intervention_targets`, several targets separated by ';', in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s2lab.causal.csv_table import NOTHING, SEPARATOR, read_data
from s2lab.causal.data import TARGETS_COLUMN, ContinuousData, InterventionalData
from s2lab.causal.errors import InputError, nearest

PARQUET = (".parquet", ".pq")


def read_frame(path: str | Path, columns: Sequence[str] | None = None) -> Any:
    """Read a file into a DataFrame, its `intervention_targets` column (if any) parsed.

    `columns` are required to be there; other columns are kept. Raises `InputError` naming the file,
    and the line or column, on what cannot be read, and on Parquet without pyarrow.
    """
    if Path(path).suffix.lower() not in PARQUET:
        return read_data(path, columns)
    frame = with_pyarrow(path, "read", lambda pandas: pandas.read_parquet(path, engine="pyarrow"))
    names = [str(name) for name in frame.columns]
    frame.columns = names
    for name in columns or ():
        if name not in names:
            raise InputError(f"{path}: no column {name!r}{nearest(name, names)}")
    if TARGETS_COLUMN in names:
        frame[TARGETS_COLUMN] = [parsed(cell) for cell in frame[TARGETS_COLUMN]]
    return frame


def write_frame(data: InterventionalData | ContinuousData, path: str | Path) -> None:
    """Write rows and targets to a file that `read_frame` reads."""
    frame = data.to_frame(targets=True)
    frame[TARGETS_COLUMN] = [as_text(cell) for cell in frame[TARGETS_COLUMN]]
    if Path(path).suffix.lower() in PARQUET:
        with_pyarrow(path, "write", lambda _: frame.to_parquet(path, engine="pyarrow", index=False))
        return
    try:
        frame.to_csv(path, index=False)
    except OSError as error:
        raise InputError(f"{path}: cannot be written as CSV: {error}") from None


def with_pyarrow(path: str | Path, verb: str, do: Any) -> Any:
    """Do something with a Parquet file; what goes wrong is one line."""
    import pandas

    try:
        return do(pandas)
    except ImportError:
        raise InputError(
            f"{path}: Parquet needs pyarrow, which is not installed; "
            "pip install pyarrow, or use CSV"
        ) from None
    except (OSError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: cannot {verb} Parquet: {reason}") from None


def as_text(cell: Any) -> str | None:
    """Targets of one row as text."""
    return cell if cell is None or isinstance(cell, str) else SEPARATOR.join(cell)


def parsed(cell: Any) -> tuple[str, ...] | None:
    """Targets of one row: text, a list of names, or nothing."""
    if isinstance(cell, str):
        cell = [part.strip() for part in cell.split(SEPARATOR)]
    elif not hasattr(cell, "__iter__"):
        return None
    return tuple(str(part) for part in cell if str(part).lower() not in NOTHING) or None
