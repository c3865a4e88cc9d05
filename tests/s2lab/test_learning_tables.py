"""Tables of trained agents: their ceilings, that a finished run stays finished, their figures."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

import s2lab
from s2lab.envs.grid.cells import WALL
from s2lab.envs.vector import make_vec
from s2lab.errors import UserError
from s2lab.evaluate import evaluate, evaluation_worlds
from s2lab.reproduce import fourrooms, fourrooms_table, search
from s2lab.reproduce.agent_runs import Contest, curve, due, find_or_create, run_contest
from s2lab.reproduce.ceilings import FORWARD, LEFT, STEPS, distances, explore, line, shortest_ways
from s2lab.reproduce.failures import failures
from s2lab.reproduce.kept_runs import Part, digest, kept, measure, record_path
from s2lab.reproduce.learning_table import at, interval, learning_table, summarise
from s2lab.run_folder import RunFolder
from s2lab.seeds import table_seeds
from s2lab.training import build_model

TINY = s2lab.PPOConfig(num_envs=4, rollout_steps=16, minibatches=2)


def poses(free: np.ndarray[Any, Any]) -> "nx.DiGraph[tuple[int, int, int]]":
    """Every pose of a grid [W, H] and the turns and steps between them, one by one."""
    graph: nx.DiGraph[tuple[int, int, int]] = nx.DiGraph()
    for x, y in np.argwhere(free).tolist():
        for d, (right, down) in enumerate(STEPS):
            graph.add_edge((d, x, y), ((d + 1) % 4, x, y))
            graph.add_edge((d, x, y), ((d - 1) % 4, x, y))
            if free[x + right, y + down]:
                graph.add_edge((d, x, y), (d, x + right, y + down))
    return graph


def test_distances_are_those_of_the_graph_of_poses() -> None:
    rng = np.random.default_rng(0)
    free = np.zeros((5, 8, 7), bool)
    free[:, 1:-1, 1:-1] = rng.random((5, 6, 5)) < 0.7
    free[:, 1, 1] = True
    starts = np.zeros((5, 4, 8, 7), bool)
    starts[:, 2, 1, 1] = True
    found = distances(free, starts)
    for n in range(5):
        known = nx.single_source_shortest_path_length(poses(free[n]), (2, 1, 1))
        for pose in np.ndindex(4, 8, 7):
            assert found[n][pose] == known.get(pose, -1)


def test_who_knows_the_grid_takes_the_way_that_the_engine_rewards() -> None:
    """In an empty room the way is at most one turn and the steps between: a closed form."""
    assert shortest_ways("MiniGrid-Empty-8x8-v0", [0, 1]).tolist() == [11, 11]
    seeds = table_seeds(40)
    worlds = make_vec("MiniGrid-Empty-Random-6x6-v0", 40)
    image = worlds.reset(seed=seeds)[0]["image"]
    assert image.shape[0] == 40
    ways = shortest_ways("MiniGrid-Empty-Random-6x6-v0", seeds)
    now = worlds.batch.worlds
    apart = (4 - now.agent_x) + (4 - now.agent_y)
    turned_away = ways - apart
    assert ((turned_away >= 0) & (turned_away <= 3)).all()


def test_who_forgets_nothing_reaches_every_goal_and_never_by_a_shorter_way() -> None:
    seeds = table_seeds(60)
    ways, lengths = shortest_ways(fourrooms.WORLD, seeds), explore(fourrooms.WORLD, seeds)
    assert (lengths >= ways).mean() > 0.95, "all but time-outs"
    assert (lengths[lengths > 0] >= ways[lengths > 0]).all()
    assert (lengths > 0).mean() > 0.95


@pytest.mark.parametrize(("x", "y"), [(6, 0), (-3, 3), (2, -1), (0, 0), (1, 0)])
def test_a_line_stays_between_its_ends(x: int, y: int) -> None:
    cells = line(x, y)
    assert len(cells) == max(0, max(abs(x), abs(y)) - 1)
    assert all(abs(a * y - b * x) <= max(abs(x), abs(y)) / 2 for a, b in cells)


def tiny(agents: Sequence[str]) -> Contest:
    found = {
        agent: s2lab.TrainConfig(
            "MiniGrid-Empty-5x5-v0", agent=agent, steps=128, ppo=TINY, log_every=64, eval_episodes=0
        )
        for agent in agents
    }
    return Contest("tiny", dict(found), layouts=6)


def test_a_finished_run_is_not_trained_again_and_other_settings_are_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("s2lab.reproduce.agent_runs.run_side_by_side", in_this_process)
    noted: list[int] = []
    jobs = [("none", 0), ("none", 1)]
    first = run_contest(tiny(["none"]), jobs, lambda r: noted.append(len(r)), parallel=1)
    assert first is not None
    assert noted == [1, 2]
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("config.yaml")}
    assert run_contest(tiny(["none"]), jobs, lambda r: noted.append(len(r))) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("config.yaml")} == stamps
    wider = Contest("tiny", {"none": tiny(["lstm"]).contestants["lstm"]}, layouts=6)
    assert find_or_create(wider, "none", 0).path not in {path.parent for path in stamps}


def test_a_run_that_another_command_finished_meanwhile_is_judged_and_not_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trained: list[int] = []

    def beside_another_command(runs: Any, **_: Any) -> list[int]:
        trained.extend(run.summary["seed"] for run in runs)
        everybody = runs + ([find_or_create(tiny(["none"]), "none", 2)] if 0 in trained else [])
        return in_this_process(everybody)[: len(runs)]

    monkeypatch.setattr("s2lab.reproduce.agent_runs.run_side_by_side", beside_another_command)
    jobs = [("none", seed) for seed in (0, 2)]
    found = run_contest(tiny(["none"]), jobs, lambda _: None, parallel=1)
    assert found is not None
    assert set(found) == set(jobs)
    assert trained == [0]


def test_a_clone_without_run_folders_goes_on_from_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trained: list[str] = []

    def counted(runs: Any, **_: Any) -> list[int]:
        trained.extend(f"{run.summary['agent']} {run.summary['seed']}" for run in runs)
        return in_this_process(runs)

    monkeypatch.setattr("s2lab.reproduce.agent_runs.run_side_by_side", counted)
    both = tiny(["none", "lstm"])
    assert measure(both, [("none", 1)], {"about": "it"}, parallel=1) is not None
    shutil.rmtree(tmp_path / "runs/reproduce")
    path = record_path("tiny")
    record = json.loads(path.read_text())
    known = record["config"]["settings"]["none"]
    del known["device"], known["ppo"]["clip"]  # as if they had not existed then
    record["rows"][0]["settings"] = digest(known)
    path.write_text(json.dumps(record))
    found = measure(both, [("none", 0), ("none", 1), ("lstm", 0)], {"about": "it"}, parallel=1)
    assert trained == ["none 1", "none 0", "lstm 0"]
    assert found is not None
    record = json.loads(path.read_text())
    assert [(row["label"], row["seed"]) for row in record["rows"]] == [*found]
    assert record["seeds"] == [0, 1, 2, 3, 4]
    assert all(row["training_s"] > 0 and row["cpu_s"] > 0 for row in record["rows"])
    lines = path.read_text().splitlines()
    assert sum('"label": "none"' in line for line in lines) == 2, "a line per run"
    other = replace(both.contestants["none"], ppo=replace(TINY, lr=2e-3))
    assert kept(Contest("tiny", {"none": other}, layouts=6)) == {}, "other settings"
    assert kept(Contest("tiny", both.contestants, layouts=7)) == {}, "other layouts"
    assert len(kept(Contest("tiny", both.contestants, layouts=6))) == 3
    rows = summarise(record["rows"])
    assert rows[0]["label"] == "none"
    assert "| 2/5 |" in learning_table(rows, {})


def in_this_process(runs: Any, **_: Any) -> list[int]:
    from s2lab.config import TrainConfig, read_config
    from s2lab.training import run_training

    for run in runs:
        config = read_config(run)
        assert isinstance(config, TrainConfig)
        run_training(run, config, quiet=True)
    return [0] * len(runs)


def test_a_part_of_a_table_is_named_by_parts_of_its_labels() -> None:
    labels = ["none, 2 M", "lstm, 2 M", "lstm, 5 M", "lstm, 5 M, 25x25"]
    assert Part(only=["lstm"]).labels(labels) == labels[1:]
    assert Part(only=["lstm, 5 M", "none"]).labels(labels) == [labels[0], *labels[2:]]
    assert Part(seeds=[3], only=["25x25"]).jobs(labels) == [(labels[3], 3)]
    with pytest.raises(UserError, match="'lstn' names no row; rows are made of: none; 2 M; lstm"):
        Part(only=["lstn"]).labels(labels)


def test_a_curve_is_success_since_the_point_before(tmp_path: Path) -> None:
    run = RunFolder.create(
        tmp_path, env_id="w", agent="a", seed=0, kind="train", config={"env": "w"}
    )
    lines = [(100, 10, 1, 0.1), (200, 30, 11, 0.9), (300, 40, 11, 0.2)]
    run.metrics_path.write_text(
        "".join(
            json.dumps(
                {"step": step, "charts/episodes": ended, "charts/successes": won}
                | {"rollout/success_rate": last, "time/time_elapsed": step / 10}
            )
            + "\n"
            for step, ended, won, last in lines
        )
    )
    points = curve(run)
    assert points == [[100, 10.0, 0.1, 10], [200, 20.0, 0.5, 30], [300, 30.0, 0.0, 40]]
    assert at([points, points[:2]], 250) == [0.25, None]
    assert [i for i in range(200) if due(i, 200)] == list(range(3, 200, 4))
    assert all(due(i, 30) for i in range(30))


def test_intervals_are_students() -> None:
    """Five values, four degrees of freedom: t is 2.776 in every printed table."""
    mean, half = interval([0.90, 0.92, 0.94, 0.96, 0.98])
    assert mean == pytest.approx(0.94)
    assert half == pytest.approx(
        2.776 * np.std([-2, -1, 0, 1, 2], ddof=1) * 0.02 / 5**0.5, rel=1e-3
    )


def test_fourrooms_compares_equal_parameters_and_the_papers_figures() -> None:
    sizes = {
        core: sum(
            part.numel() for part in build_model(fourrooms.agent(core, 1000, {})).parameters()
        )
        for core in fourrooms.EVERY
    }
    assert max(sizes.values()) < 1.05 * min(sizes.values()), sizes
    assert fourrooms_table.PUBLISHED == {"lstm": 0.62, "rmc": 0.67, "rims": 0.72, "workspace": 0.96}
    everybody = dict.fromkeys((*fourrooms.EVERY, *fourrooms.NETWORKS, fourrooms.RECURRENT), 0)
    rows = fourrooms.rows(everybody, quick=False)
    required = {f"{core}, {budget} M" for core in fourrooms.CORES for budget in (2, 5)}
    assert required | {"sb3 ppo, 5 M", "sb3 recurrent ppo, 0.5 M", "rims, 5 M, 25x25"} <= set(rows)
    assert {len(fourrooms.options(who)) for who in everybody} == {6}, "equal effort"
    assert {config.env for config in rows.values()} == {fourrooms.WORLD, fourrooms.LARGE}


def test_a_search_for_one_leaves_the_others_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    played: list[str] = []

    def run(contest: Contest, jobs: Any, note: Any, *, known: Any, **_: Any) -> Any:
        new = [job for job in jobs if job not in known]
        played.extend(label for label, _ in new)
        result = {
            "layouts": 0,
            "played": [fourrooms.WORLD],
            "steps": 7,
            "training_success": 0.5,
            "cpu_s": 1.0,
        }
        note(dict.fromkeys(new, result))
        return known

    monkeypatch.setattr("s2lab.reproduce.kept_runs.run_contest", run)
    tried = {core: fourrooms.options(core) for core in ("lstm", "gru")}
    assert search.choose("some-search", tried, asked=["lstm"]) == {"lstm": 0}
    assert search.choose("some-search", tried, asked=["gru"]) == {"lstm": 0, "gru": 0}
    assert played == [f"{core}, option {place}" for core in tried for place in range(6)]
    assert len(json.loads(Path("runs/records/some-search.json").read_text())["rows"]) == 12


def test_what_an_explorer_without_memory_fails_at_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who always turns left sees the same cells again and again, and reaches nothing."""

    class Turning:
        def initial_state(self, batch_size: int) -> None: ...

        def step(self, observation: Any, state: Any, reset: Any) -> Any:
            return np.zeros(len(reset), np.int64), None

    monkeypatch.setattr("s2lab.reproduce.failures.load", lambda *_: Turning())
    config = fourrooms.agent("none", 1, {})
    monkeypatch.setattr("s2lab.reproduce.failures.read_config", lambda _: config)
    run = RunFolder.create(
        tmp_path, env_id="w", agent="a", seed=0, kind="train", config={"env": "w"}
    )
    found = failures(run, 30)
    assert found["failed"] == 30
    assert 0.96 <= found["nothing_new"] < 0.98, "at most four of the hundred looks are new"
    worlds = make_vec(fourrooms.WORLD, 30, observation="full")
    kinds = worlds.reset(seed=table_seeds(30))[0]["image"][..., 0]
    assert 0 < found["floor_seen"] < (49 * 4) / ((kinds == 1).sum() / 30)
    assert 0 < found["goal_seen"] < 1


