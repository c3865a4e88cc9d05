"""The vector interface against gymnasium's SyncVectorEnv over minigrid's own environments."""

import contextlib
from collections.abc import Iterator
from typing import Any

import gymnasium
import lockstep
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TransformObservation
from gymnasium.wrappers.vector import (
    ClipReward,
    DictInfoToList,
    FilterObservation,
    FlattenObservation,
    NormalizeReward,
    RecordEpisodeStatistics,
    TransformReward,
    VectorizeTransformObservation,
)

from s2lab.envs import make_vec
from s2lab.envs.grid.levels import FAMILIES
from s2lab.envs.grid.worlds import make_rules, make_worlds
from s2lab.envs.registration import WORLDS
from s2lab.envs.single import GridEnv
from s2lab.envs.spaces import EVENT_BITS
from s2lab.envs.vocabulary import decode

WORLD = "MiniGrid-DoorKey-5x5-v0"
COUNT = 5


def sync(mode: AutoresetMode) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: lockstep.reference(WORLD)] * COUNT, autoreset_mode=mode)


def assert_same_view(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    np.testing.assert_array_equal(ours["image"], theirs["image"])
    np.testing.assert_array_equal(ours["direction"], theirs["direction"])
    assert [decode(row) for row in np.atleast_2d(ours["mission"])] == (
        [theirs["mission"]] if isinstance(theirs["mission"], str) else list(theirs["mission"])
    )


@contextlib.contextmanager
def unchanged(env: Any) -> Iterator[None]:
    """The worlds and what they hand out are afterwards what they were."""
    arrays = [*env.batch.worlds, *env.batch.outputs]
    before = [array.copy() for array in arrays]
    yield
    for array, kept in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, kept)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_autoreset_mode_equals_gymnasiums(mode: AutoresetMode) -> None:
    env, peer = make_vec(WORLD, COUNT, autoreset=mode), sync(mode)
    assert env.metadata["autoreset_mode"] is mode
    assert_same_view(env.reset(seed=4)[0], peer.reset(seed=4)[0])
    random = np.random.default_rng(0)
    ended_worlds = 0
    for _ in range(700):
        actions = random.choice(7, COUNT, p=[0.15, 0.15, 0.4, 0.1, 0.05, 0.1, 0.05])
        view, reward, terminated, truncated, info = env.step(actions)
        peer_view, peer_reward, peer_terminated, peer_truncated, peer_info = peer.step(actions)
        assert_same_view(view, peer_view)
        np.testing.assert_array_equal(reward, peer_reward)
        np.testing.assert_array_equal(terminated, peer_terminated)
        np.testing.assert_array_equal(truncated, peer_truncated)
        assert reward.dtype == np.float64
        assert ("final_obs" in info) == ("final_obs" in peer_info)
        if "final_obs" in info:
            np.testing.assert_array_equal(info["_final_obs"], peer_info["_final_obs"])
            for ours, theirs in zip(info["final_obs"], peer_info["final_obs"], strict=True):
                assert (ours is None) == (theirs is None)
                if ours is not None:
                    assert_same_view(ours, theirs)
        ended = terminated | truncated
        ended_worlds += ended.sum()
        if mode is AutoresetMode.DISABLED and ended.any():
            with pytest.raises(ValueError, match="have ended"):
                env.step(actions)
            options = {"reset_mask": ended}
            assert_same_view(
                env.reset(options=dict(options))[0], peer.reset(options=dict(options))[0]
            )
    assert ended_worlds > 5


