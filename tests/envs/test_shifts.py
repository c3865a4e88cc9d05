"""Named shifts and mission filters, against minigrid's own worlds and against rejection there."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gymnasium
import lockstep
import numpy as np
import pytest
from done_actions import instructions
from minigrid.envs import FourRoomsEnv, MultiRoomEnv
from scipy.stats import chi2_contingency

from s2lab.envs import make_vec
from s2lab.envs.registration import SHIFTED, find_world
from s2lab.envs.shifts import HELD_OUT, SHIFTS, SPLITS, MissionFilter, shifted_id, unshifted_id

SEEDS = 5
PAIRED = SHIFTS["held_out_pairs"].worlds


def pairs_of(env: Any) -> set[tuple[str, str]]:
    """The colours and types of what minigrid's mission speaks of, when an episode begins."""
    found = set()
    for part in instructions(env.instrs):
        for name in ("desc", "desc_move", "desc_fixed"):
            if hasattr(part, name):
                found |= {(thing.color, thing.type) for thing in getattr(part, name).obj_set}
    return found


def altered(world_id: str, methods: dict[str, Callable[..., Any]], **kwargs: Any) -> Any:
    """minigrid's environment with some of its methods replaced."""
    env = lockstep.reference(world_id, **kwargs)
    env.__class__ = type("Altered", (type(env),), methods)
    return env


def rejecting(world_id: str, allowed: Callable[[Any], bool]) -> Any:
    """minigrid's environment, reset until a mission is allowed."""
    base = type(lockstep.reference(world_id))

    def reset(self: Any, **kwargs: Any) -> Any:
        outcome = base.reset(self, **kwargs)
        while not allowed(self):
            outcome = base.reset(self)
        return outcome

    return altered(world_id, {"reset": reset})


def counting(world_id: str, least: int, spread: int) -> Any:
    """minigrid's environment where each mission first draws how many things there are."""
    base = type(lockstep.reference(world_id))
    name = "num_objs" if "PutNext" in world_id else "num_dists"

    def gen_mission(self: Any) -> None:
        setattr(self, name, least + self._rand_int(0, spread + 1))
        base.gen_mission(self)

    return altered(world_id, {"gen_mission": gen_mission})


def play_beside(
    monkeypatch: pytest.MonkeyPatch, env: Any, world: Any, steps: int = 60, actions: int = 7
) -> None:
    """Twenty starts and some random steps of a world of ours beside one of minigrid's."""
    monkeypatch.setattr(lockstep, "reference", lambda *_, **__: env)
    monkeypatch.setattr(lockstep, "find_world", lambda _: world)
    pair = lockstep.Lockstep("shifted", SEEDS)
    for _ in range(20):
        pair.restart()
    for action in np.random.default_rng(0).integers(0, actions, steps).tolist():
        pair.step(action)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("world_id", PAIRED)
def test_held_out_pairs_are_minigrids_worlds_under_rejection(
    monkeypatch: pytest.MonkeyPatch, world_id: str, split: str
) -> None:
    env = rejecting(world_id, lambda env: bool(pairs_of(env) & HELD_OUT) == (split == "test"))
    play_beside(monkeypatch, env, find_world(world_id, shift="held_out_pairs", split=split))


def test_no_forbidden_mission_in_100000_resets() -> None:
    worlds = make_vec(PAIRED[0], 1000, seed=1, shift="held_out_pairs", split="train")
    forbidden = {f"go to {article} {c} {t}" for c, t in HELD_OUT for article in ("a", "the")}
    missions = set[bytes]()
    for _ in range(100):
        observation, _ = worlds.reset()
        missions.update(row.tobytes() for row in observation["mission"])
    texts = {
        worlds.mission_text(0)
        for row in missions
        for worlds.batch.worlds.tokens[0] in [np.frombuffer(row, np.int16)]
    }
    assert len(texts) == 2 * (18 - len(HELD_OUT))  # every allowed pair with either article
    assert not texts & forbidden


def test_allowed_missions_are_as_frequent_as_in_minigrid_under_rejection() -> None:
    env = lockstep.reference("BabyAI-GoToLocal-v0")
    theirs = Counter[str]()
    for seed in range(4000):
        mission = env.reset(seed=seed)[0]["mission"]
        if not pairs_of(env) & HELD_OUT:
            theirs[mission] += 1
    worlds = make_vec("BabyAI-GoToLocal-v0", 1000, seed=2, shift="held_out_pairs", split="train")
    ours = Counter[str]()
    for _ in range(20):
        worlds.reset()
        ours.update(worlds.mission_text(n) for n in range(1000))
    names = sorted(set(ours) | set(theirs))
    table = [[counts[name] for name in names] for counts in (ours, theirs)]
    assert chi2_contingency(table).pvalue > 0.01


COUNTS = {"BabyAI-GoToRedBall-v0": (0, 2), "BabyAI-GoToLocal-v0": (1, 2)} | {
    "BabyAI-PickupLoc-v0": (1, 2),
    "BabyAI-PutNextLocal-v0": (2, 2),
}


@pytest.mark.parametrize("world_id", COUNTS)
def test_more_distractors_are_minigrids_worlds_with_other_counts(
    monkeypatch: pytest.MonkeyPatch, world_id: str
) -> None:
    least, spread = COUNTS[world_id]
    train = find_world(world_id, shift="more_distractors", split="train")
    test = find_world(world_id, shift="more_distractors", split="test")
    with monkeypatch.context() as patch:
        play_beside(patch, counting(world_id, least, spread), train)
    play_beside(monkeypatch, counting(world_id, least + 11, 0), test)


