"""Worlds of squares: what a move does, what the image shows, what gymnasium thinks of them."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from s2lab.envs.squares import MOVES, WORLDS, Squares


def test_the_papers_world_has_121_places_and_each_looks_its_own() -> None:
    world = WORLDS["square"]
    states = world.every()
    assert states is not None
    images = world.images(states)
    assert states.shape == (121, 2)
    assert len(np.unique(images.reshape(121, -1), axis=0)) == 121
    assert (images.sum((1, 2, 3)) == 4).all()
    rows, columns = np.nonzero(images[np.flatnonzero((states == (3, 7)).all(1))[0], 0])
    assert sorted(set(zip(columns.tolist(), rows.tolist(), strict=True))) == [
        (3, 7), (3, 8), (4, 7), (4, 8),
    ]  # fmt: skip


@pytest.mark.parametrize("name", WORLDS)
def test_an_action_changes_its_own_factor_or_is_blocked(name: str) -> None:
    world = WORLDS[name]
    rng = np.random.default_rng(0)
    states = world.sample(rng, 300)
    after = world.successors(states, rng)  # [N, A, F]
    blocked = world.blocked(states)
    for action in range(len(world.action_names)):
        changed = after[:, action, : world.controllable] != states[:, : world.controllable]
        factor, change = world.effect(action)
        others = [i for i in range(world.controllable) if i != factor]
        assert not changed[:, others].any()
        assert (changed[:, factor] == ~blocked[:, action]).all()
        if change:
            moved = after[:, action, factor] - states[:, factor]
            assert (moved[~blocked[:, action]] == change).all()
    assert ((after >= 0) & (after < world.places)).all()


def test_moves_are_down_up_right_and_left_as_the_image_is_read() -> None:
    world = Squares()
    middle = np.array([[5, 5]])
    for action, (x, y) in enumerate(MOVES):
        after = world.successors(middle, None)[0, action]
        assert after.tolist() == [5 + x, 5 + y]
        before, now = world.images(middle)[0, 0], world.images(after[None])[0, 0]
        assert (np.roll(before, (y, x), (0, 1)) == now).all(), "rows are y, columns are x"


def test_distractors_move_by_themselves_in_five_ways_as_often() -> None:
    world = WORLDS["two-squares"]
    rng = np.random.default_rng(1)
    states = np.full((20_000, 6), 5)
    after = world.step(states, np.zeros(20_000, int), rng)
    ways, counts = np.unique(after[:, 4:] - 5, axis=0, return_counts=True)
    assert len(ways) == 5
    assert (abs(counts / 20_000 - 0.2) < 5 * np.sqrt(0.2 * 0.8 / 20_000)).all()
    with pytest.raises(ValueError, match="random generator"):
        world.step(states, np.zeros(20_000, int), None)


@pytest.mark.parametrize(
    "name", ["s2lab/Square-v0", "s2lab/TwoSquares-v0", "s2lab/ToggleSquare-v0"]
)
def test_gymnasium_accepts_each_world_and_infos_tell_the_factors(name: str) -> None:
    env = gym.make(name)
    check_env(env.unwrapped, skip_render_check=True)
    first, info = env.reset(seed=3)
    again, _ = env.reset(seed=3)
    assert (first == again).all()
    assert set(info["factors"]) == set(env.unwrapped.squares.factor_names)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="not one of 0 to"):
        env.step(99)


def test_squares_differ_in_colour_so_that_images_tell_states_apart() -> None:
    world = Squares(squares=2, distractors=1)
    here, there = np.array([[1, 1, 7, 7, 4, 4]]), np.array([[7, 7, 1, 1, 4, 4]])
    assert world.images(here).shape == (1, 3, 12, 12)
    assert (world.images(here) != world.images(there)).any(), "the two squares changed places"
    assert world.every() is None
    dim = Squares(toggle=True).images(np.array([[2, 2, 0], [2, 2, 1]]))
    assert set(np.unique(dim[0])) == {0.0, 0.5}
    assert set(np.unique(dim[1])) == {0.0, 1.0}


def test_many_worlds_step_as_one_does_and_begin_anew_together() -> None:
    many = gym.make_vec("s2lab/TwoSquares-v0", 16, vectorization_mode="vector_entry_point")
    shown, info = many.reset(seed=4)
    again, _ = many.reset(seed=4)
    assert (shown == again).all()
    world = WORLDS["two-squares"]
    names, rng = world.factor_names, np.random.default_rng(0)
    for step in range(1, 102):
        before = np.stack([info["factors"][name] for name in names], axis=1)
        actions = rng.integers(0, 8, 16)
        shown, _, _, cut, info = many.step(actions)
        states = np.stack([info["factors"][name] for name in names], axis=1)
        assert (shown == world.images(states)).all()
        assert (cut == (step == 100)).all()
        if step <= 100:  # the next one begins anew
            wanted = world.successors(before, rng)[np.arange(16), actions]
            assert (states[:, :4] == wanted[:, :4]).all()
    with pytest.raises(ValueError, match="0 to 7"):
        many.step(np.full(16, 8))


def test_sizes_that_cannot_be_are_refused() -> None:
    for wrong in ({"squares": 0}, {"side": 12}, {"distractors": -1}):
        with pytest.raises(ValueError, match="must be"):
            Squares(**wrong)
