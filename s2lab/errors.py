"""What a user can put right. Knows no command line: the CLI prints the line and exits with 2."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """One line for the terminal: the value, what is allowed, the fix."""


def unknown(kind: str, name: str, known: Iterable[str], listing: str) -> UserError:
    """The error for a name that no registry has: suggests the nearest and says where to look.

    `listing` is the command that prints all names, such as "s2lab list agents".
    """
    spelled = {entry.lower(): entry for entry in sorted(known)}
    near = get_close_matches(name.lower(), spelled, n=1)
    hint = f"; did you mean '{spelled[near[0]]}'?" if near else ""
    return UserError(f"unknown {kind} {name!r}{hint}  ({listing})")
