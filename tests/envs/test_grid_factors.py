"""DoorKey's true factors: against the engine, against minigrid, and states that can be."""

import gymnasium as gym
import numpy as np
import pytest
from minigrid.core.constants import OBJECT_TO_IDX
from minigrid.envs.doorkey import DoorKeyEnv
from minigrid.wrappers import FullyObsWrapper

from s2lab.envs.choose import vector_worlds
from s2lab.envs.controllable import CONTROLLABLE, make_controllable
from s2lab.envs.grid_factors import FACTORS, GridFactors

ID = "s2lab/DoorKeyFactors-8x8-v0"


def test_factors_are_minigrids_own_along_random_play() -> None:
    ours = gym.make(ID)
    theirs = DoorKeyEnv(size=8)
    shown, info = ours.reset(seed=5)
    theirs.reset(seed=5)
    rng = np.random.default_rng(0)
    for _ in range(300):
        door = next(cell for cell in theirs.grid.grid if cell is not None and cell.type == "door")
        truth = {
            "agent_x": theirs.agent_pos[0],
            "agent_y": theirs.agent_pos[1],
            "direction": theirs.agent_dir,
            "carrying": int(theirs.carrying is not None),
            "door": 0 if door.is_open else 2 if door.is_locked else 1,
        }
        assert info["factors"] == truth
        whole = FullyObsWrapper(theirs).observation(theirs.gen_obs())
        assert (shown["image"] == whole["image"]).all()
        action = int(rng.integers(0, 7))
        shown, _, ended, cut, info = ours.step(action)
        _, _, also, too, _ = theirs.step(action)
        assert (ended, cut) == (also, too)
        if ended or cut:
            break


def test_many_worlds_tell_the_factors_of_each() -> None:
    many = vector_worlds(ID, 8)
    _, info = many.reset(seed=list(range(8)))
    assert set(info["factors"]) == set(FACTORS)
    for n in range(8):
        one = gym.make(ID)
        assert one.reset(seed=n)[1]["factors"] == {k: v[n] for k, v in info["factors"].items()}
    many.step(np.full(8, 2))
    assert many.reset()[1]["factors"]["door"].tolist() == [2] * 8


@pytest.fixture(scope="module")
def world() -> GridFactors:
    return GridFactors(ID)


def test_states_are_drawn_as_promised_and_look_as_the_engine_shows_them(world: GridFactors) -> None:
    states = world.sample(np.random.default_rng(0), 4000)
    symbols = world.symbols(states)
    assert (np.sum(symbols[..., 0] == OBJECT_TO_IDX["agent"], axis=(1, 2)) == 1).all()
    keys = np.sum(symbols[..., 0] == OBJECT_TO_IDX["key"], axis=(1, 2))
    factors = dict(zip(world.factor_names, world.factors(states).T, strict=True))
    assert (keys == 1 - factors["carrying"]).all(), "a key is carried or lies somewhere"
    assert factors["carrying"].mean() == pytest.approx(0.5, abs=0.05)
    assert factors["door_open"].mean() == pytest.approx(1 / 3, abs=0.05)
    assert (abs(factors["facing_x"]) + abs(factors["facing_y"]) == 1).all()
    free = ~world.blocked(states)
    assert free[:, :2].all(), "a turn always turns"
    assert (free.mean(0)[2:] > 0.1).all(), "every action works in many states"


def test_successors_change_what_their_action_is_about(world: GridFactors) -> None:
    states = world.sample(np.random.default_rng(1), 500)
    after = world.successors(states)  # [N, A, ...]
    before = world.factors(states)
    names = np.array(world.factor_names)
    allowed = {
        "left": {"facing_x", "facing_y"},
        "right": {"facing_x", "facing_y"},
        "forward": {"agent_x", "agent_y"},
        "pickup": {"carrying"},
        "drop": {"carrying"},
        "toggle": {"door_open", "door_locked"},
    }
    for action, name in enumerate(world.action_names):
        changed = world.factors(after[:, action]) != before
        assert set(names[changed.any(0)]) == allowed[name]
    images = world.images(states)
    assert images.shape == (500, *world.shape)
    assert (images.sum(1) == 2).all(), "one type and one state in every cell"


def test_worlds_have_names() -> None:
    for name in CONTROLLABLE:
        made = make_controllable(name)
        assert made.controllable <= len(made.factor_names)
    with pytest.raises(ValueError, match="unknown world"):
        make_controllable("circle")
