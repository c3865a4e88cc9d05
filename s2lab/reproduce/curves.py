"""Learning curves of PPO, ours and Stable-Baselines3's, on four worlds; five seeds each.

Both see the same native worlds and the same frames, and are judged on the same unseen layouts.
SB3's PPO has its own network and the settings of rl-baselines3-zoo for MiniGrid (presets
zoo-doorkey and zoo-fourrooms) and no search of its own; ours were screened on one or two seeds of
DoorKey and MemoryS7. The record keeps every curve as frames, seconds and success over the last 100
episodes.

Run by run it can be stopped and gone on with, one at a time, so that seconds are those of a process
with a core to itself on a machine that does nothing else. About 50 minutes on one core.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from s2lab.agents.ppo_config import PPOConfig
from s2lab.config import BaselineConfig, TrainConfig
from s2lab.presets import PRESETS
from s2lab.reproduce.agent_runs import Contest, Job, Settings, find_or_create, run_contest
from s2lab.reproduce.learning_table import shown
from s2lab.reproduce.records import markdown, write_record

ZOO, ZOO_FOURROOMS = (PPOConfig(**PRESETS[name]) for name in ("zoo-doorkey", "zoo-fourrooms"))
QUICK = PPOConfig(**PRESETS["quick"])
EXPLORING = PPOConfig(num_envs=64, rollout_steps=64, minibatches=8, entropy_coef=0.02)
LARGE = PPOConfig(num_envs=256, rollout_steps=64, minibatches=4, epochs=2, lr=2e-3)
# World -> frames of every run, our core and settings, SB3's settings.
WORLDS: dict[str, tuple[int, str, PPOConfig, PPOConfig]] = {
    "MiniGrid-DoorKey-5x5-v0": (100_000, "lstm", QUICK, ZOO),
    "MiniGrid-MemoryS7-v0": (300_000, "lstm", QUICK, ZOO),
    "MiniGrid-DoorKey-8x8-v0": (600_000, "none", EXPLORING, ZOO),
    "MiniGrid-FourRooms-v0": (
        600_000, "lstm", LARGE, ZOO_FOURROOMS,
    ),
}  # fmt: skip
QUICK_STEPS = 10_000  # in the first world
REACHED = 0.9  # success whose first frame and second the table tells
POINTS = 50  # of a curve
PARALLEL = 1  # runs side by side


def reproduce(*, quick: bool, seeds: Sequence[int]) -> int:
    """Train, judge, record; returns the exit code, 130 when interrupted."""
    name = "curves-quick" if quick else "curves"
    contest = Contest(name, contestants(quick), layouts=100 if quick else 500)
    labels = list(contest.contestants)
    pairs = [labels[i : i + 2] for i in range(0, len(labels), 2)]  # world by world
    jobs: list[Job] = [(label, seed) for pair in pairs for seed in seeds for label in pair]

    def note(results: Mapping[Job, Mapping[str, Any]]) -> None:
        rows = [
            row(contest, label, {seed: results[label, seed] for seed in done})
            for label in contest.contestants
            if (done := [seed for seed in seeds if (label, seed) in results])
        ]
        write_record(name, {"layouts": contest.layouts, "reached": REACHED}, seeds, rows)

    return 130 if run_contest(contest, jobs, note, parallel=PARALLEL) is None else 0


def contestants(quick: bool) -> dict[str, Settings]:
    """Our agent and SB3's PPO in every world."""
    found: dict[str, Settings] = {}
    for world, (frames, core, ours, theirs) in WORLDS.items():
        steps = QUICK_STEPS if quick else frames
        common: dict[str, Any] = {
            "env": world, "steps": steps, "eval_episodes": 0, "log_every": steps // POINTS,
            "save_every": max(50_000, steps // 4),
        }  # fmt: skip
        found[f"{core}, {world}"] = TrainConfig(**common, agent=core, ppo=ours)
        found[f"sb3 ppo, {world}"] = BaselineConfig(**common, network="default", ppo=theirs)
        if quick:
            break
    return found


def row(contest: Contest, label: str, found: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """One agent in one world: its figures and curves, a list over seeds each."""
    config = contest.contestants[label]
    curves = [curve(contest, label, seed) for seed in found]
    played = [run["played"][config.env] for run in found.values()]
    return {
        "label": label.split(",")[0],
        "world": config.env,
        "steps": config.steps,
        "parameters": next(iter(found.values()))["parameters"],
        "seeds": list(found),
        "training_s": [run["training_s"] for run in found.values()],
        "success": [run["sampled"]["success"] for run in played],
        "greedy_success": [run["greedy"]["success"] for run in played],
        "reached": [first_reached(points) for points in curves],
        "curves": curves,
    }


def curve(contest: Contest, label: str, seed: int) -> list[list[float]]:
    """[frames, seconds, success rate of the last 100 episodes], in order."""
    metrics = find_or_create(contest, label, seed).metrics()
    return [
        [line["step"], round(line["time/time_elapsed"], 1), round(rate, 3)]
        for line in metrics
        if (rate := line.get("rollout/success_rate")) is not None and "time/time_elapsed" in line
    ]


def first_reached(points: Sequence[Sequence[float]]) -> list[float] | None:
    """[frames, seconds] at which training success first reached `REACHED`; None if never."""
    return next(([frames, spent] for frames, spent, rate in points if rate >= REACHED), None)


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown."""
    header = ["world", "agent", "frames", "seeds", "success", "frames to 90 %", "minutes to 90 %"]
    lines = []
    for found in record["rows"]:
        reached = [point for point in found["reached"] if point is not None]
        part = f" ({len(reached)}/{len(found['seeds'])} seeds)"
        lines.append(
            [
                found["world"],
                found["label"],
                f"{found['steps']:,}",
                f"{len(found['seeds'])}/{len(record['seeds'])}",
                shown(found["success"], 3),
                f"{fmean(p[0] for p in reached):,.0f}{part}" if reached else "never",
                f"{fmean(p[1] for p in reached) / 60:.2f}" if reached else "",
            ]
        )
    settings = record["config"]
    return (
        f"{markdown(header, lines)}\n\nSuccess on {settings['layouts']} unseen layouts, sampled "
        "actions, mean over seeds with Student's 95 % interval; 90 % is of the last 100 training "
        "episodes; wall time of one process on a shared machine."
    )
