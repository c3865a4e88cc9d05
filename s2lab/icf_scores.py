"""How well learned features and policies match what a world's actions change. Knows no files."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from s2lab.agents.encoders import scores
from s2lab.seeds import table_seed

if TYPE_CHECKING:
    from s2lab.agents.encoders.icf_learner import ICFLearner
    from s2lab.agents.encoders.transitions import ControllableWorld
    from s2lab.envs.squares import Squares

CLEAR = 0.9  # least purity of a policy, and correlation of its feature, that count as found
JUDGED = 2000  # states that are scored where there are too many to score all
ATTRIBUTES = 64  # drawn per state when attributes are judged

Array = NDArray[Any]


def judge(learner: "ICFLearner") -> dict[str, Any]:
    """Every score of one trained encoder on the true factors."""
    from s2lab.envs.squares import Squares

    world = learner.world
    states = judged_states(world)
    codes, policies = learner.codes(states)
    factors = world.factors(states)
    mine, theirs = factors[:, : world.controllable], factors[:, world.controllable :]
    matched, _ = scores.matched_correlation(codes, mine)
    apart = scores.dci(codes, mine)
    signed = learner.config.objective == "directed" and learner.config.weight > 0
    found: dict[str, Any] = {
        "states": len(states),
        "actions": len(world.action_names),
        "factors": list(world.factor_names),
        "matched_correlation": matched,
        "linear_r2": scores.linear_r2(codes, mine).tolist(),
        "distractor_r2": scores.linear_r2(codes, theirs).tolist(),
        "distractor_claimed": claimed(codes, factors, world),
        "disentanglement": apart.disentanglement,
        "completeness": apart.completeness,
        "informativeness": apart.informativeness,
        "mutual_information_gap": scores.mutual_information_gap(codes, mine),
    }
    if learner.config.objective == "continuous":
        found |= attributes_found(learner, states)
    elif isinstance(world, Squares):
        found["found"] = actions_found(codes, states, policies, world, signed=signed)
    if isinstance(world, Squares):
        found["followed"] = actions_found(codes, states, None, world, signed=signed)
    return found


def judged_states(world: "ControllableWorld") -> Array:
    """All states, or some drawn with a seed of their own."""
    states = world.every()
    rng = np.random.default_rng(table_seed(0))
    return world.sample(rng, JUDGED) if states is None else states


def actions_found(
    codes: Array,
    states: Array,
    policies: Array | None,
    world: "Squares",
    *,
    signed: bool = True,
) -> int:
    """Actions with a feature of their own: its policy takes the action, its value follows it.

    A feature counts for one action at most: policy purity and the correlation of the feature with
    the factor that the action changes, in the action's direction, are both at least `CLEAR`.
    Without policies, only the features count; not `signed`, the direction does not.
    """
    from scipy.optimize import linear_sum_assignment

    follow = scores.correlations(codes, world.factors(states))  # [K, F]
    good = np.zeros((codes.shape[1], len(world.action_names)), np.bool_)
    for action in range(good.shape[1]):
        factor, change = world.effect(action)
        along = follow[:, factor] * change if change and signed else np.abs(follow[:, factor])
        good[:, action] = along >= CLEAR
    if policies is not None:
        good &= scores.policy_purity(policies, world.blocked(states)) >= CLEAR  # [K, A]
    rows, columns = linear_sum_assignment(~good)
    return int(good[rows, columns].sum())


def claimed(codes: Array, factors: Array, world: "ControllableWorld") -> int:
    """Features that follow what no action changes, with a correlation of at least `CLEAR`."""
    theirs = factors[:, world.controllable :]
    if not theirs.shape[1]:
        return 0
    return int((np.abs(scores.correlations(codes, theirs)).max(1) >= CLEAR).sum())


def attributes_found(learner: "ICFLearner", states: Array) -> dict[str, float | int]:
    """What the continuous objective discovered, of attributes drawn in every state.

    An action is found when, in at least `CLEAR` of the states in which it changes something, some
    attribute's policy takes it with that probability and its change is the one nearest to the
    attribute. `distinct` needs no truth: exp of the mutual information of attribute and action in a
    state, the number of different things that attributes do; means over states without blocks.
    """
    import torch

    world, rng = learner.world, np.random.default_rng(0)
    after = world.successors(states, rng)  # [N, A, ...]
    count, actions = after.shape[:2]
    before = torch.from_numpy(learner.codes(states)[0])
    changed = torch.from_numpy(learner.codes(after.reshape(count * actions, -1))[0])
    changes = changed.view(count, actions, -1) - before[:, None]  # [N, A, K]
    drawn = rng.standard_normal((count, ATTRIBUTES, learner.config.noise), np.float32)
    with torch.no_grad():
        attributes, logits = learner.model.cpu().draw_attributes(before, torch.from_numpy(drawn))
        blocked = torch.from_numpy(world.blocked(states))
        policies = learner.masked(logits, blocked)  # [N, M, A]
    away = (attributes[:, :, None] - changes[:, None]).square().sum(-1)  # [N, M, A]
    away = away.masked_fill(blocked[:, None], float("inf"))
    nearest = torch.nn.functional.one_hot(away.argmin(-1), actions).bool()
    true = ((policies >= CLEAR) & nearest).any(1)  # [N, A]
    share = (true & ~blocked).sum(0) / (~blocked).sum(0).clamp(min=1)
    free = policies[~blocked.any(1)]
    mean = free.mean(1)
    told = _entropy(mean) - _entropy(free).mean(1)
    learner.model.to(learner.device)
    return {
        "found": int((share >= CLEAR).sum()),
        "distinct": float(told.exp().mean()),
        "attributes": ATTRIBUTES,
    }


def _entropy(probabilities: Any) -> Any:
    return -(probabilities * (probabilities + 1e-9).log()).sum(-1)
