"""Structural causal models over real variables: do(), sampling, counterfactuals. Knows no learners.

Every mechanism can be solved for its noise, so `counterfactual` follows Pearl's (2009, section
7.1) three steps: abduction, action, prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.data import ContinuousData
from s2lab.causal.errors import InputError, nearest
from s2lab.causal.functional import (
    NormalDraw,
    RealMechanism,
    random_additive,
    random_linear,
    random_post_nonlinear,
)
from s2lab.causal.graph import CausalGraph

# Kind of mechanism -> draws one for a number of parents.
REAL_MECHANISMS: dict[str, Callable[[int, np.random.Generator], RealMechanism]] = {
    "linear": random_linear,
    "additive": random_additive,
    "post_nonlinear": random_post_nonlinear,
}


@dataclass(frozen=True, eq=False)
class RealCausalModel:
    """A graph with one invertible mechanism per real variable."""

    graph: CausalGraph
    mechanisms: tuple[RealMechanism, ...]

    @classmethod
    def random(
        cls, graph: CausalGraph, rng: np.random.Generator, kind: str = "linear"
    ) -> RealCausalModel:
        """Draw a mechanism of a kind (`REAL_MECHANISMS`) for every variable of a graph."""
        if kind not in REAL_MECHANISMS:
            raise InputError(f"unknown kind of mechanism {kind!r}{nearest(kind, REAL_MECHANISMS)}")
        counts = graph.parent_to_child.sum(axis=0)  # [V] parents
        return cls(graph, tuple(REAL_MECHANISMS[kind](int(n), rng) for n in counts))

    @property
    def variables(self) -> tuple[str, ...]:
        """Names in graph order."""
        return self.graph.variables

    def do(self, interventions: Mapping[str, float | None]) -> RealCausalModel:
        """Cut the arrows into the targets and set them to a value, or to N(0, 1) for None.

        Raises `InputError` on an unknown variable.
        """
        arrows = self.graph.parent_to_child.copy()  # [V, V]
        mechanisms = list(self.mechanisms)
        for name, value in interventions.items():
            target = self.graph.index(name)
            arrows[:, target] = False
            mechanisms[target] = NormalDraw() if value is None else NormalDraw(float(value), 0.0)
        return replace(
            self, graph=CausalGraph(self.variables, arrows), mechanisms=tuple(mechanisms)
        )

    def redrawn(
        self, rng: np.random.Generator, targets: Iterable[str] | None = None
    ) -> RealCausalModel:
        """Draw the mechanisms of `targets` (default: all) anew, arrows kept: a soft intervention.

        Raises `InputError` on an unknown variable.
        """
        mechanisms = list(self.mechanisms)
        for name in self.variables if targets is None else targets:
            at = self.graph.index(name)
            mechanisms[at] = mechanisms[at].redrawn(rng)
        return replace(self, mechanisms=tuple(mechanisms))

    def sample(
        self, rows: int, rng: np.random.Generator, do: Mapping[str, float | None] | None = None
    ) -> NDArray[np.float64]:  # [rows, V]
        """Draw rows, ancestors first; `do` as in `do()`."""
        if rows < 0:
            raise InputError(f"rows is {rows}; it must be 0 or more")
        model = self.do(do) if do else self
        noise = np.zeros((rows, len(self.variables)))  # [N, V]
        for node in model.graph.topological_order:
            noise[:, node] = model.mechanisms[node].noise(rows, rng)
        return model.predict(noise)

    def predict(self, noise: NDArray[np.float64]) -> NDArray[np.float64]:  # [N, V] -> [N, V]
        """Compute every variable from its noise and its parents."""
        values = np.zeros_like(noise)  # [N, V]
        for node in self.graph.topological_order:
            parents = np.flatnonzero(self.graph.parent_to_child[:, node])
            values[:, node] = self.mechanisms[node].value(values[:, parents], noise[:, node])
        return values

    def abduct(self, values: NDArray[np.float64]) -> NDArray[np.float64]:  # [N, V] -> [N, V]
        """Return the noise behind observed rows."""
        noise = np.zeros_like(values)  # [N, V]
        for node in range(len(self.variables)):
            parents = np.flatnonzero(self.graph.parent_to_child[:, node])
            noise[:, node] = self.mechanisms[node].abduct(values[:, parents], values[:, node])
        return noise

    def counterfactual(
        self, values: NDArray[np.float64], do: Mapping[str, float]
    ) -> NDArray[np.float64]:  # [N, V] -> [N, V]
        """What the observed rows would have been under `do`, their noise being the same.

        Raises `InputError` on an unknown variable and on rows of another width.
        """
        rows = np.asarray(values, np.float64)  # [N, V]
        if rows.ndim != 2 or rows.shape[1] != len(self.variables):
            raise InputError(
                f"values has shape {rows.shape}; expected [rows, {len(self.variables)}]"
            )
        noise = self.abduct(rows)  # [N, V]
        for name in do:
            noise[:, self.graph.index(name)] = 0.0
        return self.do(do).predict(noise)


def simulate_real(
    scm: RealCausalModel,
    observations: int,
    per_intervention: int,
    rng: np.random.Generator,
    targets: Iterable[str | tuple[str, ...]] | None = None,
    kind: str = "perfect",
    value: float | None = None,
) -> ContinuousData:
    """Draw observations, then `per_intervention` rows of an intervention on every target.

    As `simulate` for categories: a perfect intervention sets `value`, or N(0, 1) for None.
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
    return ContinuousData(
        variables=scm.variables,
        values=np.concatenate(blocks),
        regimes=tuple(regimes),
        regime_of_row=np.repeat(np.arange(len(sizes)), sizes),
    )
