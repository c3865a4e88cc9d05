"""`s2lab bench`: the command, and what the worlds' bench compares."""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import torch

from s2lab.agents.ppo_config import PPOConfig
from s2lab.bench import BENCHES, babyai, envs, train
from s2lab.bench.harness import Row
from s2lab.cli import main
from s2lab.envs.device import missing


def test_an_unknown_bench_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "envz"]) == 2
    assert "unknown bench 'envz'; did you mean 'envs'?" in capsys.readouterr().err


def test_a_gpu_is_measured_only_where_there_is_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    if missing() is not None:
        assert main(["bench", "envs", "--device", "cuda"]) == 2
        assert "pip install" in capsys.readouterr().err
    if not torch.cuda.is_available():
        assert main(["bench", "cores", "--device", "cuda"]) == 2
        assert "measure with --device cpu" in capsys.readouterr().err
    assert main(["bench", "train", "--device", "cuda"]) == 2
    assert "give cpu, or cuda for the benches envs and cores" in capsys.readouterr().err


def test_every_named_bench_has_its_module() -> None:
    for name in BENCHES:
        assert callable(import_module(f"s2lab.bench.{name}").bench)


def test_rows_are_printed_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def bench(*, quick: bool) -> Iterator[Row]:
        yield Row("steps", 2.0, "steps/s", "peer", 1.0, 2.0, 3 if quick else 5)

    monkeypatch.setattr(envs, "bench", bench)
    assert main(["bench", "envs", "--quick", "--json", str(tmp_path / "out.json")]) == 0
    assert "steps  2 steps/s  peer  1 steps/s  2.00" in capsys.readouterr().out
    (row,) = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert (row["ratio"], row["runs"]) == (2.0, 3)


def test_a_bench_of_a_world_beats_its_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COUNT": 64, "STEPS": 5, "SINGLE_STEPS": 20, "SYNC_STEPS": 2}.items():
        monkeypatch.setattr(envs, name, value)
    monkeypatch.setattr(envs, "JAX_ENGINES", {})
    rows = list(envs.compare("Empty-8x8", "MiniGrid-Empty-8x8-v0", 1))
    assert [row.peer for row in rows] == [
        "minigrid, one environment",
        "minigrid, SyncVectorEnv of 16",
    ]
    assert all(row.ratio is not None and row.ratio > 2 for row in rows)  # hundreds, if idle


def test_a_bench_of_babyai_beats_minigrid_at_steps_and_resets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"COUNT": 64, "STEPS": 5, "SINGLE_STEPS": 20, "SINGLE_RESETS": 2}.items():
        monkeypatch.setattr(babyai, name, value)
    rows = list(babyai.compare("GoToLocal", "BabyAI-GoToLocal-v0", 1))
    assert [row.unit for row in rows] == ["steps/s", "resets/s"]
    assert all(row.ratio is not None and row.ratio > 2 for row in rows)  # hundreds, if idle


def test_observations_made_again_are_counted_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(babyai, "DEMONSTRATIONS", 4)
    monkeypatch.setattr(babyai, "REPLAYED_EPISODES", 8)
    row = babyai.replayed("GoToLocal", "BabyAI-GoToLocal-v0", 1)
    assert row.value > 0
    assert (row.unit, row.ratio) == ("steps/s", None)


def test_the_products_of_an_lstms_update_are_counted_by_hand() -> None:
    """Hochreiter & Schmidhuber's four gates and the heads: forward, and twice that backward."""
    config = PPOConfig(num_envs=4, rollout_steps=8, minibatches=2, epochs=3)
    frames, inputs, hidden, head, actions = 3 * 32, 64, 128, 64, 7
    gates = 2 * (inputs + hidden) * 4 * hidden
    heads = 2 * (hidden * 2 * head + head * (actions + 1))
    into_carried_state = 3 * 4 * 2 * hidden * 4 * hidden  # has no gradient
    by_hand = 3 * frames * (gates + heads) - into_carried_state
    assert train.operations("lstm", config) == pytest.approx(by_hand, rel=0.01)  # and the fields'
