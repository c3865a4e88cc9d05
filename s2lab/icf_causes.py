"""Given two states: actions that lead from one to the other, found in the features alone.

A beam search over predicted features. Knows no true dynamics but to judge.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2lab.icf_effects import Effects, drawn_actions, given_state, numbered, told
from s2lab.seeds import table_seed

Array = NDArray[Any]
BEAM = 24  # sequences that are kept at every length
LONGEST = 24  # actions of a way
PAIR = 4  # actions between the two states of a judged pair
NEAR = 0.5  # of the least change that an action makes at the target: what counts as arrived


def recover(effects: Effects, start: Array, target: Array) -> list[int]:
    """Actions that lead features from `start` to `target`, both [1, K]; the shortest that arrive,
    else those that come nearest."""
    steps = np.linalg.norm(effects.model.predict(target)[0] - target, axis=1)  # [A]
    near = NEAR * float(steps[steps > steps.max() / 4].min())
    ways: list[list[int]] = [[]]
    ends = start
    best, best_way = float(np.linalg.norm(start - target)), list[int]()
    for _ in range(LONGEST):
        if best <= near:
            break
        following = effects.model.predict(ends)  # [W, A, K]
        width, actions, _ = following.shape
        flat = following.reshape(width * actions, -1)
        away = np.linalg.norm(flat - target, axis=1)
        kept = distinct(flat, np.argsort(away, kind="stable"), near / 2)
        ways = [[*ways[i // actions], i % actions] for i in kept]
        ends = flat[kept]
        if away[kept[0]] < best - 1e-9:
            best, best_way = float(away[kept[0]]), ways[0]
        elif len(ways[0]) > len(best_way) + PAIR:
            break
    return best_way


def distinct(features: Array, order: Array, apart: float) -> list[int]:
    """Up to `BEAM` rows in this order, none as near as `apart` to one before it."""
    kept: list[int] = []
    for row in order.tolist():
        others = features[kept]
        if not kept or np.linalg.norm(others - features[row], axis=1).min() > apart:
            kept.append(row)
        if len(kept) == BEAM:
            break
    return kept


def cause_accuracy(effects: Effects, trials: int) -> dict[str, float]:
    """Over drawn states: how often the one action between two is named, and a way found.

    `one_action` is the share of actions that changed something and were named, `several_actions`
    the share of pairs, a few drawn actions apart, for which the recovered actions truly lead there.
    """
    world, rng = effects.learner.world, np.random.default_rng(table_seed(3))
    states = world.sample(rng, trials)
    after = world.successors(states, rng)
    count, actions = after.shape[:2]
    later = effects.encode(after.reshape(count * actions, -1)).reshape(count, actions, -1)
    predicted = effects.model.predict(effects.encode(states))
    away = np.square(later[:, :, None] - predicted[:, None]).sum(-1)  # [N, true, guessed]
    guess = away.argmin(-1)
    free = ~world.blocked(states)
    named = (guess == np.arange(actions))[free]
    reached = []
    for state in states[: max(1, trials // 4)]:
        chosen = rng.integers(0, actions, PAIR).tolist()
        end = followed(effects, state[None], chosen, rng)
        way = recover(effects, effects.encode(state[None]), effects.encode(end))
        reached.append(arrives(effects, state[None], way, end, rng))
    return {"one_action": float(named.mean()), "several_actions": float(np.mean(reached))}


def followed(effects: Effects, state: Array, actions: Sequence[int], rng: Any) -> Array:
    """Where actions truly lead."""
    for action in actions:
        state = effects.learner.world.successors(state, rng)[:, action]
    return state


def arrives(effects: Effects, state: Array, way: Sequence[int], end: Array, rng: Any) -> bool:
    """Whether a way truly leads to every controllable factor of a state."""
    world = effects.learner.world
    reached = world.factors(followed(effects, state, way, rng))[0, : world.controllable]
    return bool((reached == world.factors(end)[0, : world.controllable]).all())


def show_cause(
    effects: Effects,
    actions: Sequence[str],
    state: Mapping[str, str],
    target: Mapping[str, str],
    seed: int,
    picture: Path,
) -> dict[str, Any]:
    """One pair of states, what happened between them and what is recovered, with a picture.

    Raises:
        UserError: an action or a factor that the world does not have.
    """
    from s2lab.icf_picture import draw_steps

    world, rng = effects.learner.world, np.random.default_rng(seed)
    start = given_state(effects, state, rng)
    happened: list[int] = []
    if target:
        own = {name: str(int(value)) for name, value in told(effects, start).items()}
        end = given_state(effects, {**own, **target}, rng)
    else:
        happened = numbered(effects, actions) if actions else drawn_actions(effects, rng)
        end = followed(effects, start, happened, rng)
    way = recover(effects, effects.encode(start), effects.encode(end))
    seen = [start]
    for action in way:
        seen.append(world.successors(seen[-1], rng)[:, action])
    names = [world.action_names[action] for action in way]
    images = world.images(np.concatenate([*seen, end]))
    draw_steps([("way found", images)], ["from", *names, "wanted"], world, picture)
    return {
        "state": told(effects, start),
        "target": told(effects, end),
        "happened": [world.action_names[action] for action in happened],
        "recovered": names,
        "reaches": arrives(effects, start, way, end, rng),
    }
