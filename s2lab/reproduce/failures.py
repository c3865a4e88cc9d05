"""What an agent had seen in the layouts that it did not solve. Knows no training and no table.

A memory that keeps every cell it has seen would look where it has not looked yet: how much of a
failed episode shows nothing new, how much of the floor was seen, and whether the goal ever was.
"""

from typing import Any

import numpy as np

from s2lab.config import read_config
from s2lab.envs.grid.cells import EMPTY, GOAL, UNSEEN
from s2lab.envs.vector import GridVectorEnv, make_vec
from s2lab.policy import load
from s2lab.reproduce.ceilings import Array, pose, remember
from s2lab.run_folder import RunFolder
from s2lab.seeds import table_seeds, torch_seed


def failures(run: RunFolder, layouts: int) -> dict[str, float | int | None]:
    """Shares over the failed episodes on the table's layouts, sampled; None where none failed."""
    config = read_config(run)
    policy = load(run.path, "latest", "sampled", torch_seed(config.seed, "evaluation"))
    worlds = make_vec(config.env, layouts)
    seen, _ = worlds.reset(seed=table_seeds(layouts))
    free = floor(config.env, layouts)
    known = np.zeros(free.shape, np.uint8)  # types of cells
    state, reset = policy.initial_state(layouts), np.ones(layouts, np.bool_)
    playing, won = np.ones(layouts, np.bool_), np.zeros(layouts, np.bool_)
    stale, steps = np.zeros(layouts), np.zeros(layouts)
    while playing.any():
        before = (known[playing] != UNSEEN).sum((1, 2))
        known[playing] = now_known(worlds, known, seen["image"], playing)
        stale[playing] += (known[playing] != UNSEEN).sum((1, 2)) == before
        steps += playing
        actions, state = policy.step(seen, state, reset)
        seen, rewards, terminated, truncated, _ = worlds.step(actions)
        reset = terminated | truncated
        won |= playing & terminated & (rewards > 0)
        playing &= ~reset
    lost = ~won
    shares = {
        "goal_seen": (known == GOAL).any((1, 2)),
        "floor_seen": ((known != UNSEEN) & free).sum((1, 2)) / free.sum((1, 2)),
        "nothing_new": stale / steps,
    }
    return {"failed": int(lost.sum()), "layouts": layouts} | {
        name: round(float(share[lost].mean()), 4) if lost.any() else None
        for name, share in shares.items()
    }


def floor(world_id: str, layouts: int) -> Array:  # bool [N, W, H]
    """Where one can stand."""
    whole = make_vec(world_id, layouts, observation="full")
    kinds = whole.reset(seed=table_seeds(layouts))[0]["image"][..., 0]
    free: Array = (kinds == EMPTY) | (kinds == GOAL)
    everyone = np.arange(layouts)
    _, x, y = pose(whole)
    free[everyone, x, y] = True
    return free


def now_known(worlds: GridVectorEnv, known: Array, image: Any, playing: Array) -> Array:
    """The maps of the worlds at play with what their views show now."""
    here = tuple(part[playing] for part in pose(worlds))
    return remember(known[playing], np.asarray(image)[playing, ..., 0], *here)
