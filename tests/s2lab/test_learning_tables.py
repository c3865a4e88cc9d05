"""Tables of trained agents: their ceilings, that a finished run stays finished, their figures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

import s2lab
from s2lab.envs.vector import make_vec
from s2lab.reproduce import fourrooms
from s2lab.reproduce.agent_runs import Contest, find_or_create, run_contest
from s2lab.reproduce.ceilings import STEPS, distances, explore, line, shortest_ways
from s2lab.reproduce.learning_table import interval, learning_table, summarise
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
    rows = summarise(tiny(["none"]).contestants, first, [0, 1, 2])
    assert "| 2/3 |" in learning_table(rows)
    assert rows[0]["steps"] == 128
    assert json.loads(json.dumps(rows)) == rows


def in_this_process(runs: Any, **_: Any) -> list[int]:
    from s2lab.config import TrainConfig, read_config
    from s2lab.training import run_training

    for run in runs:
        config = read_config(run)
        assert isinstance(config, TrainConfig)
        run_training(run, config, quiet=True)
    return [0] * len(runs)


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
        for core in fourrooms.CORES
    }
    assert max(sizes.values()) < 1.05 * min(sizes.values()), sizes
    assert fourrooms.PUBLISHED == {"lstm": 0.62, "rmc": 0.67, "rims": 0.72, "workspace": 0.96}
    labels = fourrooms.contestants({core: {} for core in fourrooms.CORES}, quick=False)
    assert {"none, 2 M", "workspace, 5 M", "sb3 ppo, 2 M"} <= set(labels)


def test_the_search_keeps_what_trained_best_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def trained(contest: Contest, jobs: Any, note: Any) -> Any:
        found = {
            job: {"training_success": 0.9 if job[0] in ("lstm 3", "rims 5") else 0.1}
            for job in jobs
        }
        note(found)
        return found

    monkeypatch.setattr(fourrooms, "run_contest", trained)
    chosen = fourrooms.search(quick=False)
    assert chosen is not None
    assert chosen["lstm"] == fourrooms.SEARCH[3]
    assert chosen["rims"] == fourrooms.SEARCH[5]
    assert chosen["gru"] == fourrooms.SEARCH[0]
    record = json.loads((tmp_path / "runs/records/fourrooms-search.json").read_text())
    assert len(record["rows"]) == len(fourrooms.SEARCH) * len(fourrooms.CORES)
