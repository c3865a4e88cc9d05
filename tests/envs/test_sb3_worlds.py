"""The worlds as an SB3 VecEnv, against SB3's own DummyVecEnv over the single environments."""

from typing import Any

import lockstep
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from s2lab.envs.grid.level import Level
from s2lab.envs.grid.levels import empty
from s2lab.envs.registration import WORLDS
from s2lab.envs.sb3 import GridVecEnv
from s2lab.envs.single import GridEnv


def same(ours: Any, theirs: Any) -> bool:
    """Whether two nests of dictionaries, lists, arrays and numbers are equal, types too."""
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in theirs)
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, np.ndarray):
        return ours.dtype == theirs.dtype and np.array_equal(ours, theirs)
    return type(ours) is type(theirs) and bool(ours == theirs)


@pytest.mark.parametrize(
    ("world_id", "options"),
    [
        ("MiniGrid-DoorKey-5x5-v0", {}),
        ("MiniGrid-KeyCorridorS3R1-v0", {"observation": "full"}),
        ("MiniGrid-MultiRoom-N2-S4-v0", {"view_size": 5}),
    ],
)
def test_every_step_equals_sb3s_own_vector(world_id: str, options: dict[str, Any]) -> None:
    ours = GridVecEnv(world_id, 4, **options)
    theirs = DummyVecEnv([lambda: GridEnv(world_id, **options)] * 4)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.seed(30) == theirs.seed(30)
    assert same(ours.reset(), theirs.reset())
    random = np.random.default_rng(2)
    kept: list[Any] = []
    ends = cut = 0
    for _ in range(500):
        actions = random.choice(7, 4, p=[0.15, 0.15, 0.4, 0.1, 0.05, 0.1, 0.05])
        step, peer = ours.step(actions), theirs.step(actions)
        assert all(map(same, step, peer))
        assert same(ours.reset_infos, theirs.reset_infos)
        ends += int(step[2].sum())
        cut += sum(info["TimeLimit.truncated"] for info in step[3])
        kept.append((step, peer))
    assert all(same(list(step), list(peer)) for step, peer in kept), "an old step was written over"
    assert ends > 4
    assert cut > 0
    assert same(ours.reset(), theirs.reset())


def test_pictures_are_tiled_from_minigrids() -> None:
    world_id = "MiniGrid-FourRooms-v0"
    worlds = GridVecEnv(world_id, 4, render_mode="rgb_array", tile_size=8)
    worlds.seed(6)
    worlds.reset()
    first = lockstep.reference(world_id, render_mode="rgb_array", tile_size=8)
    first.reset(seed=6)
    picture = worlds.render()
    assert picture is not None
    assert picture.shape == (2 * 19 * 8, 2 * 19 * 8, 3)
    np.testing.assert_array_equal(picture[: 19 * 8, : 19 * 8], first.render())


def test_what_single_worlds_would_be_needed_for_is_refused() -> None:
    worlds = GridVecEnv("MiniGrid-Empty-5x5-v0", 2)
    worlds.reset()
    with pytest.raises(AttributeError, match="'steps' cannot be set"):
        worlds.set_attr("steps", 1)
    with pytest.raises(AttributeError, match="'render' cannot be called"):
        worlds.env_method("render")
    with pytest.raises(ValueError, match="action 7 is not one of 0 to 6"):
        worlds.step(np.array([0, 7]))
    with pytest.raises(ValueError, match="give 'rgb_array' or None"):
        GridVecEnv("MiniGrid-Empty-5x5-v0", 2, render_mode="human")


@pytest.mark.slow
def test_sb3s_ppo_learns_the_shortest_way_round_a_corner(monkeypatch: pytest.MonkeyPatch) -> None:
    # Four free cells, the goal on one: from every start it takes between 1 and 5 actions.
    corner = Level(
        width=4,
        height=4,
        max_steps=20,
        params=(1,),
        see_through_walls=True,
        missions=("get to the green goal square",),
    )
    monkeypatch.setitem(WORLDS, "test/Corner-v0", (empty.FAMILY, corner))
    worlds = VecMonitor(GridVecEnv("test/Corner-v0", 32))
    model = PPO(
        "MultiInputPolicy",
        worlds,
        n_steps=32,
        batch_size=256,
        learning_rate=2e-3,
        ent_coef=0.01,
        gamma=0.9,
        seed=0,
    )
    unseen = GridVecEnv("test/Corner-v0", 16)
    unseen.seed(10_000)
    before, _ = evaluate_policy(model, unseen, 64, deterministic=False, warn=False)
    model.learn(20_000)
    after, _ = evaluate_policy(model, unseen, 64, deterministic=False, warn=False)
    assert before < 0.6
    # At best 0.8875: 2.5 actions on average over the twelve starts of 20 that are allowed.
    assert after > 0.85
