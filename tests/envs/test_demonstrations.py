"""Demonstrations on disk and the observations that the engine makes of them."""

from pathlib import Path
from typing import Any

import lockstep
import numpy as np
import pytest

from s2lab.envs import bot
from s2lab.envs.bot import FAILED, HUNG, RAISED
from s2lab.envs.demonstrations import (
    ACTIONS,
    EPISODES,
    HEADER,
    LEFT_OUT,
    Attempt,
    DemonstrationWriter,
    read_demonstrations,
    record_type,
)
from s2lab.envs.grid import random
from s2lab.envs.registration import find_world
from s2lab.envs.replay import Replay
from s2lab.envs.seed_sequences import generator_states

LENGTH = 5


def made(seed: int, why: str = "") -> Attempt:
    actions = b"" if why else bytes([seed % 7] * (seed + 1))
    return Attempt(seed, why, actions, np.full(LENGTH, seed, np.int16))


def writer(folder: Path, first_seed: int = 0) -> DemonstrationWriter:
    return DemonstrationWriter(folder, "BabyAI-GoToLocal-v0", LENGTH, first_seed)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    writer(tmp_path).add([made(0), made(1, RAISED), made(2), made(3, HUNG)])
    writer(tmp_path).add([made(4), made(5, FAILED)])
    demos = read_demonstrations(tmp_path)
    assert demos.records["seed"].tolist() == [0, 2, 4]
    assert [demos.actions_of(i).tolist() for i in range(3)] == [[0], [2] * 3, [4] * 5]
    assert demos.records["mission"][:, 0].tolist() == [0, 2, 4]
    assert (demos.steps, demos.next_seed, len(demos)) == (9, 6, 3)
    assert demos.counts == {RAISED: 1, HUNG: 1, FAILED: 1}
    assert isinstance(demos.actions, np.memmap)


@pytest.mark.parametrize("name", [ACTIONS, EPISODES, LEFT_OUT])
@pytest.mark.parametrize("cut", [1, 3])
def test_a_write_cut_short_loses_nothing_before_it(tmp_path: Path, name: str, cut: int) -> None:
    first = writer(tmp_path)
    first.add([made(0), made(1, FAILED)])
    sizes = {file: (tmp_path / file).stat().st_size for file in (ACTIONS, EPISODES, LEFT_OUT)}
    first.add([made(2), made(3, RAISED)])
    # The disk was full: this file and those written after it lack what comes behind `cut` bytes.
    order = (ACTIONS, LEFT_OUT, EPISODES)
    for file in order[order.index(name) :]:
        size = sizes[file] + (cut if file == name else 0)
        with (tmp_path / file).open("r+b") as handle:
            handle.truncate(size)
    again = writer(tmp_path)
    assert again.episodes == 1
    again.add([made(seed) for seed in range(again.next_seed, 6)])
    demos = read_demonstrations(tmp_path)
    seeds = demos.records["seed"].tolist()
    assert sorted([*seeds, *demos.left_out]) == sorted({*seeds, *demos.left_out})
    for i, seed in enumerate(seeds):
        assert demos.actions_of(i).tolist() == [seed % 7] * (seed + 1)


def test_other_worlds_seeds_and_formats_are_refused(tmp_path: Path) -> None:
    writer(tmp_path).add([made(0)])
    with pytest.raises(ValueError, match="holds demonstrations of BabyAI-GoToLocal-v0"):
        writer(tmp_path, first_seed=5)
    with pytest.raises(ValueError, match="do not follow 0"):
        writer(tmp_path).add([made(2)])
    with pytest.raises(ValueError, match="holds no demonstrations"):
        read_demonstrations(tmp_path / "nowhere")
    (tmp_path / HEADER).write_text('{"format": 2, "env_id": "x", "mission_length": 5, '
                                   '"first_seed": 0}')  # fmt: skip
    with pytest.raises(ValueError, match="reads format 1"):
        read_demonstrations(tmp_path)
    (tmp_path / HEADER).write_text("[1")
    with pytest.raises(ValueError, match="is damaged"):
        read_demonstrations(tmp_path)


def test_records_are_packed_as_documented() -> None:
    layout = record_type(LENGTH)
    assert layout.itemsize == 8 + 8 + 4 + 2 * LENGTH


def test_generators_are_seeded_as_numpy_seeds_them() -> None:
    numbers = [0, 1, 7, 2**31, 2**32 - 1, 2**32, 2**40 + 3, 2**63 + 11, 2**64 - 1]
    expected = np.zeros((len(numbers), random.WORDS), np.uint64)
    for n, seed in enumerate(numbers):
        random.seed_world(expected, n, seed)
    assert np.array_equal(generator_states(np.array(numbers, np.uint64)), expected)


def record(folder: Path, world_id: str, seeds: range) -> None:
    length = find_world(world_id)[1].mission_length
    attempts = bot.attempts(world_id, seeds, length, 20.0)
    DemonstrationWriter(folder, world_id, length, seeds.start).add(attempts)


@pytest.mark.parametrize("name", ["GoToLocal", "PutNextLocal", "MiniBossLevel"])
def test_replayed_observations_are_what_minigrid_showed_its_bot(tmp_path: Path, name: str) -> None:
    world_id = f"BabyAI-{name}-v0"
    record(tmp_path, world_id, range(100, 112))
    demos = read_demonstrations(tmp_path)
    assert len(demos) >= 10
    order = np.arange(len(demos))[::-1]
    played = Replay(demos, worlds=4).play(order)
    assert played.success.all()
    env = lockstep.reference(world_id)
    for start, length, mission, i in zip(
        played.starts, played.lengths, played.mission, order, strict=True
    ):
        observation, _ = env.reset(seed=int(demos.records["seed"][i]))
        for t in range(start, start + length):
            assert np.array_equal(played.image[t], observation["image"])
            assert played.direction[t] == observation["direction"]
            observation, reward, terminated, _, _ = env.step(int(played.actions[t]))
        assert terminated
        assert reward > 0
        assert np.array_equal(mission, demos.records["mission"][i])


def test_the_bot_plays_the_missions_of_a_split_alone(tmp_path: Path) -> None:
    record(tmp_path, "BabyAI-PickupLoc-held_out_pairs-test-v0", range(8))
    demos = read_demonstrations(tmp_path)
    assert Replay(demos).play(np.arange(len(demos))).success.all()


def test_missions_of_other_worlds_are_noticed(tmp_path: Path) -> None:
    writer(tmp_path).add([made(0)])
    with pytest.raises(ValueError, match="recorded in other worlds"):
        Replay(read_demonstrations(tmp_path)).play(np.array([0]))


def test_a_bot_that_raises_fails_or_hangs_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def plays(outcome: Any) -> Any:
        def play(env: Any, actions: bytearray) -> bool:
            if outcome == HUNG:
                while True:
                    pass
            if outcome == RAISED:
                raise AssertionError
            return outcome != FAILED

        return play

    for outcome in (RAISED, FAILED, HUNG, ""):
        monkeypatch.setattr(bot, "_play", plays(outcome))
        assert bot.attempt("BabyAI-GoToRedBall-v0", 1, LENGTH, 0.2).why == outcome


def test_the_bot_fails_where_it_is_known_to() -> None:
    assert bot.attempt("BabyAI-KeyInBox-v0", 0, 5, 10.0).why == RAISED
    with pytest.raises(ValueError, match="the bot plays minigrid's BabyAI worlds"):
        bot.twin_of("BabyAI-GoTo-more_rooms-train-v0")