def test_failures_are_those_of_the_evaluator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who walks until a wall and turns there solves some layouts early, and others never."""

    class Walking:
        def initial_state(self, batch_size: int) -> None: ...

        def step(self, observation: Any, state: Any, reset: Any) -> Any:
            ahead = observation["image"][:, 3, 5, 0]
            return np.where(ahead == WALL, LEFT, FORWARD), None

    config = fourrooms.agent("none", 1, {})
    monkeypatch.setattr("s2lab.reproduce.failures.load", lambda *_: Walking())
    monkeypatch.setattr("s2lab.reproduce.failures.read_config", lambda _: config)
    run = RunFolder.create(
        tmp_path, env_id="w", agent="a", seed=0, kind="train", config={"env": "w"}
    )
    judged = evaluate(Walking(), evaluation_worlds(config.env, 60), table_seeds(60))
    assert 0 < judged.success.sum() < 60
    assert failures(run, 60)["failed"] == (~judged.success).sum()


def test_verdicts_follow_the_figures() -> None:
    def run(label: str, seed: int, rate: float) -> dict[str, Any]:
        judged = {"success": rate, "steps_per_success": 30.0}
        played = {world: {"sampled": judged, "greedy": judged}
                  for world in (fourrooms.WORLD, fourrooms.LARGE)}  # fmt: skip
        return {
            "label": label, "seed": seed, "steps": 5_000_000, "parameters": 1, "training_s": 60.0,
            "cpu_s": 60.0, "training_success": rate,
            "curve": [[4e5, 1.0, 0.2, 1], [6e5, 2.0, 0.4, 2]],
            "played": played, "looked": {"failed": 2, "goal_seen": 0.0, "floor_seen": 0.5,
            "nothing_new": 0.25},
        }  # fmt: skip

    rates = {"lstm": 0.96, "rmc": 0.93, "rims": 0.96, "workspace": 0.98}
    runs = [
        run(f"{core}, 5 M", seed, rate + 0.001 * seed)
        for core, rate in rates.items()
        for seed in range(5 if core != "rims" else 1)
    ]
    ceiling = {"success": 1.0, "steps_per_success": 16.0}
    about = {"layouts": 10, "ceilings": {"knows the grid, 19x19": ceiling}}
    text = fourrooms_table.table({"rows": runs, "config": about})
    assert "lstm at 5 M frames: 0.962 ± 0.002 (5 seeds), 0.95 reached." in text
    assert "rmc minus lstm at 5 M frames: -0.030" in text
    assert text.count("the order is refuted") == 1
    assert "rims minus rmc" not in text, "one seed has no interval"
    assert "| 1/5 |" in text
    assert "| 0.300 |" in text, "training success half way between 0.2 and 0.4"
    assert (
        fourrooms_table.judged(-0.01, 0.02, 0.05) == "no difference is shown, the distance refuted"
    )
    assert fourrooms_table.judged(0.01, 0.06, 0.05) == "the order is confirmed"
