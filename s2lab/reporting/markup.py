"""Markup that is safe by construction: plain strings are escaped, only `Markup` passes as it is.

Knows no pages, no charts and no styles.
"""

import re
from collections.abc import Mapping
from html import escape

# What neither XML nor HTML can hold: control characters, lone surrogates of odd file names.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_VOID = frozenset({"br", "link", "meta"})

Attributes = Mapping[str, str | float | bool | None]


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def escaped(text: str) -> Markup:
    """Any text as markup that shows it; characters no document can hold become U+FFFD."""
    return text if isinstance(text, Markup) else Markup(escape(_UNPRINTABLE.sub("\ufffd", text)))


def join(*children: str, by: str = "") -> Markup:
    return Markup(by.join(escaped(child) for child in children))


def element(name: str, attributes: Attributes | None = None, *children: str) -> Markup:
    """One element. Attributes that are None or False are left out, True stands alone."""
    written = "".join(
        f" {key}" if value is True else f' {key}="{escaped(_number(value))}"'
        for key, value in (attributes or {}).items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")


def _number(value: str | float) -> str:
    """Coordinates to a hundredth of a pixel: the file stays small and the same on every machine."""
    if isinstance(value, str):
        return value
    text = f"{float(value):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
