"""How a function becomes a command: parsed first, called afterwards. Knows no command."""

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import tyro

P = ParamSpec("P")
R = TypeVar("R")

app = tyro.extras.SubcommandApp()


def command(name: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a function. Parsing yields the call, so that complaints about words on the command
    line are told apart from what the command itself prints."""

    def register(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def parsed(*args: P.args, **kwargs: P.kwargs) -> functools.partial[R]:
            return functools.partial(function, *args, **kwargs)

        app.command(name=name or function.__name__)(parsed)
        return function

    return register


_said: list[str] = []


def note_words(words: Sequence[str]) -> None:
    """Remember what was said on the command line."""
    _said[:] = words


def last_words() -> list[str]:
    """What was said, for those that must say it again elsewhere."""
    return list(_said)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2))
