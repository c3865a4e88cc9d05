"""The truth: structural causal models, do() and sampling. Knows no learners and no files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.data import InterventionalData
from s2lab.causal.errors import InputError, nearest
from s2lab.causal.graph import CausalGraph
from s2lab.causal.mechanisms import (
    ConditionalTable,
    Constant,
    Mechanism,
    NetworkRecipe,
    Uniform,
    enco_recipe,
    random_network,
    random_table,
)
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

    @classmethod
    def random_networks(
        cls,
        graph: CausalGraph,
        rng: np.random.Generator,
        categories: int = 10,
        recipe: NetworkRecipe | None = None,
    ) -> StructuralCausalModel:
        """Draw a random network of the parents' categories for every variable.

        `recipe` is `enco_recipe()` by default; `sdi_recipe(V, K)` is the other published one.
        """
        counts = graph.parent_to_child.sum(axis=0)  # [V] parents
        recipe = recipe or enco_recipe()
        mechanisms = tuple(
            random_network((categories,) * int(n), categories, recipe, rng) for n in counts
        )
        names = tuple(str(k) for k in range(categories))
        return cls(graph, mechanisms, (names,) * len(graph.variables))

    def redrawn(
        self, rng: np.random.Generator, targets: Iterable[str] | None = None
    ) -> StructuralCausalModel:
        """Return the model with the mechanisms of `targets` drawn anew, arrows kept.

        That is a soft intervention; without `targets` it is another world on the same graph.
        Raises `InputError` on an unknown variable.
        """
        mechanisms = list(self.mechanisms)
        for name in self.variables if targets is None else targets:
            at = self.graph.index(name)
            mechanisms[at] = mechanisms[at].redrawn(rng)
        return replace(self, mechanisms=tuple(mechanisms))

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


Kind = Literal["perfect", "soft"]
"""perfect: do(), arrows cut; soft: the mechanism is redrawn, arrows kept."""


def simulate(
    scm: StructuralCausalModel,
    observations: int,
    per_intervention: int,
    rng: np.random.Generator,
    targets: Iterable[str | tuple[str, ...]] | None = None,
    kind: Kind = "perfect",
    value: DoValue = None,
) -> InterventionalData:
    """Draw observations, then `per_intervention` rows of an intervention on every target.

    `targets` defaults to every variable; a tuple is intervened on at once. A perfect intervention
    sets `value` (None: uniform). Raises `InputError` on an unknown target, kind or value.
    """
    if kind not in ("perfect", "soft"):
        raise InputError(f"kind of intervention {kind!r}; it must be 'perfect' or 'soft'")
    named = list(scm.variables if targets is None else targets) if per_intervention else []
    blocks = [scm.sample(observations, rng)]
    regimes: list[tuple[str, ...]] = [()]
    for target in named:
        wanted = {target} if isinstance(target, str) else set(target)
        for name in wanted:
            scm.graph.index(name)
        names = tuple(name for name in scm.variables if name in wanted)
        if kind == "soft":
            blocks.append(scm.redrawn(rng, names).sample(per_intervention, rng))
        else:
            blocks.append(scm.sample(per_intervention, rng, do=dict.fromkeys(names, value)))
        regimes.append(names)
    sizes = [len(block) for block in blocks]
    return InterventionalData(
        variables=scm.variables,
        codes=np.concatenate(blocks),
        states=scm.states,
        regimes=tuple(regimes),
        regime_of_row=np.repeat(np.arange(len(sizes)), sizes),
    )


def simulate_worlds(
    scm: StructuralCausalModel,
    worlds: int,
    observations: int,
    per_intervention: int,
    rng: np.random.Generator,
    targets: Iterable[str | tuple[str, ...]] | None = None,
    kind: Kind = "perfect",
) -> InterventionalData:
    """Simulate several worlds that share one graph: every mechanism is redrawn for each.

    The first world is `scm` itself; the numbers of rows are per world.
    """
    if worlds < 1:
        raise InputError(f"worlds is {worlds}; it must be 1 or more")
    named = None if targets is None else list(targets)
    parts = []
    for world in range(worlds):
        one = scm if world == 0 else scm.redrawn(rng)
        parts.append(simulate(one, observations, per_intervention, rng, named, kind))
    return replace(
        parts[0],
        codes=np.concatenate([part.codes for part in parts]),
        regime_of_row=np.concatenate([part.regime_of_row for part in parts]),
        world_of_row=np.repeat(np.arange(worlds), len(parts[0].codes)),
    )
