"""What the causal room says about bad input. Knows no graph and no data."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Input that cannot be used: one line with the value, what is allowed and the fix."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the closest allowed name, else the list of all of them."""
    names = list(allowed)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}"
