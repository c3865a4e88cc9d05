"""Every MiniGrid world of the engine against minigrid's own, step by step."""

import dataclasses

import gymnasium
import lockstep
import minigrid  # noqa: F401  # registers the reference environments
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minigrid.envs import DynamicObstaclesEnv

from s2lab.envs import make_vec
from s2lab.envs.grid.levels import obstacles
from s2lab.envs.registration import ELSEWHERE, SHIFTED, WORLDS

MINIGRID_IDS = sorted(
    world_id
    for world_id in gymnasium.registry
    if world_id.startswith("MiniGrid-") and world_id not in SHIFTED
)

IDS = [i for i in MINIGRID_IDS if not i.startswith(tuple(ELSEWHERE))]

# What has to happen at least three times in 2,400 steps or more of each family's worlds together.
EXERCISED = {
    "BlockedUnlockPickup": ("successes", "picked", "dropped", "opened", "closed", "unlocked"),
    "DistShift": ("successes", "failures"),
    "DoorKey": ("successes", "picked", "dropped", "opened", "closed", "unlocked"),
    "Dynamic-Obstacles": ("successes", "failures"),
    "Empty": ("successes",),
    "Fetch": ("successes", "failures", "picked"),
    "FourRooms": ("successes",),
    "GoToDoor": ("successes", "failures", "opened"),
    "GoToObject": ("successes", "failures", "picked", "dropped", "box_opened"),
    "KeyCorridor": ("successes", "picked", "dropped", "opened", "closed", "unlocked"),
    "LavaCrossing": ("successes", "failures"),
    "LavaGap": ("successes", "failures"),
    "LockedRoom": ("successes", "picked", "dropped", "opened", "closed", "unlocked"),
    "Memory": ("successes", "failures"),
    "MultiRoom": ("successes", "opened", "closed"),
    "ObstructedMaze-1": ("successes", "picked", "dropped", "opened", "unlocked", "box_opened"),
    "ObstructedMaze-2": ("successes", "picked", "dropped", "opened", "unlocked", "box_opened"),
    "ObstructedMaze-Full": ("picked", "dropped", "opened", "closed", "box_opened"),
    "Playground": ("picked", "dropped", "opened", "closed", "box_opened"),
    "PutNear": ("successes", "failures", "picked", "dropped", "box_opened"),
    "RedBlueDoors": ("successes", "failures", "opened", "closed"),
    "SimpleCrossing": ("successes",),
    "Unlock-": ("successes", "picked", "dropped", "unlocked"),
    "UnlockPickup": ("successes", "picked", "dropped", "opened", "unlocked"),
}


def test_every_id_is_done_or_named_as_left_to_minigrid() -> None:
    assert set(IDS) == {world_id for world_id in WORLDS if world_id.startswith("MiniGrid-")}
    assert len(IDS) == 76


@pytest.mark.parametrize("world_id", sorted(set(MINIGRID_IDS) - set(IDS)))
def test_worlds_left_to_minigrid_do_not_run_there_either(world_id: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"patterns.*png"):
        lockstep.reference(world_id).reset(seed=0)
    with pytest.raises(ValueError, match="pattern images"):
        make_vec(world_id, 2)


@pytest.mark.parametrize("world_id", IDS)
def test_world_equals_minigrids(world_id: str) -> None:
    for seed in (1, 2024):
        lockstep.run(world_id, seed, 300)


@pytest.mark.parametrize("family", EXERCISED)
def test_the_comparison_meets_what_a_family_is_about(family: str) -> None:
    worlds = [world_id for world_id in IDS if world_id.startswith(f"MiniGrid-{family}")]
    steps = max(600, 2400 // len(worlds))
    counts = sum((lockstep.run(world_id, 77, steps) for world_id in worlds), lockstep.Counter())
    assert [name for name in EXERCISED[family] if counts[name] < 3] == [], counts


@pytest.mark.parametrize("world_id", IDS)
def test_every_view_of_a_world_equals_what_minigrids_wrappers_show(world_id: str) -> None:
    for view_size in (3, 5, 9, 11, 13, 15):
        lockstep.run(world_id, view_size, 60, view_size=view_size)
    lockstep.run(world_id, 5, 150, full=True)


@settings(max_examples=80, deadline=None)
@given(
    world_id=st.sampled_from(IDS),
    seed=st.integers(0, 2**63),
    view_size=st.sampled_from(range(3, 16, 2)),
    full=st.booleans(),
    actions=st.lists(st.integers(0, 6), max_size=120),
)
def test_any_actions_equal_minigrids(
    world_id: str, seed: int, view_size: int, full: bool, actions: list[int]
) -> None:
    _, level = WORLDS[world_id]
    possible = [action % level.actions for action in actions]
    difference = lockstep.replay(world_id, seed, possible, view_size=view_size, full=full)
    assert difference is None, str(difference)


def test_obstacles_without_room_to_move_draw_as_often_as_minigrids(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Two obstacles on the two cells that the agent and the goal leave: all their tries miss.
    level = dataclasses.replace(
        obstacles.FAMILY.levels["MiniGrid-Dynamic-Obstacles-5x5-v0"],
        width=4,
        height=4,
        max_steps=4 * 4**2,
    )
    monkeypatch.setattr(lockstep, "find_world", lambda _: (obstacles.FAMILY, level))
    stuck = DynamicObstaclesEnv(size=4, n_obstacles=2)
    monkeypatch.setattr(lockstep, "reference", lambda *_, **__: stuck)
    pair = lockstep.Lockstep("stuck", 4)
    for action in 2 * [*70 * (0, 1), 2, 1, 2]:
        pair.step(action)
    assert pair.counts["episodes"] >= 6


def test_a_planted_difference_is_found_and_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    step = lockstep.Lockstep.step

    def disturbed(pair: lockstep.Lockstep, action: int) -> bool:
        if action == 3 and pair.actions and pair.actions[-1] == 5:
            pair.batch.worlds.agent_dir[0] ^= 2
        return step(pair, action)

    monkeypatch.setattr(lockstep.Lockstep, "step", disturbed)
    with pytest.raises(lockstep.Difference, match=r"shortest actions found: \[5, 3\]"):
        lockstep.run("MiniGrid-DoorKey-6x6-v0", 3, 2000)