@pytest.mark.parametrize("name", ["GoToLocal", "PickupLoc", "PutNextLocal", "GoTo", "BossLevel"])
def test_larger_rooms_are_minigrids(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    world_id = f"BabyAI-{name}-v0"
    world = find_world(world_id, shift="larger_rooms", split="test")
    play_beside(monkeypatch, lockstep.reference(world_id, room_size=12), world)


def test_larger_four_rooms_are_minigrids(monkeypatch: pytest.MonkeyPatch) -> None:
    world = find_world("MiniGrid-FourRooms-v0", shift="larger_rooms", split="test")
    env = FourRoomsEnv(max_steps=173)
    env.width = env.height = 25
    play_beside(monkeypatch, env, world)


@pytest.mark.parametrize("split", SPLITS)
def test_walking_in_four_rooms_is_minigrids_with_three_actions(
    monkeypatch: pytest.MonkeyPatch, split: str
) -> None:
    family, level = find_world("MiniGrid-FourRooms-v0", shift="walking", split=split)
    assert level.actions == 3
    larger = find_world("MiniGrid-FourRooms-v0", shift="larger_rooms", split=split)
    assert (family, replace(level, actions=7)) == larger
    env = FourRoomsEnv(max_steps=100 if split == "train" else 173)
    env.width = env.height = 19 if split == "train" else 25
    play_beside(monkeypatch, env, (family, level), actions=3)


@pytest.mark.parametrize("name", ["GoTo", "GoToSeq", "BossLevel"])
def test_fewer_rooms_are_minigrids(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    world_id = f"BabyAI-{name}-v0"
    world = find_world(world_id, shift="more_rooms", split="train")
    env = lockstep.reference(world_id, num_rows=2, num_cols=2, num_dists=8)
    play_beside(monkeypatch, env, world)


def test_two_rooms_in_a_row_are_minigrids(monkeypatch: pytest.MonkeyPatch) -> None:
    world = find_world("MiniGrid-MultiRoom-N6-v0", shift="more_rooms", split="train")
    play_beside(monkeypatch, MultiRoomEnv(minNumRooms=2, maxNumRooms=2), world)


@pytest.mark.parametrize("keep", ["avoid", "require"])
def test_a_filter_of_ones_own_looks_at_actions_and_locations(keep: Any) -> None:
    missions = MissionFilter(
        keep, actions=frozenset({"open"}), locations=frozenset({"left", "behind"})
    )
    worlds = make_vec("BabyAI-MiniBossLevel-v0", 500, seed=3, missions=missions)
    worlds.reset()
    words = ("open", "on your left", "behind you")
    for n in range(500):
        text = worlds.mission_text(n)
        assert any(word in text for word in words) == (keep == "require"), text


def test_the_same_seed_gives_the_same_missions() -> None:
    first, second = (
        make_vec("BabyAI-PickupLoc-v0", 8, seed=4, shift="held_out_pairs", split="test")
        for _ in range(2)
    )
    assert np.array_equal(first.reset()[0]["image"], second.reset()[0]["image"])
    alone = make_vec("BabyAI-PickupLoc-held_out_pairs-test-v0", 1, seed=4 + 3)
    first.reset(seed=4)
    alone.reset()
    assert alone.mission_text(0) == first.mission_text(3)


@pytest.mark.parametrize(
    ("words", "kwargs"),
    [
        ("did you mean 'more_rooms'", {"shift": "more_room", "split": "test"}),
        ("split is 'valid'", {"shift": "more_rooms", "split": "valid"}),
        ("give both or none", {"split": "test"}),
        ("not defined for 'BabyAI-GoToObj-v0'", {"shift": "more_rooms", "split": "test"}),
    ],
)
def test_variants_that_do_not_exist_are_refused(words: str, kwargs: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=words):
        make_vec("BabyAI-GoToObj-v0", 2, **kwargs)


def test_a_filter_that_lets_no_mission_through_is_refused() -> None:
    missions = MissionFilter("require", frozenset({("red", "box")}))
    with pytest.raises(ValueError, match="let none of"):
        make_vec("BabyAI-GoToRedBall-v0", 2, missions=missions)


def test_a_filter_that_names_nothing_or_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="names nothing"):
        MissionFilter("avoid")
    with pytest.raises(ValueError, match="colour is 'pink'"):
        MissionFilter("avoid", frozenset({("pink", "box")}))
    with pytest.raises(ValueError, match="one of BabyAI's worlds"):
        make_vec("MiniGrid-Empty-8x8-v0", 1, missions=MissionFilter("avoid", HELD_OUT))


def test_every_split_is_a_gymnasium_id_of_its_own() -> None:
    for world_id in SHIFTED:
        assert world_id in gymnasium.registry
    world_id = shifted_id("BabyAI-GoToLocal-v0", "held_out_pairs", "train")
    assert world_id == "BabyAI-GoToLocal-held_out_pairs-train-v0"
    assert unshifted_id(world_id) == "BabyAI-GoToLocal-v0"
    assert unshifted_id("BabyAI-GoTo-v0") == "BabyAI-GoTo-v0"
    env = gymnasium.make(world_id)
    observation, _ = env.reset(seed=1)
    assert env.observation_space.contains(observation)