def test_seeds_number_the_worlds_and_a_list_seeds_each() -> None:
    env, peer = make_vec(WORLD, COUNT), sync(AutoresetMode.SAME_STEP)
    assert_same_view(env.reset(seed=11)[0], peer.reset(seed=11)[0])
    seeds = [5, 3, 3, 9, 2**40]
    assert_same_view(env.reset(seed=seeds)[0], peer.reset(seed=seeds)[0])
    assert_same_view(env.reset()[0], peer.reset()[0])
    assert_same_view(make_vec(WORLD, COUNT, seed=11).reset()[0], peer.reset(seed=11)[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_worlds_do_not_depend_on_threads_or_number(family: str) -> None:
    world_id = list(FAMILIES[family].levels)[-1]
    many, one = make_vec(world_id, 600, threads=3), make_vec(world_id, 300)
    many.batch.shards.preference.helped = True
    many.reset(seed=100), one.reset(seed=100)
    random = np.random.default_rng(3)
    for _ in range(40):
        actions = random.integers(0, many.single_action_space.n, 600)
        view, reward, *_ = many.step(actions)
        view_of_one, reward_of_one, *_ = one.step(actions[:300])
        for name, values in view.items():
            np.testing.assert_array_equal(values[:300], view_of_one[name])
        np.testing.assert_array_equal(reward[:300], reward_of_one)
    np.testing.assert_array_equal(many.batch.worlds.rng[:300], one.batch.worlds.rng)
    many.close()


def test_observations_lie_in_their_spaces() -> None:
    for options in ({}, {"observation": "full"}, {"view_size": 11}):
        env = make_vec("MiniGrid-KeyCorridorS3R2-v0", 3, **options)
        view, _ = env.reset(seed=1)
        assert env.observation_space.contains(view)
        view, *_ = env.step(env.action_space.sample())
        assert env.observation_space.contains(view)
        assert env.mission_text(1) == decode(view["mission"][1])


def test_gymnasium_makes_the_same_worlds() -> None:
    for world_id in WORLDS:
        assert f"s2lab/{world_id}" in gymnasium.registry
    env = gymnasium.make_vec("s2lab/MiniGrid-FourRooms-v0", num_envs=3)
    ours = make_vec("MiniGrid-FourRooms-v0", 3)
    np.testing.assert_array_equal(env.reset(seed=1)[0]["image"], ours.reset(seed=1)[0]["image"])


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_info_equals_that_of_gymnasiums_vector_over_single_worlds(
    mode: AutoresetMode,
) -> None:
    world_id = "MiniGrid-Empty-Random-5x5-v0"
    env = make_vec(world_id, COUNT, autoreset=mode)
    peer = SyncVectorEnv([lambda: GridEnv(world_id)] * COUNT, autoreset_mode=mode)
    assert env.single_observation_space == peer.single_observation_space
    assert env.observation_space == peer.observation_space
    assert env.action_space == peer.action_space
    seeds = [8, None, 3, 2**50, 0]
    for reset in ({"seed": 3}, {"seed": [*seeds[:1], 1, *seeds[2:]]}):
        assert_same_nest(env.reset(**reset), peer.reset(**reset))
    random = np.random.default_rng(5)
    ends = 0
    for i in range(500):
        if i % 50 == 49:  # a part of the worlds, some of them seeded anew
            mask = random.random(COUNT) < 0.5
            mask[i % COUNT] = True
            ours = env.reset(seed=seeds, options={"reset_mask": mask})
            assert_same_nest(ours, peer.reset(seed=seeds, options={"reset_mask": mask.copy()}))
        actions = random.choice(7, COUNT, p=[0.15, 0.15, 0.4, 0.1, 0.05, 0.1, 0.05])
        *ours, info = env.step(actions)
        *theirs, peer_info = peer.step(actions)
        ended = ours[2] | ours[3]
        if mode is AutoresetMode.SAME_STEP:
            # Where an episode ended, ours shows the last step's events, gymnasium's the reset's.
            peer_info["events"] = np.where(ended, info["events"], peer_info["events"])
        assert_same_nest((*ours, info), (*theirs, peer_info))
        ends += int(ended.sum())
        if mode is AutoresetMode.DISABLED and ended.any():
            options = {"reset_mask": ended}
            assert_same_nest(env.reset(options=options), peer.reset(options=dict(options)))
    assert ends > 4


def assert_same_nest(ours: Any, theirs: Any) -> None:
    """Equal keys, lengths and values; numbers of other types may be equal."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for name in theirs:
            assert_same_nest(ours[name], theirs[name])
    elif isinstance(theirs, tuple | list) or (
        isinstance(theirs, np.ndarray) and theirs.dtype.kind == "O"
    ):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same_nest(one, other)
    else:
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "wrap",
    [
        NormalizeReward,
        lambda env: TransformReward(env, lambda reward: reward * 2),
        lambda env: ClipReward(env, 0, 0.5),
        lambda env: FilterObservation(env, ["image", "direction"]),
        lambda env: FlattenObservation(env),
        DictInfoToList,
        lambda env: VectorizeTransformObservation(
            env, TransformObservation, func=_same_view, observation_space=None
        ),
    ],
)
def test_gymnasiums_wrappers_do_the_same_over_ours_as_over_its_own_vector(wrap: Any) -> None:
    mode = AutoresetMode.NEXT_STEP  # what gymnasium's observation wrappers insist on
    own = SyncVectorEnv([lambda: GridEnv("MiniGrid-Empty-5x5-v0")] * COUNT, autoreset_mode=mode)
    ours, theirs = (
        wrap(RecordEpisodeStatistics(env))
        for env in (make_vec("MiniGrid-Empty-5x5-v0", COUNT, autoreset=mode), own)
    )
    assert_same_nest(ours.reset(seed=2)[0], theirs.reset(seed=2)[0])
    random = np.random.default_rng(4)
    ends = 0
    for _ in range(150):
        actions = random.choice(3, COUNT, p=[0.2, 0.2, 0.6])
        *values, info = ours.step(actions)
        *peer_values, peer_info = theirs.step(actions)
        assert_same_nest(values, peer_values)
        if isinstance(info, dict) and "episode" in peer_info:
            ends += 1
            for name in ("r", "l"):
                assert_same_nest(info["episode"][name], peer_info["episode"][name])
        elif isinstance(info, list):
            ends += sum("episode" in one for one in info)
            assert [one.keys() for one in info] == [one.keys() for one in peer_info]
    assert ends > 0


def _same_view(view: dict[str, Any]) -> dict[str, Any]:
    return view


def test_live_buffers_are_written_in_place_and_copies_are_not() -> None:
    for copy in (True, False):
        env = make_vec("MiniGrid-Empty-8x8-v0", 2, output="torch", copy=copy)
        first, _ = env.reset(seed=0)
        before = first["direction"].clone()
        second, reward, *_ = env.step(np.array([1, 1]))
        assert isinstance(reward, torch.Tensor)
        assert torch.equal(first["direction"], before) == copy
        assert (first["image"].data_ptr() == second["image"].data_ptr()) == (not copy)


def test_events_tell_what_happened() -> None:
    env = make_vec("MiniGrid-Empty-5x5-v0", 1, autoreset="disabled")
    _, info = env.reset(seed=0)
    assert info["events"].dtype == np.uint16
    assert info["events"][0] == EVENT_BITS["goal_in_view"]
    for action in (2, 2, 1, 2):
        *_, info = env.step(np.array([action]))
        assert not info["events"][0] & EVENT_BITS["mission_part_done"]
    *_, terminated, _, info = env.step(np.array([2]))
    assert terminated[0]
    assert info["events"][0] & EVENT_BITS["mission_part_done"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"world_id": "MiniGrid-FourRoms-v0"}, "did you mean 'MiniGrid-FourRooms-v0'"),
        ({"num_envs": 0}, "num_envs is 0"),
        ({"num_envs": 2.0}, "num_envs is 2.0; give a whole number"),
        ({"view_size": 4}, "odd number from 3 to 15"),
        ({"view_size": 17}, "odd number from 3 to 15"),
        ({"autoreset": "never"}, "'disabled', 'next_step', 'same_step'"),
        ({"observation": "half"}, "'partial', 'full'"),
        ({"output": "jax"}, "'numpy', 'torch'"),
        ({"threads": 0}, "threads is 0"),
        ({"threads": 1.5}, "threads is 1.5; give a whole number"),
        ({"device": "tpu"}, "device is 'tpu'; give 'cpu', 'cuda'"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": [1, 2, 3]}, "3 seeds for 2 worlds"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_vec(**{"world_id": WORLD, "num_envs": 2, **arguments})


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([0, 7], "action 7 is not one of 0 to 6"),
        ([-1, 0], "action -1 is not one of 0 to 6"),
        ([0], r"shape \(1,\); give \(2,\)"),
        ([[0, 1]], r"shape \(1, 2\); give \(2,\)"),
        ([0.0, 1.0], "type float64; give whole numbers"),
        ([True, False], "type bool; give whole numbers"),
    ],
)
def test_wrong_actions_change_nothing(actions: list[Any], message: str) -> None:
    env = make_vec(WORLD, 2)
    env.reset(seed=0)
    with unchanged(env), pytest.raises(ValueError, match=message):
        env.step(np.array(actions))


def test_worlds_with_three_actions_refuse_the_fourth() -> None:
    env = make_vec("MiniGrid-Dynamic-Obstacles-5x5-v0", 2)
    env.reset(seed=0)
    with unchanged(env), pytest.raises(ValueError, match="action 3 is not one of 0 to 2"):
        env.step([2, 3])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": [7, -3]}, "seed is -3; give a whole number from 0"),
        ({"seed": [7]}, "1 seeds for 2 worlds"),
        ({"seed": 1.5}, "seed is 1.5; give a whole number"),
        ({"seed": [7, 1.5]}, "give a whole number, or one for each world"),
        ({"seed": "ab"}, "seed is 'ab'"),
        ({"seed": 7, "options": {"reset_mask": [True, False]}}, "give a bool array of shape"),
        ({"seed": 7, "options": {"reset_mask": np.ones(3, np.bool_)}}, r"of shape \(2,\)"),
        ({"seed": 7, "options": {"reset_mask": np.zeros(2, np.bool_)}}, "names no world"),
    ],
)
def test_a_wrong_reset_changes_nothing(arguments: dict[str, Any], message: str) -> None:
    env = make_vec(WORLD, 2)
    env.reset(seed=0)
    with unchanged(env), pytest.raises(ValueError, match=message):
        env.reset(**arguments)


@pytest.mark.parametrize("view_size", range(3, 16, 2))
def test_the_state_of_a_world_takes_at_most_4096_bytes(view_size: int) -> None:
    for family, level in WORLDS.values():
        rules = make_rules(
            level.width,
            level.height,
            view_size=view_size,
            see_through_walls=level.see_through_walls,
            full=False,
            ending=level.ending,
        )
        words = level.mission_length
        worlds = make_worlds(10, rules, slots=level.slots, words=words, scratch=level.scratch)
        assert max(level.width, level.height) <= 25
        assert sum(array.nbytes for array in worlds) / 10 <= 4096, family.name
