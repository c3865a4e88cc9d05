"""The truth: structural causal models, do() and sampling. Knows no learners and no files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.data import InterventionalData
from s2lab.causal.errors import InputError, nearest
from s2lab.causal.graph import CausalGraph
from s2lab.causal.mechanisms import ConditionalTable, Constant, Mechanism, Uniform, random_table
from s2lab.causal.network import DiscreteNetwork

DoValue = str | int | None
"""What do() sets: a state name, its position, or None for uniform over the states."""


@dataclass(frozen=True, eq=False)
class StructuralCausalModel:
    """A graph with one mechanism per variable, over named categories."""

    graph: CausalGraph
    mechanisms: tuple[Mechanism, ...]
    states: tuple[tuple[str, ...], ...]
    """State names of every variable, in graph order."""

    @classmethod
    def from_network(cls, network: DiscreteNetwork) -> StructuralCausalModel:
        """Take the conditional tables of a Bayesian network as causal mechanisms."""
        return cls(network.graph, tuple(map(ConditionalTable, network.tables)), network.states)

    @classmethod
    def random_tables(
        cls, graph: CausalGraph, rng: np.random.Generator, categories: int = 3
    ) -> StructuralCausalModel:
        """Draw a conditional table for every variable of a graph."""
        counts = graph.parent_to_child.sum(axis=0)  # [V] parents
        tables = tuple(random_table((categories,) * int(n), categories, rng) for n in counts)
        names = tuple(str(k) for k in range(categories))
        return cls(graph, tables, (names,) * len(graph.variables))

    @property
    def variables(self) -> tuple[str, ...]:
        """Names in graph order."""
        return self.graph.variables

    def do(self, interventions: Mapping[str, DoValue]) -> StructuralCausalModel:
        """Return the model under perfect interventions: arrows into the targets are cut.

        A value is a state name, its position, or None (uniform over the states).
        Raises `InputError` on an unknown variable or state.
        """
        arrows = self.graph.parent_to_child.copy()  # [V, V]
        mechanisms = list(self.mechanisms)
        for name, value in interventions.items():
            target = self.graph.index(name)
            arrows[:, target] = False
            mechanisms[target] = self._forced(target, value)
        return replace(
            self, graph=CausalGraph(self.variables, arrows), mechanisms=tuple(mechanisms)
        )

    def _forced(self, target: int, value: DoValue) -> Mechanism:
        names = self.states[target]
        if value is None:
            return Uniform(len(names))
        if isinstance(value, str):
            if value not in names:
                variable = self.variables[target]
                raise InputError(f"do({variable}={value!r}): unknown state{nearest(value, names)}")
            return Constant(names.index(value))
        if not 0 <= value < len(names):
            raise InputError(
                f"do({self.variables[target]}={value}): states are 0 to {len(names) - 1}"
            )
        return Constant(int(value))

    def sample(
        self, rows: int, rng: np.random.Generator, do: Mapping[str, DoValue] | None = None
    ) -> NDArray[np.int64]:  # [rows, V]
        """Draw rows of state positions, ancestors first; `do` as in `do()`."""
        if rows < 0:
            raise InputError(f"rows is {rows}; it must be 0 or more")
        model = self.do(do) if do else self
        values = np.zeros((rows, len(self.variables)), np.int64)  # [N, V]
        for node in model.graph.topological_order:
            parents = np.flatnonzero(model.graph.parent_to_child[:, node])
            values[:, node] = model.mechanisms[node].sample(values[:, parents], rng)
        return values


def simulate(
    scm: StructuralCausalModel,
    observations: int,
    per_intervention: int,
    rng: np.random.Generator,
    targets: Iterable[str] | None = None,
) -> InterventionalData:
    """Draw observations, then `per_intervention` rows of a uniform do on every target.

    `targets` defaults to every variable. Raises `InputError` on an unknown one.
    """
    names = scm.variables if targets is None or per_intervention == 0 else tuple(targets)
    blocks = [scm.sample(observations, rng)]
    regimes: list[tuple[str, ...]] = [()]
    for name in names if per_intervention else ():
        blocks.append(scm.sample(per_intervention, rng, do={name: None}))
        regimes.append((name,))
    sizes = [len(block) for block in blocks]
    return InterventionalData(
        variables=scm.variables,
        codes=np.concatenate(blocks),
        states=scm.states,
        regimes=tuple(regimes),
        regime_of_row=np.repeat(np.arange(len(sizes)), sizes),
    )
