"""One recovery: draw a world, fit a learner, count its mistakes and its seconds. Knows no table."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from s2lab.causal.data import InterventionalData
from s2lab.causal.discovery import DISCOVERERS, fitted_graph, make_discoverer, takes_targets
from s2lab.causal.graph import CausalGraph
from s2lab.causal.mechanisms import ConditionalTable, Mechanism, RandomNetwork, configurations
from s2lab.causal.metrics import edge_differences
from s2lab.causal.scm import StructuralCausalModel

CHANGED = 0.05
"""Nats by which a mechanism must differ for its environment to count as changed."""


@dataclass(frozen=True)
class SoftWorlds:
    """Rows of several worlds with a soft intervention on every variable of each."""

    graph: CausalGraph
    data: InterventionalData
    change: NDArray[np.float64]  # [W, V] nats from the old to the new mechanism of each target


def soft_worlds(
    scm: StructuralCausalModel,
    worlds: int,
    observations: int,
    per_intervention: int,
    rng: np.random.Generator,
) -> SoftWorlds:
    """Redraw one mechanism at a time in every world and remember by how much it changed."""
    names = scm.variables
    blocks, regimes, places = [], [], []
    change = np.zeros((worlds, len(names)))
    for world in range(worlds):
        one = scm if world == 0 else scm.redrawn(rng)
        blocks.append(one.sample(observations, rng))
        regimes.append(np.zeros(observations, np.int64))
        for target, name in enumerate(names):
            other = one.redrawn(rng, [name])
            rows = other.sample(per_intervention, rng)  # [n, V]
            parents = rows[:, np.flatnonzero(scm.graph.parent_to_child[:, target])]
            old, new = (distribution(m.mechanisms[target], parents) for m in (one, other))
            with np.errstate(divide="ignore", invalid="ignore"):
                terms = np.where(new > 0, new * np.log(new / np.maximum(old, 1e-12)), 0.0)
            change[world, target] = terms.sum(axis=1).mean()
            blocks.append(rows)
            regimes.append(np.full(per_intervention, target + 1, np.int64))
        places.append(np.full(observations + per_intervention * len(names), world, np.int64))
    data = InterventionalData(
        names,
        np.concatenate(blocks).astype(np.int8),
        scm.states,
        ((), *((name,) for name in names)),
        np.concatenate(regimes),
        np.concatenate(places) if worlds > 1 else None,
    )
    return SoftWorlds(scm.graph, data, change)


def distribution(
    mechanism: Mechanism, parents: NDArray[np.integer]
) -> NDArray[np.float64]:  # [N, P] -> [N, K]
    """Probabilities of the categories for rows of parents' categories."""
    if isinstance(mechanism, RandomNetwork):
        return mechanism.probabilities(parents)
    assert isinstance(mechanism, ConditionalTable)
    sizes = mechanism.probabilities.shape[:-1]
    rows = mechanism.probabilities.reshape(-1, mechanism.probabilities.shape[-1])
    return np.asarray(rows[configurations(parents, sizes)])


def shuffled(data: InterventionalData, rng: np.random.Generator) -> InterventionalData:
    """The same rows with columns in random order."""
    order = rng.permutation(len(data.variables))
    return replace(
        data,
        variables=tuple(data.variables[i] for i in order),
        codes=data.codes[:, order],
        states=tuple(data.states[i] for i in order),
    )


def recover(
    method: str, options: Mapping[str, Any], data: InterventionalData, graph: CausalGraph
) -> tuple[dict[str, Any], Any]:
    """Fit a learner; returns its mistakes and processor seconds, and the learner."""
    learner: Any = make_discoverer(method, options)
    frame = None if hasattr(learner, "fit_data") else data.to_frame()
    if frame is not None and DISCOVERERS[method].real:
        frame = DataFrame(data.codes.astype(float), columns=list(data.variables))
    started = time.process_time()
    if frame is None:
        learner.fit_data(data)
    elif takes_targets(learner):
        learner.fit(frame, targets=data.targets)
    else:
        learner.fit(data.observational.to_frame())
    seconds = time.process_time() - started
    mistakes = edge_differences(graph, fitted_graph(learner, graph.variables))
    return {
        "shd": mistakes.distance(),
        "shd_reversal_2": mistakes.distance(reversal_cost=2),
        "mistakes": str(mistakes),
        "cpu_s": round(seconds, 3),
    }, learner


def target_accuracy(
    found: Mapping[str, tuple[str, ...]],
    hidden: InterventionalData,
    told: InterventionalData,
    change: NDArray[np.float64],  # [W, V]
) -> dict[str, float]:
    """Share of environments whose target set is exactly right: all, and truly changed ones."""
    right, changed = [], []
    first = np.unique(hidden.regime_of_row, return_index=True)[1]  # [E] a row of every regime
    for row in first:
        label = hidden.regimes[hidden.regime_of_row[row]]
        if label:
            target = told.regimes[told.regime_of_row[row]]
            right.append(set(found.get(label[-1], ())) == set(target))
            column = told.regime_of_row[row] - 1
            changed.append(bool(change[told.worlds[row], column] >= CHANGED))
    hits, real = np.array(right), np.array(changed)
    return {
        "targets_right": round(float(hits.mean()), 4),
        "targets_right_changed": round(float(hits[real].mean()), 4),
        "environments_changed": int(real.sum()),
        "environments": len(hits),
    }
