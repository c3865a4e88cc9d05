"""Learning curves of PPO, ours and Stable-Baselines3's, on four worlds; five seeds each.

Both see the same worlds and the same frames and are judged on the same unseen layouts. On
DoorKey-8x8, where seconds count, SB3 also steps minigrid's own worlds in a DummyVecEnv, as its
users do; learning is the same there, seed for seed. Settings for it are searched for first, as many
for SB3 as for ours; how the others were found stands beside them.

Seconds are those of the processor, of a process with one thread, so that a busy machine tells
nearly the same as an idle one; the wall's stand in the record. Runs go on from the record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from s2lab.config import BaselineConfig, TrainConfig
from s2lab.reproduce.agent_runs import Contest, Settings
from s2lab.reproduce.curves_picture import draw
from s2lab.reproduce.curves_settings import (
    RUNOFF,
    SEARCHED_ON,
    TIMED,
    TIMED_STEPS,
    TRIED,
    TRIED_STEPS,
    WORLDS,
)
from s2lab.reproduce.kept_runs import Part, fields, measure, record_path
from s2lab.reproduce.learning_table import Row, minutes, seeds_of, shown, summarise
from s2lab.reproduce.records import markdown, read_record
from s2lab.reproduce.search import Judging, choose, known, whole
from s2lab.run_folder import RunFolder

REACHED = 0.9  # success over the last hundred episodes, whose first frame and second count
QUICK_STEPS = 10_000  # in the first world
MINIGRID = "minigrid's worlds"
FIRST = dict.fromkeys(TRIED, 0)
JUDGING = Judging(SEARCHED_ON, whole, RUNOFF)


def reproduce(
    *,
    quick: bool,
    seeds: Sequence[int],
    only: Sequence[str] = (),
    parallel: int | None = None,
) -> int:
    """Train, judge, record; returns the exit code, 130 when interrupted."""
    part = Part(seeds, only, parallel)
    labels = part.labels(list(contest_of(quick, FIRST).contestants))
    search = "curves-search", options()
    chosen = FIRST if quick else {**FIRST, **known(*search, JUDGING)}
    if not quick and any(fields(label)[1] == TIMED for label in labels):
        tuned = choose(*search, parallel=parallel, judging=JUDGING)
        if tuned is None:
            return 130
        chosen = tuned
    contest = contest_of(quick, chosen)
    jobs = part.jobs(labels)
    found = measure(contest, jobs, {"reached": REACHED}, parallel=parallel, after=draw)
    if found is None:
        return 130
    print(table(read_record(record_path(contest.name))))
    return 0


def options() -> dict[str, list[Settings]]:
    """What is tried for each in the world where seconds count."""
    return {
        agent: [replace(each, **common(TIMED), steps=TRIED_STEPS) for each in tried]
        for agent, tried in TRIED.items()
    }


def contest_of(quick: bool, chosen: Mapping[str, int]) -> Contest:
    """Every row, the cheapest world first.

    Args:
        quick: the reduced form
        chosen: agent -> which of its options
    """
    rows: dict[str, Settings] = {}
    for world, players in WORLDS.items():
        reduced: dict[str, Any] = {"steps": QUICK_STEPS} if quick else {}
        for config in players:
            agent = config.agent if isinstance(config, TrainConfig) else "sb3 ppo"
            rows[f"{agent}, {world}"] = replace(config, **{**common(world), **reduced})
        if quick:
            break
        if world == TIMED:
            for agent, place in chosen.items():
                tuned = replace(TRIED[agent][place], **common(world), steps=TIMED_STEPS)
                rows[f"{agent}, {world}"] = tuned
                if agent == "sb3 ppo" and isinstance(tuned, BaselineConfig):  # as it comes
                    rows[f"{agent}, {world}, {MINIGRID}"] = replace(tuned, backend="minigrid")
    name, layouts = ("curves-quick", 100) if quick else ("curves", 500)
    return Contest(name, rows, layouts, look=needed)


def common(world: str) -> dict[str, Any]:
    """What all runs in a world have; a line after every update, for the first frame to be exact."""
    name = f"MiniGrid-{world}-v0"
    return {"env": name, "eval_episodes": 0, "log_every": 1, "save_every": 500_000}


def needed(run: RunFolder) -> dict[str, Any]:
    """Frames and seconds of training until success was first reached; None where it never was."""
    return {"needed": first_reached(run.metrics())}


def first_reached(lines: Sequence[Mapping[str, float]]) -> list[float] | None:
    """[frames, seconds by the wall, by the processor] of the first line that is good enough."""
    for line in lines:
        if line.get("rollout/success_rate", 0.0) >= REACHED:
            spent = [round(line[f"time/{name}"], 1) for name in ("time_elapsed", "cpu_s")]
            return [line["step"], *spent]
    return None


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown."""
    header = ["world", "agent", "frames", "seeds", "success", "greedy", "reached 90 %"]
    header += ["thousand frames to 90 %", "CPU seconds to 90 %", "CPU minutes in all"]
    rows = {row["label"]: row for row in summarise(record["rows"])}
    lines = []
    for label, row in rows.items():
        agent, world, *where = fields(label)
        (played,) = row["played"].values()
        reached = times(row)
        lines.append(
            [world, ", ".join([agent, *where]), f"{row['steps']:,}", seeds_of(row)]
            + [shown(played[mode]["success"], 3) for mode in ("sampled", "greedy")]
            + [f"{len(reached)} of {len(row['seeds'])}"]
            + [spread([found[0] / 1000 for found in reached])]
            + [spread([found[2] for found in reached]), minutes(row["cpu_s"])]
        )
    about = record["config"]
    return (
        f"{markdown(header, lines)}\n\nSuccess on {about['layouts']} unseen layouts at the end, "
        "sampled and greedy, mean with Student's 95 % interval. "
        f"{about['reached']:.0%} is of the last hundred training episodes: mean and range over the "
        "seeds that came to it; seconds of one thread on a shared machine. A bonus is one for what "
        "was seldom seen (`agents/visits.py`), which SB3 does not have: a wrapper of ours pays it. "
        "As many settings were searched for each, but ours were screened more widely on spare "
        f"seeds before (`s2lab/reproduce/curves_settings.py`).{beside(rows)}"
    )


