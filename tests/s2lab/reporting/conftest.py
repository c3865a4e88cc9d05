"""Run folders made up for comparisons: every file as a real run leaves it, figures known."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Writes one run folder under tmp_path/runs and returns it."""

    def make(
        agent: str = "lstm",
        seed: int = 0,
        success: Sequence[int] | None = (1, 0, 1, 1),
        *,
        env_id: str = "MiniGrid-DoorKey-5x5-v0",
        curve: Sequence[tuple[int, float | None]] = (),
        steps: int = 1000,
        elapsed_s: float = 50.0,
        config: dict[str, Any] | None = None,
        name: str = "",
        **summary: Any,
    ) -> Path:
        named = name or f"{env_id}__{agent}__s{seed}__20260101-000000".replace("/", "-")
        folder = tmp_path / "runs" / named
        folder.mkdir(parents=True)
        evaluation = None
        if success is not None:
            n = len(success)
            episodes = {
                "success": [int(s) for s in success],
                "return": [0.9 * int(s) for s in success],
                "length": [10 + 40 * (1 - int(s)) for s in success],
            }
            means = {key: sum(values) / n for key, values in episodes.items()}
            seeds = [2**40 + j for j in range(n)]
            dump(
                folder / "eval.json",
                format=1,
                step=steps,
                policy="sampled",
                seeds=seeds,
                **episodes,
            )
            evaluation = {
                "episodes": n,
                "success_rate": means["success"],
                "mean_return": means["return"],
                "mean_length": means["length"],
            }
        fields = {
            "format": 1,
            "run_id": folder.name,
            "kind": "train",
            "env_id": env_id,
            "agent": agent,
            "seed": seed,
            "status": "finished",
            "steps": steps,
            "elapsed_s": elapsed_s,
            "eval": evaluation,
        }
        dump(folder / "summary.json", **{**fields, **summary})
        settings = {"agent": agent, "seed": seed, "ppo": {"lr": 0.0003}, **(config or {})}
        (folder / "config.yaml").write_text(json.dumps(settings))  # JSON is YAML
        dump(folder / "environment.json", python="3.11.7", versions={"torch": "2.13.0"})
        rows = [
            {
                "step": step,
                "time": 1.7e9 + step / 100,
                "rollout/success_rate": value,
                "train/loss": 1,
            }
            for step, value in curve
        ]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return folder

    return make


def dump(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(fields))
