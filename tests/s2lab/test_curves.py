"""The table of learning curves: what counts as reached, and what is said about it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from s2lab.reproduce import curves, curves_picture, search
from s2lab.reproduce.agent_runs import Contest
from s2lab.reproduce.records import write_record
from s2lab.reproduce.search import tuned, varying


def line(step: int, rate: float | None) -> dict[str, float]:
    """A line of metrics, its seconds a hundredth (processor) and a fiftieth (wall) of its step."""
    clocks = {"time/time_elapsed": step / 50, "time/cpu_s": step / 100}
    return {"step": step, **clocks, **({} if rate is None else {"rollout/success_rate": rate})}


def run(label: str, seed: int, needed: list[float] | None) -> dict[str, Any]:
    """A row of the record."""
    played = {mode: {"success": 0.5, "steps_per_success": 9.0} for mode in ("sampled", "greedy")}
    return {
        "label": label, "seed": seed, "steps": 300, "parameters": 1, "training_s": 60.0,
        "cpu_s": 30.0, "training_success": 0.5, "curve": [[100, 2.0, 0.25, 9], [300, 6.0, 0.75, 9]],
        "looked": {"needed": needed}, "played": {"world": played},
    }  # fmt: skip


def test_the_first_line_that_is_good_enough_counts() -> None:
    lines = [line(100, None), line(200, 0.89), line(300, 0.9), line(400, 0.5), line(500, 1.0)]
    assert curves.first_reached(lines) == [300, 6.0, 3.0]
    assert curves.first_reached(lines[:2]) is None


def test_seconds_and_frames_are_compared_and_a_lost_seed_counts_whole(tmp_path: Path) -> None:
    world, other = curves.TIMED, f"sb3 ppo, {curves.TIMED}"
    rows = [run(f"none, {world}", seed, [1000, 9.0, 2.0]) for seed in (0, 1)]
    rows += [run(other, 0, [1500, 99.0, 20.0]), run(other, 1, [2500, 99.0, 30.0])]
    record = {"rows": rows, "config": {"layouts": 7, "reached": 0.9}}
    text = curves.table(record)
    assert f"| {other} | 12.5 | 2.00 |" in text
    assert "never" not in text
    assert "| 2 of 2 | 2.0 [1.5, 2.5] | 25.0 [20.0, 30.0] |" in text
    rows[-1]["looked"] = {"needed": None}
    text = curves.table(record)
    assert "| 1 of 2 | 1.5 [1.5, 1.5] | 20.0 [20.0, 20.0] |" in text
    # The seed that never came to it spent 30 s by the processor, and 300 frames.
    assert f"| {other} | 12.5 | 0.90 |" in text
    assert text.endswith(f"Seeds that never came to it count with all that they spent: {other}.")
    rows[0]["looked"] = {"needed": None}
    text = curves.table(record)
    assert f"| {other} | 1.6 | 1.38 |" in text, "25 / 16"
    path = write_record("curves", record["config"], [0, 1], rows, tmp_path)
    curves_picture.draw(path)
    assert world in path.with_suffix(".svg").read_text()


def test_both_have_the_same_world_and_frames() -> None:
    rows = curves.contest_of(False, curves.FIRST).contestants
    for label, config in rows.items():
        mates = [mate for name, mate in rows.items() if name.split(", ")[1] == label.split(", ")[1]]
        groups = [{"env": mate.env, "steps": mate.steps} for mate in mates]
        assert varying(groups) == []
        assert len(mates) >= 2
        assert tuned(config.to_dict())["num_envs"] >= 16
    tried = curves.options()
    assert len({len(each) for each in tried.values()}) == 1, "equal effort"
    second = curves.contest_of(False, {**curves.FIRST, "none": 1, "sb3 ppo": 2}).contestants
    for agent, place in (("none", 1), ("sb3 ppo", 2)):
        chosen = second[f"{agent}, {curves.TIMED}"]
        assert replace(chosen, steps=tried[agent][place].steps) == tried[agent][place]


def test_rows_that_are_left_alone_keep_what_a_search_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of one contestant's options are on record, and all but one of the other's."""

    def recorded(contest: Contest) -> dict[tuple[str, int], dict[str, float]]:
        rates = {label: float(label.endswith("option 2")) for label in contest.contestants}
        rates.pop("sb3 ppo, option 0", None)
        return {(label, search.SEED): {"training_success": rate} for label, rate in rates.items()}

    monkeypatch.setattr(search, "kept", recorded)
    others = dict.fromkeys(curves.TRIED, 2)
    del others["sb3 ppo"]
    assert search.known("curves-search", curves.options()) == others
