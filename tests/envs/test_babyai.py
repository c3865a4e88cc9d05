"""Every BabyAI world of the engine against minigrid's own: layouts, sentences, verifiers."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import lockstep
import pytest
import soak_babyai
from babyai_player import EXERCISED, IDS, ids_of, play

from s2lab.envs import external, make_vec
from s2lab.envs.registration import WORLDS


def test_every_id_is_native() -> None:
    assert set(IDS) == {world_id for world_id in WORLDS if world_id.startswith("BabyAI-")}


@pytest.mark.parametrize("world_id", IDS)
def test_world_equals_minigrids(world_id: str) -> None:
    for seed in (1, 2024):
        lockstep.run(world_id, seed, 200)


@pytest.mark.parametrize("world_id", IDS)
def test_layouts_and_sentences_equal_minigrids(world_id: str) -> None:
    kind = next(kind for kind in EXERCISED if world_id.startswith(f"BabyAI-{kind}"))
    pair = lockstep.Lockstep(world_id, 31)
    for _ in range(max(20, 300 // len(ids_of(kind)))):  # 300 for each kind
        pair.restart()


def test_a_room_without_a_place_for_the_agent_makes_the_engine_begin_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lockstep, "PATIENCE_S", 1.0)
    pair = lockstep.Lockstep("BabyAI-SynthS5R2-v0", 2_000_006)
    for _ in range(200):
        pair.restart()
    with pytest.raises(lockstep.Endless):  # for minigrid, which the engine does not follow there
        pair.restart()


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXERCISED)
def test_bot_and_explorer_meet_what_a_level_is_about(kind: str) -> None:
    ids = ids_of(kind)
    counts = sum((play(i, 5, max(300, 1200 // len(ids))) for i in ids), Counter())
    assert [name for name in EXERCISED[kind] if not counts[name]] == [], counts


@pytest.mark.parametrize("world_id", IDS)
def test_missions_have_the_same_length_in_minigrids_own_worlds(world_id: str) -> None:
    _, level = WORLDS[world_id]
    assert external.mission_length(world_id) == level.mission_length
    with external.make_single(world_id) as env:
        assert env.observation_space["mission"].shape == (level.mission_length,)  # type: ignore[index]


@pytest.mark.slow
def test_parts_that_count_once_the_agent_says_done_equal_minigrids() -> None:
    ids = ["GoToLocal", "PickupDistDebug", "OpenTwoDoors", "MiniBossLevel", "PutNextS5N2Carrying"]
    script = Path(__file__).with_name("done_actions.py")
    environment = {**os.environ, "BABYAI_DONE_ACTIONS": "1"}
    played = subprocess.run(
        [sys.executable, str(script), "1500", *(f"BabyAI-{name}-v0" for name in ids)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert played.returncode == 0, played.stderr
    counts = json.loads(played.stdout.splitlines()[-1])
    assert all(happened.get("failures", 0) for happened in counts.values()), counts
    assert counts["BabyAI-GoToLocal-v0"]["successes"], counts
    assert counts["BabyAI-PickupDistDebug-v0"]["successes"], counts


def test_done_actions_is_refused_outside_babyai() -> None:
    with pytest.raises(ValueError, match="option of BabyAI's worlds"):
        make_vec("MiniGrid-Empty-8x8-v0", 1, done_actions=True)


@pytest.mark.slow
def test_a_soak_goes_on_where_it_stopped_and_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(soak_babyai, "EXERCISED", {"GoToLocalS5N2": (), "OpenRedDoor": ()})
    monkeypatch.setattr(soak_babyai, "GAME_STEPS", 60)
    words = ["--record", str(tmp_path / "record.json"), "--progress", str(tmp_path / "progress")]
    soak_babyai.main([*words, "--successes", "1", "--missions", "300"])
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["differences"] == []
    assert all(counts["missions"] == 500 for counts in record["kinds"].values())
    assert record["verdicts"]["OpenInstr success"]
    assert "never said: PutNextInstr success" in record["lacking"]
    played: list[Any] = []
    monkeypatch.setattr(soak_babyai, "compare", played.append)
    assert soak_babyai.main([*words, "--successes", "1", "--missions", "300"]) == 1
    assert played == []
