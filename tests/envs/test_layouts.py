"""Whole new worlds against minigrid's own: every cell, what boxes hold, and the generator's state.

A view shows a part of a world; this looks at all of it, over many seeds and over episodes that
begin without a seed.
"""

from typing import Any

import lockstep
import numpy as np
import pytest

from s2lab.envs.grid import kernels, random
from s2lab.envs.grid.cpu import GridBatch
from s2lab.envs.registration import WORLDS, find_world

IDS = [world_id for world_id in WORLDS if world_id.startswith("MiniGrid-")]


def batch(world_id: str, seeds: range) -> GridBatch:
    family, level = find_world(world_id)
    made = GridBatch(family, level, len(seeds), mode=kernels.DISABLED)
    made.seed(list(seeds))
    made.reset()
    return made


def grid_cells(made: GridBatch, n: int) -> Any:
    """int [W, H]: world n's cells, indexed as minigrid indexes."""
    rules = made.rules
    x, y = np.mgrid[: rules.width, : rules.height]
    return made.worlds.cells[n, rules.origin + y * rules.stride + x].astype(np.int64)


def hidden(env: Any) -> Any:
    """uint8 [W, H, 3]: what minigrid's boxes hold, (1, 0, 0) where there is nothing."""
    inside = env.grid.copy()
    inside.grid = [thing and thing.contains for thing in env.grid.grid]
    return inside.encode()


def shown(cells: Any) -> Any:
    """uint8 [W, H, 3]: cells as an observation shows them."""
    return np.stack([cells & 15, cells >> 4 & 7, cells >> 7 & 3], axis=-1)


def held(cells: Any) -> Any:
    """uint8 [W, H, 3]: what boxes hold, by the bits that `cells.py` documents."""
    full = (cells & 15 == 7) & (cells >> 15 == 1)
    inside = np.stack([4 | cells >> 13 & 3, cells >> 10 & 7, 0 * cells], axis=-1)
    return np.where(full[..., None], inside, (1, 0, 0))


def assert_same_world(made: GridBatch, n: int, env: Any, mission: str) -> None:
    worlds = made.worlds
    cells = grid_cells(made, n)
    np.testing.assert_array_equal(shown(cells), env.grid.encode())
    np.testing.assert_array_equal(held(cells), hidden(env))
    agent = (worlds.agent_x[n], worlds.agent_y[n], worlds.agent_dir[n])
    assert agent == (*env.agent_pos, env.agent_dir)
    assert made.mission_text(n) == mission
    ours, theirs = random.dump_state(worlds.rng, n), env.np_random.bit_generator.state
    assert (ours["state"], ours["has_uint32"]) == (theirs["state"], theirs["has_uint32"])


@pytest.mark.parametrize("world_id", IDS)
def test_new_worlds_equal_minigrids_in_every_cell(world_id: str) -> None:
    seeds = range(5000, 5025)
    made, env = batch(world_id, seeds), lockstep.reference(world_id)
    generators = []
    for n, seed in enumerate(seeds):
        observation, _ = env.reset(seed=seed)
        assert_same_world(made, n, env, observation["mission"])
        generators.append(env.np_random)
    for _ in range(3):
        made.reset()
        for n, generator in enumerate(generators):
            env.np_random = generator
            observation, _ = env.reset()
            assert_same_world(made, n, env, observation["mission"])


def count_lost_keys(world_id: str) -> int:
    """In how many of 1,000 mazes there are fewer keys, boxed or not, than locked doors."""
    made = batch(world_id, range(1000))
    lost = 0
    for n in range(made.count):
        cells = grid_cells(made, n)
        keys = (cells & 15 == 5).sum() + (held(cells)[..., 0] == 5).sum()
        lost += int(keys < (shown(cells)[..., 2] == 2).sum())
    return lost


def test_only_the_first_version_of_the_obstructed_mazes_loses_keys() -> None:
    assert count_lost_keys("MiniGrid-ObstructedMaze-Full-v0") > 100
    assert count_lost_keys("MiniGrid-ObstructedMaze-Full-v1") == 0
