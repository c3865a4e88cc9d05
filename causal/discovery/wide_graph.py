"""The graph of very many variables from very many rows, by tests instead of scores.

With rows by the million, a variable's parents are whoever is not independent of it given the others
(`stratified`), and a score that pays per pass over the rows is too slow. Parents are first sought
among those before a variable in the order of effects, then edges turn whose direction no
intervention proved, then everybody who is no descendant is looked at again. Then variables move
behind their children where that leaves fewer edges. Last, a screen over more rows finds parents too
weak for the first. Knows which steps there are (`wide_search`) and when they are taken.
"""

from __future__ import annotations

import numpy as np

from s2lab.causal.discovery.effects import Effects, effect_order, proven_descendants
from s2lab.causal.discovery.environments import Environments, thinned
from s2lab.causal.discovery.residuals import ResidualScreen
from s2lab.causal.discovery.wide_search import WideSearch

CELLS = 10**8
"""Rows times variables beyond which parents are found by tests."""

MOST_CATEGORIES = 10
"""Most categories of a variable that the tests are quick with."""

FALSE_EDGES = 0.01
"""How many parents may come in by chance in all."""

FIRST_ROWS = 250_000
"""About how many rows the screens look at."""

LAST_ROWS = 1_000_000
"""About how many rows the last screen looks at."""

LAST_HINT = 3.0
"""-log10 p in the last screen from which a variable is tested."""


def is_wide(rows: Environments, effects: Effects) -> bool:
    """Whether rows are so many, and so plain, that tests find the parents."""
    plain = not (effects.partial or rows.unknown.any())
    few_categories = int(rows.cardinalities.max()) <= MOST_CATEGORIES
    return plain and few_categories and rows.rows * len(rows.variables) > CELLS


def wide_graph(
    rows: Environments, effects: Effects, alpha: float, deadline: float, show_progress: bool
) -> WideSearch:
    """Search the parents of all variables."""
    size = len(rows.variables)
    limit = -np.log10(min(alpha, FALSE_EDGES / size**2))
    below = proven_descendants(effects)  # [V, V]
    place = np.empty(size, np.int64)  # [V]
    place[effect_order(effects)] = np.arange(size)
    few = thinned(rows, FIRST_ROWS)
    screen = ResidualScreen(few)
    search = WideSearch(few, screen, effects, limit, deadline, show_progress, [()] * size)
    search.grow(range(size), (place[:, None] < place) & ~below.T)
    search.over(rows)
    allowed = ~below.T & ~np.eye(size, dtype=bool)
    search.settle(allowed)
    while search.reorder(allowed):
        search.settle(allowed)
    # Not before: weak traces of edges the wrong way round are many, and each asks for parents.
    more = thinned(rows, LAST_ROWS)
    if more.rows > few.rows:
        search.screen, search.hint = ResidualScreen(more), LAST_HINT
        search.settle(allowed)
    return search
