"""Fields of a configuration by dotted name, such as ppo.lr or core.hidden_size: typed and checked.

Knows no search and no files.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from itertools import product
from typing import Any, TypeVar

from s2lab.config import RunConfig
from s2lab.errors import UserError, unknown

C = TypeVar("C", bound=RunConfig)
NESTED = ("ppo", "encoder")
"""Fields that are configurations themselves."""
OPEN = ("core", "options")
"""Fields that take any name; whoever reads them checks it."""
FIXED = ("env", "seed", "imports", "device", "start", "demos")
"""Fields that name a run rather than set it."""


def setting_type(config: RunConfig, name: str) -> type | None:
    """int, float, bool or str; None where any may be meant.

    Raises:
        UserError: the configuration has no such field.
    """
    head, _, tail = name.partition(".")
    known = _known(config)
    if head in OPEN and hasattr(config, head) and tail:
        return None
    if name not in known:
        raise unknown("setting", name, known, "any field of config.yaml, ppo.*, encoder.*, core.*")
    kind = known[name]
    return kind if kind in (int, float, bool) else str


def with_settings(config: C, chosen: Mapping[str, Any]) -> C:
    """The configuration with all of these set at once.

    Raises:
        UserError: an unknown field, or values that do not go together.
    """
    changes: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    for name, value in chosen.items():
        setting_type(config, name)
        head, _, tail = name.partition(".")
        if tail:
            parts.setdefault(head, {})[tail] = value
        else:
            changes[name] = value
    try:
        for head, values in parts.items():
            now = getattr(config, head)
            changes[head] = {**now, **values} if head in OPEN else replace(now, **values)
        return replace(config, **changes)
    except ValueError as error:
        raise UserError(str(error)) from None


def settings_of(config: RunConfig) -> dict[str, Any]:
    """Every setting by its dotted name, those that name a run left out."""
    found: dict[str, Any] = {}
    for name in _known(config):
        head, _, tail = name.partition(".")
        found[name] = getattr(getattr(config, head), tail) if tail else getattr(config, name)
    for head in OPEN:
        chosen = getattr(config, head, {})
        found |= {f"{head}.{name}": value for name, value in chosen.items()}
    return found


def every_combination(config: C, words: Mapping[str, str]) -> list[C]:
    """One configuration for each combination of the values, which commas separate.

    Raises:
        UserError: an unknown field, a value of the wrong type, or values that do not go together.
    """
    values = []
    for name, text in words.items():
        kind = setting_type(config, name)
        try:
            values.append([parse_word(word.strip(), kind) for word in text.split(",")])
        except UserError as error:
            raise UserError(f"setting {name}: {error}") from None
    return [
        with_settings(config, dict(zip(words, chosen, strict=True))) for chosen in product(*values)
    ]


def parse_word(text: str, kind: type | None) -> Any:
    """A value from the command line; without a type what it looks like.

    Raises:
        UserError: it is not of that type.
    """
    kinds: tuple[Any, ...] = (kind,) if kind else (bool, int, float, str)
    for each in kinds:
        try:
            if each is bool:
                return {"true": True, "false": False}[text.lower()]
            return each(text)
        except (KeyError, ValueError):
            continue
    word = {int: "a whole number", float: "a number", bool: "true or false"}[kinds[0]]
    raise UserError(f"{text!r} must be {word}")


def _known(config: RunConfig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in fields(config):
        if entry.name in NESTED:
            inner = fields(getattr(config, entry.name))
            found |= {f"{entry.name}.{field.name}": field.type for field in inner}
        elif entry.name not in (*OPEN, *FIXED):
            found[entry.name] = entry.type
    return found
