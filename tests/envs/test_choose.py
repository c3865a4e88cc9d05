"""Native worlds in place of the package's own: the agent cannot tell."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from s2lab.envs.choose import is_native, vector_worlds
from s2lab.envs.external import make_external_vec, register_packages


def test_a_native_world_and_its_package_show_the_same_to_an_agent() -> None:
    register_packages(())
    env_id = "MiniGrid-DoorKey-5x5-v0"
    assert is_native(env_id)
    seeds = [2**40 + i for i in range(4)]
    ours, theirs = vector_worlds(env_id, 4), make_external_vec(env_id, 4)
    assert ours.single_observation_space == theirs.single_observation_space
    assert ours.single_action_space == theirs.single_action_space
    rng = np.random.default_rng(0)
    shown, _ = ours.reset(seed=seeds)  # type: ignore[arg-type]  # lists work
    expected, _ = theirs.reset(seed=seeds)  # type: ignore[arg-type]  # lists work
    for _ in range(300):
        for name in expected:
            assert np.array_equal(shown[name], expected[name]), name
        actions = rng.integers(0, 7, 4)
        shown, *outcome, _ = ours.step(actions)
        expected, *wanted, _ = theirs.step(actions)
        for got, want in zip(outcome, wanted, strict=True):
            assert np.array_equal(got, want)


def test_an_id_without_a_native_world_comes_from_its_package() -> None:
    register_packages(())
    assert not is_native("CartPole-v1")
    worlds = vector_worlds("CartPole-v1", 2, AutoresetMode.DISABLED)
    assert isinstance(worlds, gym.vector.SyncVectorEnv)


@pytest.mark.parametrize("env_id", ["MiniGrid-WFC-MazeSimple-v0", "MiniGrid-WFC-ObstaclesHogs3-v0"])
def test_a_world_that_minigrid_was_released_without_says_so_in_one_line(env_id: str) -> None:
    register_packages(())
    with pytest.raises(gym.error.Error, match=r"minigrid 3\.2\.0 was released without") as raised:
        make_external_vec(env_id, 2)
    assert env_id in str(raised.value)
    assert "\n" not in str(raised.value)
