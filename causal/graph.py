"""Directed acyclic graphs over named variables. Knows no data, no mechanisms, no learners."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from s2lab.causal.errors import InputError, nearest

FORMAT = 1


@dataclass(frozen=True, eq=False)
class CausalGraph:
    """An immutable directed acyclic graph.

    Raises `InputError` on repeated names, a matrix of the wrong shape, and a cycle, which it names.
    """

    variables: tuple[str, ...]
    parent_to_child: NDArray[np.bool_]  # [V, V]; [i, j] means variable i -> variable j

    def __post_init__(self) -> None:
        variables = tuple(str(name) for name in self.variables)
        matrix = np.array(self.parent_to_child, dtype=bool)
        if len(set(variables)) != len(variables):
            repeated = next(name for name in variables if variables.count(name) > 1)
            raise InputError(f"variable {repeated!r} is named twice; names must differ")
        if matrix.shape != (len(variables), len(variables)):
            raise InputError(
                f"parent_to_child has shape {matrix.shape}, expected "
                f"{(len(variables), len(variables))} for {len(variables)} variables"
            )
        matrix.setflags(write=False)
        object.__setattr__(self, "variables", variables)
        object.__setattr__(self, "parent_to_child", matrix)
        cycle = find_cycle(matrix)
        if cycle:
            names = " -> ".join(variables[i] for i in [*cycle, cycle[0]])
            raise InputError(f"the graph has a cycle: {names}; remove one of these edges")

    @classmethod
    def from_edges(cls, variables: Iterable[str], edges: Iterable[tuple[str, str]]) -> CausalGraph:
        """Build from (parent, child) pairs; an edge that names an unknown variable is refused."""
        names = tuple(variables)
        index = {name: i for i, name in enumerate(names)}
        matrix = np.zeros((len(names), len(names)), bool)  # [V, V]
        for edge in edges:
            for name in edge:
                if name not in index:
                    raise InputError(
                        f"edge {edge[0]!r} -> {edge[1]!r} names unknown variable {name!r}"
                        f"{nearest(name, names)}"
                    )
            matrix[index[edge[0]], index[edge[1]]] = True
        return cls(names, matrix)

    @classmethod
    def from_matrix(
        cls, parent_to_child: ArrayLike, variables: Sequence[str] | None = None
    ) -> CausalGraph:
        """Build from a [V, V] matrix of zeros and ones; variables default to X0, X1, ..."""
        matrix = np.asarray(parent_to_child) != 0  # [V, V]
        return cls(tuple(variables or (f"X{i}" for i in range(len(matrix)))), matrix)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CausalGraph):
            return NotImplemented
        return self.variables == other.variables and bool(
            np.array_equal(self.parent_to_child, other.parent_to_child)
        )

    def __hash__(self) -> int:
        return hash((self.variables, self.parent_to_child.tobytes()))

    def __repr__(self) -> str:
        arrows = ", ".join(f"{parent}->{child}" for parent, child in self.edges)
        return f"CausalGraph({len(self.variables)} variables: {arrows})"

    def index(self, variable: str) -> int:
        """Position of a variable; an unknown one is refused with the nearest name."""
        try:
            return self.variables.index(variable)
        except ValueError:
            hint = nearest(str(variable), self.variables)
            raise InputError(f"unknown variable {variable!r}{hint}") from None

    @cached_property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """All (parent, child) pairs, by parent, then child, in variable order."""
        pairs = np.argwhere(self.parent_to_child)  # [edges, 2]
        return tuple((self.variables[i], self.variables[j]) for i, j in pairs)

    @cached_property
    def topological_order(self) -> tuple[int, ...]:
        """Variable positions, every parent before its children; ties in variable order."""
        order, cyclic = peel(self.parent_to_child)
        assert not cyclic
        return tuple(order)

    def parents(self, variable: str) -> tuple[str, ...]:
        """Names of the direct causes of a variable."""
        column = self.parent_to_child[:, self.index(variable)]  # [V]
        return tuple(self.variables[i] for i in np.flatnonzero(column))

    def children(self, variable: str) -> tuple[str, ...]:
        """Names of the direct effects of a variable."""
        row = self.parent_to_child[self.index(variable)]  # [V]
        return tuple(self.variables[i] for i in np.flatnonzero(row))

    def reordered(self, variables: Sequence[str]) -> CausalGraph:
        """The same graph with its variables in another order; both must name the same set."""
        if set(variables) != set(self.variables) or len(variables) != len(self.variables):
            missing = sorted(set(self.variables) - set(variables))
            extra = sorted(set(variables) - set(self.variables))
            raise InputError(
                f"the graphs name different variables (only in the first: {extra}; "
                f"only in the second: {missing}); both must name the same ones"
            )
        order = [self.variables.index(name) for name in variables]
        return CausalGraph(tuple(variables), self.parent_to_child[np.ix_(order, order)])

    def to_networkx(self) -> Any:
        """A `networkx.DiGraph` with the same nodes, in order, and edges."""
        import networkx

        graph = networkx.DiGraph()
        graph.add_nodes_from(self.variables)
        graph.add_edges_from(self.edges)
        return graph

    @classmethod
    def from_networkx(cls, graph: Any, variables: Sequence[str] | None = None) -> CausalGraph:
        """Build from any networkx DiGraph (pgmpy's DAG and Bayesian networks are some)."""
        names = tuple(str(node) for node in (graph.nodes() if variables is None else variables))
        return cls.from_edges(names, ((str(a), str(b)) for a, b in graph.edges()))

    def to_json(self) -> str:
        """Text of `{"format": 1, "variables": [...], "edges": [[parent, child], ...]}`."""
        return json.dumps(
            {"format": FORMAT, "variables": list(self.variables), "edges": list(self.edges)}
        )

    @classmethod
    def from_json(cls, text: str) -> CausalGraph:
        """Read `to_json`'s text; other keys are ignored, a newer format is refused."""
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"line {error.lineno}: not JSON: {error.msg}") from None
        if not isinstance(content, Mapping):
            raise InputError("expected a JSON object with 'variables' and 'edges'")
        if content.get("format", FORMAT) != FORMAT:
            raise InputError(
                f"graph format {content['format']!r} is not {FORMAT}; a newer s2lab wrote it"
            )
        variables, edges = content.get("variables"), content.get("edges")
        if not isinstance(variables, list) or not all(isinstance(v, str) for v in variables):
            raise InputError("field 'variables': expected a list of names")
        if not isinstance(edges, list) or not all(
            isinstance(e, list) and len(e) == 2 and all(isinstance(v, str) for v in e)
            for e in edges
        ):
            raise InputError("field 'edges': expected a list of [parent, child] pairs of names")
        return cls.from_edges(variables, [(parent, child) for parent, child in edges])


def peel(parent_to_child: NDArray[np.bool_]) -> tuple[list[int], list[int]]:
    """Kahn's algorithm on [V, V]: (a topological order, what is left on or after cycles)."""
    waiting = parent_to_child.sum(axis=0)  # [V] parents not yet placed
    ready = [int(i) for i in np.flatnonzero(waiting == 0)]
    order: list[int] = []
    while ready:
        node = ready.pop(0)
        order.append(node)
        for child in np.flatnonzero(parent_to_child[node]):
            waiting[child] -= 1
            if waiting[child] == 0:
                ready.append(int(child))
    return order, [int(i) for i in np.flatnonzero(waiting > 0)]


def find_cycle(parent_to_child: NDArray[np.bool_]) -> list[int]:
    """Positions along one directed cycle of a [V, V] matrix, in arrow order; empty when acyclic."""
    _, cyclic = peel(parent_to_child)
    if not cyclic:
        return []
    walk = [cyclic[0]]
    while True:  # every variable left has a parent left, so walking backwards must repeat
        parents = np.flatnonzero(parent_to_child[:, walk[-1]])
        parent = next(int(i) for i in parents if int(i) in cyclic)
        if parent in walk:
            return list(reversed(walk[walk.index(parent) :]))
        walk.append(parent)