def times(row: Row) -> list[list[float]]:
    """[frames, wall seconds, CPU seconds] of the seeds that came to it."""
    return [found["needed"] for found in row["looked"] if found["needed"] is not None]


def spread(values: Sequence[float]) -> str:
    """Mean and range; nothing where there are none."""
    if not values:
        return ""
    return f"{fmean(values):,.1f} [{min(values):,.1f}, {max(values):,.1f}]"


def beside(rows: Mapping[str, Row]) -> str:
    """How many times our frames and seconds SB3 needed, a lost seed with all that it spent."""
    timed = [label for label in rows if fields(label)[1] == TIMED]
    ours = [label for label in timed if not label.startswith("sb3")]
    theirs = [label for label in timed if label.startswith("sb3")]
    if not (ours and theirs):
        return ""
    lines = []
    for other in theirs:
        line = [other]
        for mine in ours:
            frames, _, seconds = (
                fmean(point[k] for point in spent(rows[other]))
                / fmean(point[k] for point in spent(rows[mine]))
                for k in range(3)
            )
            line += [f"{seconds:.1f}", f"{frames:.2f}"]
        lines.append(line)
    header = ["until 90 %"]
    for mine in ours:
        header += [f"CPU seconds over those of {mine}", f"frames over those of {mine}"]
    lost = [label for label in timed if len(times(rows[label])) < len(rows[label]["seeds"])]
    counted = "Seeds that never came to it count with all that they spent: "
    return f"\n\n{markdown(header, lines)}" + (f"\n\n{counted}{'; '.join(lost)}." if lost else "")


def spent(row: Row) -> list[list[float]]:
    """[frames, wall seconds, CPU seconds] of every seed until it came to it, or in all."""
    clocks = zip(row["training_s"], row["cpu_s"], strict=True)
    return [
        looked["needed"] or [row["steps"], *whole]
        for looked, whole in zip(row["looked"], clocks, strict=True)
    ]
