"""Searches of settings for tables of trained agents, and what a run that diverges is worth."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import s2lab
from s2lab.reproduce import fourrooms, search
from s2lab.reproduce.agent_runs import Contest, play
from s2lab.reproduce.kept_runs import measure, record_path
from s2lab.reproduce.learning_table import seeds_of, summarise
from s2lab.run_folder import RunFolder

TINY = s2lab.PPOConfig(num_envs=4, rollout_steps=16, minibatches=2)
GOOD = s2lab.TrainConfig(
    "MiniGrid-Empty-5x5-v0", agent="none", steps=3000, ppo=TINY, eval_episodes=0, log_every=1
)
WILD = replace(GOOD, ppo=replace(TINY, max_loss=1e-9))  # diverges at once


def test_the_search_keeps_what_trained_best_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rates = {("lstm, option 3", search.SEED): 0.9, ("rims, option 5", search.SEED): 0.9}

    def trained(contest: Contest, jobs: Any, about: Any, **_: Any) -> Any:
        assert contest.layouts == 0, "no layout of the table is played"
        return {job: {"training_success": rates.get(job, 0.1)} for job in jobs}

    monkeypatch.setattr(search, "measure", trained)
    tried = {core: fourrooms.options(core) for core in fourrooms.CORES}
    chosen = search.choose("fourrooms-search", tried)
    assert chosen == {"none": 0, "lstm": 3, "gru": 0, "rims": 5, "workspace": 0}
    third = fourrooms.options("lstm")[3]
    assert isinstance(third, s2lab.TrainConfig)
    assert third.encoder.bare_floor
    row = {
        "label": "lstm, option 3", "steps": 8, "training_success": 0.5, "cpu_s": 90.0,
        "curve": [[2, 1.0, 0.0, 3], [6, 2.0, 0.5, 4], [8, 3.0, 1.0, 9]],
    }  # fmt: skip
    about = {"settings": {"lstm, option 3": third.to_dict()}}
    text = search.table({"config": about, "rows": [row]})
    assert "| lstm, option 3 | 8 | 0.500 | 0.500 | 1.5 |" in text, "(2 x 0 + 4 x .5 + 2 x 1) / 8"


def test_a_try_that_diverges_is_worth_nothing_and_ends_no_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # then from the record
        assert search.choose("one-search", {"none": [WILD, GOOD]}, parallel=1) == {"none": 1}
    lost, won = json.loads(record_path("one-search").read_text())["rows"]
    assert (lost["training_success"], lost["curve"]) == (0.0, [])
    assert won["training_success"] > 0
    assert "| none, option 0 |" in search.table(json.loads(record_path("one-search").read_text()))


def test_where_it_counts_how_soon_the_whole_of_training_chooses() -> None:
    """Both end at 1, the second after a sixth of the time; a third never ended an episode."""
    late = {"training_success": 1.0, "curve": [[100, 1.0, 0.0, 0], [300, 2.0, 1.0, 9]]}
    soon = {"training_success": 1.0, "curve": [[50, 1.0, 0.0, 0], [300, 2.0, 1.0, 9]]}
    never = {"training_success": None, "curve": []}
    assert search.whole(late) == pytest.approx(2 / 3)
    assert search.whole(soon) == pytest.approx(5 / 6)
    assert search.whole(never) == search.late(never) == 0
    results = {("a, option 0", 1): late, ("a, option 1", 1): soon, ("a, option 2", 1): never}
    tried = {"a": fourrooms.options("lstm")[:3]}
    assert search.best_of(results, tried, search.Judging((1,))) == {"a": 0}
    assert search.best_of(results, tried, search.Judging((1,), search.whole)) == {"a": 1}


def test_the_two_best_are_tried_on_further_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By means .3 .5 .4 of two seeds the last two go on; over all four it is .5 against .6."""
    monkeypatch.chdir(tmp_path)
    rates = {0: (0.2, 0.4, 1.0, 1.0), 1: (0.4, 0.6, 0.7, 0.3), 2: (0.5, 0.3, 0.9, 0.7)}
    done: dict[Any, Any] = {}

    def trained(contest: Contest, jobs: Any, about: Any, **_: Any) -> Any:
        for label, seed in jobs:
            rate = rates[int(label[-1])][seed]
            done[label, seed] = {"training_success": rate}
        return done

    monkeypatch.setattr(search, "measure", trained)
    monkeypatch.setattr(search, "kept", lambda _: done)
    tried = {"lstm": fourrooms.options("lstm")[:3]}
    judging = search.Judging((0, 1), runoff=(2, 3))
    assert search.known("a-search", tried, judging) == {}
    assert search.choose("a-search", tried, judging=judging) == {"lstm": 2}
    assert search.known("a-search", tried, judging) == {"lstm": 2}
    assert ("lstm, option 0", 2) not in done
    assert len(done) == 3 * 2 + 2 * 2


def test_a_row_that_diverges_is_judged_by_the_weights_before_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = Contest("one", {"wild": WILD, "good": GOOD}, 4)
    jobs = [("wild", 0), ("good", 0)]
    found = measure(table, jobs, {}, parallel=1)
    assert found is not None
    (run,) = (RunFolder.open(path) for path in (tmp_path / "runs/reproduce/one/wild").iterdir())
    lost = found["wild", 0]
    assert lost["diverged"]
    assert lost["played"][WILD.env] == play(run, WILD.env, 4)
    assert "diverged" not in found["good", 0]
    rows = summarise(json.loads(record_path("one").read_text())["rows"])
    assert [seeds_of(row) for row in rows] == ["1/5, 1 diverged", "1/5"]
