"""PPO on DoorKey, wholly in view, with and without controllable features: frames to 90 %.

One encoder per kind and size is learned once (seed 0) and read by every agent. 8x8 is the world of
the question; in 5x5, which is learned soon, an answer can be seen where 8x8 gives none.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from s2lab.agents.encoders.config import EncoderConfig
from s2lab.config import TrainConfig
from s2lab.icf import create_icf, run_icf
from s2lab.icf_settings import ICFRunConfig, icf_config, read_icf_run
from s2lab.reproduce.agent_runs import Contest, Job, run_contest
from s2lab.reproduce.curves_settings import SPARSE
from s2lab.reproduce.learning_table import shown
from s2lab.reproduce.records import markdown, write_record
from s2lab.run_folder import RunFolder

NAME = "icf-doorkey"
FEATURES = Path("runs/reproduce/icf-doorkey-features")
SEEDS = (0, 1, 2, 3, 4)
STEPS = {"5x5": 200_000, "8x8": 600_000}  # frames, by the size of the world
GOAL = 0.9  # training success over the last hundred episodes
ENCODERS: Mapping[str, Mapping[str, Any]] = {
    "ICF": {},
    "autoencoder": {"weight": 0.0, "reconstruction": 1.0, "reconstruction_end": 1.0},
    "random encoder": {"weight": 0.0, "updates": 1, "lr": 1e-9},
}


def play(seeds: Sequence[int] = SEEDS) -> int:
    """Train what is missing, write the record, print the table; returns the exit code."""
    contest = Contest(NAME, contestants(), layouts=0)
    jobs = [(label, seed) for label in contest.contestants for seed in seeds]

    def note(results: Mapping[Job, dict[str, Any]]) -> None:
        rows = summarise(contest, results, seeds)
        write_record(NAME, {"steps": STEPS, "goal": GOAL}, seeds, rows)

    results = run_contest(contest, jobs, note)
    if results is None:
        return 130
    print(f"\n{render(summarise(contest, results, seeds), len(seeds))}")
    return 0


def features(name: str, size: str) -> Path:
    """The run folder of an encoder; learned where it is missing."""
    world = f"doorkey-{size}"
    config = icf_config(world, ENCODERS[name])
    wanted = ICFRunConfig(world, 0, config.updates, icf=config)
    folder = FEATURES / name.replace(" ", "-")
    for path in sorted(folder.glob(f"{world}__*")):
        run = RunFolder.open(path)
        if run.summary["status"] == "finished" and read_icf_run(run) == wanted:
            return path
    run = create_icf(wanted, folder)
    run_icf(run, wanted, quiet=True)
    return run.path


def contestants() -> dict[str, TrainConfig]:
    """Label -> settings; all learn with the same PPO and a core without memory.

    The settings, and a view without its floor for those that learn from scratch, are what was best
    without a bonus where DoorKey-8x8 is seen in part.
    """
    rows = {}
    for size, steps in STEPS.items():
        readers = {
            "from scratch": EncoderConfig(bare_floor=True, without_mission=True),
            "ICF, frozen": reader("ICF", size),
            "ICF, fine-tuned": replace(reader("ICF", size), icf_frozen=False),
            "autoencoder, frozen": reader("autoencoder", size),
            "random encoder, frozen": reader("random encoder", size),
        }
        for label, encoder in readers.items():
            rows[f"{size}, {label}"] = TrainConfig(
                f"s2lab/DoorKeyFactors-{size}-v0",
                agent="none",
                encoder=encoder,
                steps=steps,
                eval_episodes=0,
                ppo=SPARSE,
            )
    return rows


def reader(name: str, size: str) -> EncoderConfig:
    """The settings of an encoder that reads learned features and leaves them as they are."""
    icf = icf_config(f"doorkey-{size}", ENCODERS[name])
    return EncoderConfig("icf", icf_run=str(features(name, size)), icf=icf, without_mission=True)


def summarise(
    contest: Contest, results: Mapping[Job, Mapping[str, Any]], seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """One row per contestant that has finished a run."""
    from s2lab.reproduce.agent_runs import find_or_create

    rows = []
    for label in contest.contestants:
        done = [seed for seed in seeds if (label, seed) in results]
        if done:
            runs = [find_or_create(contest, label, seed) for seed in done]
            rows.append(
                {
                    "label": label,
                    "seeds": done,
                    "frames": [frames_to_goal(run) for run in runs],
                    "training_success": [results[label, seed]["training_success"] for seed in done],
                    "training_s": [results[label, seed]["training_s"] for seed in done],
                }
            )
    return rows


def frames_to_goal(run: RunFolder) -> int | None:
    """The first logged step at which the running success is there; None within the budget."""
    for line in run.metrics():
        if line.get("rollout/success_rate", -math.inf) >= GOAL:
            return int(line["step"])
    return None


def render(rows: Sequence[Mapping[str, Any]], wanted: int) -> str:
    """Markdown: seeds that reach the goal, their median frames, success at the end."""
    header = ["agent", "seeds that reach 90 %", "median frames to it", "success at the end", "min"]
    lines = []
    for row in rows:
        known = [frames for frames in row["frames"] if frames is not None]
        count = len(row["seeds"])
        label = row["label"] if count == wanted else f"{row['label']} ({count}/{wanted} seeds)"
        middle = f"{median(known):,.0f}" if len(known) > count / 2 else "not within the budget"
        minutes = sum(row["training_s"]) / count / 60
        success = shown(row["training_success"], 3)
        lines.append([label, f"{len(known)}/{count}", middle, success, f"{minutes:.1f}"])
    return markdown(header, lines)


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown."""
    steps = record["config"]["steps"]
    budgets = " and ".join(f"{frames:,} in {size}" for size, frames in steps.items())
    return (
        f"{render(record['rows'], len(record['seeds']))}\n\ns2lab/DoorKeyFactors, {budgets} "
        "frames, PPO with a core without memory; success of the sampled policy over the last "
        "hundred training episodes, at the end over the last fifth of the budget, with 95 % "
        "intervals over seeds."
    )
