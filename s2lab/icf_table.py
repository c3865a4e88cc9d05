"""Features as named variables, a row a step: a table that causal discovery reads."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from s2lab import durable
from s2lab.causal.data import TARGETS_COLUMN
from s2lab.errors import UserError
from s2lab.icf_scores import CLEAR, judged_states

if TYPE_CHECKING:
    from s2lab.agents.encoders.icf_learner import ICFLearner

Array = NDArray[Any]
RESTART = 50  # steps of play from one drawn state


def variable_names(learner: "ICFLearner") -> list[str]:
    """`down0` for the feature whose policy takes that action; `f3` for one without; `down0_2` for
    the second feature of an action."""
    from s2lab.agents.encoders.scores import policy_purity

    world, states = learner.world, judged_states(learner.world)
    policies = learner.codes(states)[1]
    names: list[str] = []
    purity = policy_purity(policies, world.blocked(states)) if policies.shape[1] else None
    for k in range(learner.config.features):
        best = -1 if purity is None or purity[k].max() < CLEAR else int(purity[k].argmax())
        name = f"f{k}" if best < 0 else world.action_names[best]
        same = sum(known == name or known.startswith(f"{name}_") for known in names)
        names.append(name if not same else f"{name}_{same + 1}")
    return names


def played(learner: "ICFLearner", steps: int, seed: int) -> tuple[Array, list[str]]:
    """Features [steps, K] along random play, and the action before each; none where it was blocked
    or play has just begun."""
    world, rng = learner.world, np.random.default_rng(seed)
    rows: list[Array] = []
    before: list[str] = []
    state, acted = world.sample(rng, 1), ""
    for step in range(steps):
        if step % RESTART == 0:
            state, acted = world.sample(rng, 1), ""
        rows.append(state)
        before.append(acted)
        action = int(rng.integers(len(world.action_names)))
        acted = "" if world.blocked(state)[0, action] else world.action_names[action]
        state = world.successors(state, rng)[:, action]
    return learner.codes(np.concatenate(rows))[0], before


def write_table(path: Path, out: Path, *, steps: int, bins: int, seed: int) -> list[str]:
    """Write the CSV file; returns the variables' names.

    Raises:
        UserError: no run of `train-icf`, counts out of range, a file that cannot be written.
    """
    from s2lab.icf import load_icf

    if not 2 <= steps <= 10**6:
        raise UserError(f"--steps must be between 2 and 1_000_000, got {steps}")
    if bins and not 2 <= bins <= 100:
        raise UserError(f"--bins must be 0 or between 2 and 100, got {bins}")
    learner = load_icf(path)
    names = variable_names(learner)
    features, acted = played(learner, steps, seed)
    values: Array = np.round(features, 4)
    if bins:
        low, high = features.min(0), features.max(0)
        scaled = (features - low) / np.maximum(high - low, 1e-9) * bins
        values = np.minimum(scaled.astype(int), bins - 1)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, TARGETS_COLUMN])
    for row, action in zip(values.tolist(), acted, strict=True):
        own = [name for name in names if action and name.split("_")[0] == action]
        writer.writerow([*row, ";".join(own)])
    try:
        durable.replace(out, text.getvalue().encode())
    except OSError as error:
        raise durable.cannot_write(out, error, "choose another file") from error
    return names
