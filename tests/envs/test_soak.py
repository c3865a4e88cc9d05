"""The soak: it covers every id, goes on where it stopped, and reports what differs."""

import json
from pathlib import Path
from typing import Any

import pytest
import soak

from s2lab.envs.registration import WORLDS


def run(tmp_path: Path, steps: int) -> tuple[int, dict[str, Any]]:
    record = tmp_path / "soak.json"
    progress = str(tmp_path / "progress.jsonl")
    code = soak.main(["--steps", str(steps), "--progress", progress, "--record", str(record)])
    return code, json.loads(record.read_text())


def test_every_id_gets_its_share_of_ten_million_steps() -> None:
    games = list(soak.games(10_000_000))
    ids = {world_id for world_id in WORLDS if world_id.startswith("MiniGrid-")}
    assert len(games) * soak.GAME_STEPS == 10_000_000
    assert len(set(games)) == len(games)
    shares = [sum(game.world_id == world_id for game in games) for world_id in ids]
    assert max(shares) - min(shares) <= 1
    assert {"full", "view_size", "wrapped"} == {name for game in games for name in game.options}


class InThisProcess:
    """A pool of no processes."""

    def __init__(self, processes: int) -> None:
        self.processes = processes

    def __enter__(self) -> "InThisProcess":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    imap_unordered = staticmethod(map)


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "GAME_STEPS", 40)
    ids = ("MiniGrid-Empty-5x5-v0", "MiniGrid-DoorKey-5x5-v0")
    monkeypatch.setattr(soak, "WORLDS", {world_id: WORLDS[world_id] for world_id in ids})
    context = type("Context", (), {"Pool": InThisProcess})
    monkeypatch.setattr(soak.multiprocessing, "get_context", lambda _: context)


@pytest.mark.usefixtures("_short")
def test_a_stopped_soak_plays_only_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first = run(tmp_path, 160)
    with (tmp_path / "progress.jsonl").open("a") as file:
        file.write('{"game": ["MiniGrid-Emp')  # killed while it wrote
    played: list[soak.Game] = []
    play = soak.play
    monkeypatch.setattr(soak, "play", lambda game: played.append(game) or play(game))
    _, record = run(tmp_path, 240)
    assert played == list(soak.games(240))[4:]
    assert (first["steps"], record["steps"], record["ids"]) == (160, 240, 2)
    assert record["differences"] == []


@pytest.mark.usefixtures("_short")
def test_a_difference_is_recorded_and_makes_the_soak_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differ(*arguments: Any, **options: Any) -> Any:
        raise soak.lockstep.Difference("differs in image")

    monkeypatch.setattr(soak.lockstep, "run", differ)
    code, record = run(tmp_path, 80)
    assert code == 1
    assert record["differences"] == ["differs in image"] * 2
