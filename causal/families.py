"""Families of graphs by name: the shapes of published experiments. Knows no data, no mechanisms.

Edges point from lower to higher positions; learners are shown shuffled columns. The shapes are
those of Ke et al. (2020, arXiv 1910.01075) and Lippe et al. (2022, arXiv 2107.10483).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from s2lab.causal.errors import InputError, nearest
from s2lab.causal.graph import CausalGraph


def chain(variables: int) -> CausalGraph:
    """X0 -> X1 -> X2 -> ..."""
    return from_rule(variables, lambda parent, child: child == parent + 1)


def bidiag(variables: int) -> CausalGraph:
    """A chain in which every variable also points two steps ahead."""
    return from_rule(variables, lambda parent, child: child in (parent + 1, parent + 2))


def collider(variables: int) -> CausalGraph:
    """Every variable points to the last one."""
    return from_rule(variables, lambda parent, child: child == variables - 1)


def full(variables: int) -> CausalGraph:
    """Every variable points to all later ones."""
    return from_rule(variables, lambda parent, child: parent < child)


def tree(variables: int) -> CausalGraph:
    """A binary tree: X0 -> X1, X2; X1 -> X3, X4; ..."""
    return from_rule(variables, lambda parent, child: parent == (child - 1) // 2)


def jungle(variables: int) -> CausalGraph:
    """A binary tree in which grandparents point to their grandchildren too."""
    return from_rule(
        variables,
        lambda parent, child: (
            parent == (child - 1) // 2 or (child > 2 and parent == ((child - 1) // 2 - 1) // 2)
        ),
    )


def random_graph(
    variables: int,
    rng: np.random.Generator,
    edge_probability: float | None = None,
    expected_degree: float | None = None,
) -> CausalGraph:
    """Erdos-Renyi: every forward pair is an edge with one probability.

    Give either the probability or the expected number of neighbours of a variable. Raises
    `InputError` when neither or both are given, or when no probability in [0, 1] has that degree.
    """
    if (edge_probability is None) == (expected_degree is None):
        raise InputError("give either edge_probability or expected_degree, and not both")
    if edge_probability is None:
        assert expected_degree is not None
        edge_probability = expected_degree / max(variables - 1, 1)
    if not 0 <= edge_probability <= 1:
        raise InputError(
            f"edge probability {edge_probability:g} is not in 0 to 1; an expected degree is at "
            f"most {variables - 1} for {variables} variables"
        )
    draws = rng.random((variables, variables)) < edge_probability  # [V, V]
    return CausalGraph.from_matrix(np.triu(draws, 1))


def scale_free(variables: int, rng: np.random.Generator, parents: int = 2) -> CausalGraph:
    """Barabasi & Albert (1999): each new variable draws parents in proportion to their degree."""
    if parents < 1:
        raise InputError(f"parents is {parents}; it must be 1 or more")
    matrix = np.zeros((variables, variables), bool)  # [V, V]
    for child in range(1, variables):
        degree = 1.0 + matrix[:child].sum(axis=1) + matrix[:, :child].sum(axis=0)  # [child]
        drawn = rng.choice(child, min(parents, child), replace=False, p=degree / degree.sum())
        matrix[drawn, child] = True
    return CausalGraph.from_matrix(matrix)


def from_rule(variables: int, rule: Callable[[int, int], bool]) -> CausalGraph:
    """Join the forward pairs (parent, child) that a rule names."""
    if variables < 1:
        raise InputError(f"variables is {variables}; it must be 1 or more")
    matrix = np.zeros((variables, variables), bool)  # [V, V]
    for child in range(variables):
        for parent in range(child):
            matrix[parent, child] = rule(parent, child)
    return CausalGraph.from_matrix(matrix)


# Name -> a graph on so many variables. Only the last two draw anything.
FAMILIES: dict[str, Callable[[int, np.random.Generator], CausalGraph]] = {
    "chain": lambda variables, rng: chain(variables),
    "collider": lambda variables, rng: collider(variables),
    "tree": lambda variables, rng: tree(variables),
    "bidiag": lambda variables, rng: bidiag(variables),
    "jungle": lambda variables, rng: jungle(variables),
    "full": lambda variables, rng: full(variables),
    "random": lambda variables, rng: random_graph(variables, rng, edge_probability=0.3),
    "scale_free": lambda variables, rng: scale_free(variables, rng),
}


def make_family(name: str, variables: int, rng: np.random.Generator | None = None) -> CausalGraph:
    """Build a family's graph. Raises `InputError` with the nearest name on an unknown one."""
    if name not in FAMILIES:
        raise InputError(f"unknown family {name!r}{nearest(name, FAMILIES)}")
    return FAMILIES[name](variables, rng or np.random.default_rng(0))
