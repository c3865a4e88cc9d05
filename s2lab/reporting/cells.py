"""How a cell reads: numbers to the digits they deserve. Knows no HTML, no Markdown."""

from math import isfinite, isnan

from s2lab.reporting.blocks import Cell, Kind
from s2lab.stats import Interval

MISSING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def as_text(cell: Cell, kind: Kind) -> str:
    """The whole cell in one line, limits in brackets."""
    limits = limits_text(cell, kind, ", ")
    return f"{value_text(cell, kind)} [{limits}]" if limits else value_text(cell, kind)


def value_text(cell: Cell, kind: Kind) -> str:
    """The value without its limits."""
    if isinstance(cell, str):
        return cell
    value = sort_value(cell)
    if value is None:
        return MISSING
    return f"{_digits(value, kind)} %" if kind == "percent" else _digits(value, kind)


def limits_text(cell: Cell, kind: Kind, between: str = " to ") -> str:
    """The limits of an interval, `74.1 to 88.9`; empty where there are none."""
    if not isinstance(cell, Interval) or isnan(cell.low) or isnan(cell.high):
        return ""
    return f"{_digits(cell.low, kind)}{between}{_digits(cell.high, kind)}"


def sort_value(cell: Cell) -> float | None:
    """What the cell is ordered by; None for text and for what is missing."""
    if cell is None or isinstance(cell, str):
        return None
    value = cell.estimate if isinstance(cell, Interval) else float(cell)
    return None if isnan(value) else value


def _digits(value: float, kind: Kind) -> str:
    if not isfinite(value):
        return MISSING if isnan(value) else "∞" if value > 0 else f"{MINUS}∞"
    if kind == "percent":
        text = f"{100 * value:.1f}"
    elif kind == "integer":
        text = f"{value:,.0f}"
    elif kind == "amount":
        text = short(value)
    elif kind == "seconds":
        text = duration(value)
    elif kind == "p":
        text = f"{value:.3f}" if value >= 0.001 else "< 0.001"
    else:
        size = abs(value)
        text = f"{value:,.{3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0}f}"
    return text.replace("-", MINUS)


def short(value: float) -> str:
    """350k, 1.25M: three digits at most and no trailing zeros."""
    for unit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit * 0.9995:
            return f"{value / unit:.3g}{suffix}" if abs(value) < unit * 999.5 else f"{value:,.0f}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """41.2 s, 3 m 07 s, 2 h 05 m."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} m"
