"""One world as a gymnasium environment: both checkers, the vector, minigrid's pictures."""

import warnings
from typing import Any

import gymnasium
import lockstep
import numpy as np
import pytest
from explorer import Explorer
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3

from s2lab.envs import make_vec
from s2lab.envs.registration import WORLDS
from s2lab.envs.rendering import Canvas
from s2lab.envs.single import GridEnv

WORLD = "MiniGrid-DoorKey-5x5-v0"


def single(world_id: str = WORLD, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is out of date")  # of -v0 where -v1 exists
        return gymnasium.make(f"s2lab/{world_id}", **options)


@pytest.fixture(autouse=True)
def _no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.mark.slow  # compiles the layouts of all families
@pytest.mark.parametrize("world_id", sorted(WORLDS))
def test_both_checkers_pass(world_id: str) -> None:
    env = single(world_id)
    check_env(env.unwrapped, skip_render_check=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env_for_sb3(env)
    # SB3 takes three axes for a photograph, to be shown to its CnnPolicy.
    about_photographs = ("bounds are not in [0, 255]", "minimal resolution for an image is 36x36")
    said = [str(one.message) for one in caught]
    assert [text for text in said if not any(part in text for part in about_photographs)] == []


def test_gymnasiums_checker_passes_in_every_render_mode() -> None:
    check_env(single().unwrapped)


@pytest.mark.parametrize("world_id", [WORLD, "MiniGrid-MultiRoom-N2-S4-v0"])
@pytest.mark.parametrize("options", [{}, {"observation": "full"}, {"view_size": 11}])
def test_single_worlds_and_many_are_the_same(world_id: str, options: dict[str, Any]) -> None:
    many = make_vec(world_id, 4, autoreset="disabled", **options)
    ones = [single(world_id, **options) for _ in range(4)]
    random = np.random.default_rng(1)
    views, infos = many.reset(seed=20)
    for n, one in enumerate(ones):
        view, info = one.reset(seed=20 + n)
        assert_same(view, views, n)
        assert info["events"] == infos["events"][n]
    ends = 0
    for _ in range(400):
        actions = random.choice(7, 4, p=[0.15, 0.15, 0.4, 0.1, 0.05, 0.1, 0.05])
        views, rewards, terminated, truncated, infos = many.step(actions)
        for n, one in enumerate(ones):
            view, *outcome, info = one.step(actions[n])
            assert_same(view, views, n)
            assert outcome == [rewards[n], terminated[n], truncated[n]]
            assert info == {"events": infos["events"][n]}
            assert one.unwrapped.mission == many.mission_text(n)
        over = terminated | truncated
        if over.any():
            ends += over.sum()
            views, _ = many.reset(options={"reset_mask": over})
            for n in np.flatnonzero(over):
                assert_same(ones[n].reset()[0], views, n)
    assert ends > 3


def assert_same(one: dict[str, Any], many: dict[str, Any], n: int) -> None:
    assert one.keys() == many.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, many[name][n])
        assert np.asarray(values).dtype == many[name].dtype


def test_the_world_draws_from_its_own_generator_as_minigrids_does() -> None:
    ours, theirs = single("MiniGrid-FourRooms-v0"), lockstep.reference("MiniGrid-FourRooms-v0")
    for env in (ours, theirs):
        env.reset(seed=3)
    assert ours.unwrapped.np_random.integers(1000) == theirs.np_random.integers(1000)
    np.testing.assert_array_equal(ours.reset()[0]["image"], theirs.reset()[0]["image"])


@pytest.mark.parametrize(
    ("world_id", "options"),
    [
        (WORLD, {}),
        ("MiniGrid-KeyCorridorS3R2-v0", {"agent_pov": True}),
        ("MiniGrid-KeyCorridorS3R3-v0", {"highlight": False}),
        ("MiniGrid-MultiRoom-N4-S5-v1", {"agent_view_size": 5}),
        ("MiniGrid-Empty-Random-6x6-v0", {}),
    ],
)
def test_pictures_equal_minigrids(world_id: str, options: dict[str, Any]) -> None:
    options = {"tile_size": 12, **options}
    pair = lockstep.Lockstep(world_id, 8, view_size=options.pop("agent_view_size", 7))
    pair.env.render_mode = "rgb_array"
    for name, value in options.items():
        setattr(pair.env, name, value)
    canvas = Canvas(pair.batch, **options)
    explorer = Explorer(1, 7)
    for _ in range(80):
        pair.step(explorer.choose(pair.env))
        np.testing.assert_array_equal(canvas.draw(), pair.env.render())
        assert canvas.letters() == pair.env.pprint_grid()


def test_render_returns_the_picture_of_the_present_state() -> None:
    ours = single("MiniGrid-FourRooms-v0", render_mode="rgb_array", view_size=5, tile_size=8)
    theirs = lockstep.reference(
        "MiniGrid-FourRooms-v0", render_mode="rgb_array", agent_view_size=5, tile_size=8
    )
    ours.reset(seed=1), theirs.reset(seed=1)
    for action in (2, 1, 2, 0, 2):
        ours.step(action), theirs.step(action)
        np.testing.assert_array_equal(ours.render(), theirs.render())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"world_id": "MiniGrid-FourRoms-v0"}, "did you mean 'MiniGrid-FourRooms-v0'"),
        ({"view_size": 4}, "odd number from 3 to 15"),
        ({"observation": "half"}, "'partial', 'full'"),
        ({"render_mode": "ansi"}, "render_mode is 'ansi'; give 'human'"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GridEnv(**{"world_id": WORLD, **arguments})


def test_wrong_steps_change_nothing() -> None:
    env = GridEnv("MiniGrid-Empty-5x5-v0")
    with pytest.raises(ValueError, match=r"call reset\(\)"):
        env.step(0)
    env.reset(seed=0)
    before = env.batch.worlds.cells.copy()
    for action in (7, -1):
        with pytest.raises(ValueError, match=f"action {action} is not one of 0 to 6"):
            env.step(action)
    assert env.batch.worlds.step_count[0] == 0
    np.testing.assert_array_equal(env.batch.worlds.cells, before)
    for action in (2, 2, 1, 2, 2):
        *_, terminated, _, _ = env.step(action)
    assert terminated
    with pytest.raises(ValueError, match=r"call reset\(\)"):
        env.step(2)
