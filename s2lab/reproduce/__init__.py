"""One file per published table. Knows only their names; a table's file loads when it is asked for.

Each file has `reproduce(*, quick: bool, seeds: Sequence[int]) -> int`, an exit code.
"""

# Name of the reproduction (and of its file here) -> what it re-measures.
REPRODUCTIONS: dict[str, str] = {}

__all__ = ["REPRODUCTIONS"]
