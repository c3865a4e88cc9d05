"""Frames and episodes that reinforcement learning needs for 99 % success in BabyAI's levels.

Published: Hui et al. 2020 (BabyAI 1.1, arXiv 2007.12770), thousands of episodes to 99 % success,
the range over its architectures. Ours: training success over the last `WINDOW` episodes first at
99 %, read after every update; a seed that never gets there counts as not there. The first three
levels are required; the others wait for a GPU (`runs/recipes/`).

Settings are those of the table of shifts: found once, on GoToLocal, with the same search for every
core; one level takes smaller batches (`BATCHES`).
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, median
from typing import Any

from s2lab.config import TrainConfig
from s2lab.reproduce import shifts
from s2lab.reproduce.agent_runs import Contest, Settings
from s2lab.reproduce.equal_cores import some
from s2lab.reproduce.kept_runs import Part, fields, measure, record_path
from s2lab.reproduce.learning_table import Row, minutes, seeds_of, shown, summarise
from s2lab.reproduce.records import markdown, read_record
from s2lab.run_folder import RunFolder

# Level -> thousands of episodes published, from and to, and frames that a run gets here.
LEVELS: dict[str, tuple[tuple[int, int], int]] = {
    "GoToRedBallGrey": ((21, 24), 1_000_000),
    "GoToRedBall": ((172, 273), 2_000_000),
    "GoToLocal": ((242, 1311), 5_000_000),
    "PickupLoc": ((710, 1797), 30_000_000),
    "PutNextLocal": ((876, 2984), 60_000_000),
    "GoTo": ((454, 1601), 60_000_000),
}
# The search's settings take large batches, which are quick by the clock. In GoToRedBallGrey they
# needed 34 thousand episodes (median of five LSTMs, 584 thousand frames), more than published. With
# these, training came to 99 % after 274 and 202 thousand frames (LSTM, seeds 3000 and 3001) and 174
# (RIMs, 3000), with two passes instead of four after 535 (LSTM, 3000).
SMALL_BATCHES = {"num_envs": 64, "minibatches": 4, "epochs": 4}
BATCHES: Mapping[str, Mapping[str, int]] = {"GoToRedBallGrey": SMALL_BATCHES}
REQUIRED = ("GoToRedBallGrey", "GoToRedBall", "GoToLocal")
SOURCE = "Hui et al. 2020, arXiv 2007.12770, over its architectures"
CORES = some("lstm", "rims")
FAMILY = "GoToLocal"
QUICK = {"GoToRedBallGrey": 120_000}
WANTED = 0.99
WINDOW = 1000  # episodes that the success rate is taken over


def reproduce(
    *,
    quick: bool,
    seeds: Sequence[int],
    only: Sequence[str] = (),
    parallel: int | None = None,
    levels: Sequence[str] = (),
) -> int:
    """Search, train, judge; returns the exit code, 130 when interrupted."""
    part = Part(seeds, [*only, *levels], parallel)
    known = labels(quick)
    asked = part.labels(known)
    if not (only or levels or quick):
        asked = [label for label in asked if fields(label)[1] in REQUIRED]
    chosen = dict.fromkeys(CORES, 1)
    if not quick:
        cores = {fields(label)[0] for label in asked}
        found = shifts.tuned([(core, FAMILY) for core in cores], parallel)
        if found is None:
            return 130
        chosen |= {core: found[core, FAMILY] for core in CORES if (core, FAMILY) in found}
    contest = contest_of(quick, chosen)
    jobs = [(label, seed) for label in asked for seed in seeds]
    about = {"window": WINDOW, "wanted": WANTED}
    if measure(contest, jobs, about, parallel=parallel) is None:
        return 130
    print(table(read_record(record_path(contest.name))))
    return 0


def labels(quick: bool) -> list[str]:
    """Every row, level by level."""
    return [f"{core}, {level}" for level in (QUICK if quick else LEVELS) for core in CORES]


def contest_of(quick: bool, chosen: Mapping[str, int]) -> Contest:
    """All rows, with what training needed for 99 %."""
    rows: dict[str, Settings] = {}
    for label in labels(quick):
        core, level = fields(label)
        steps = QUICK[level] if quick else LEVELS[level][1]
        rows[label] = agent(core, level, steps, shifts.SEARCH[chosen[core]])
    name, layouts = ("babyai-rl-quick", 200) if quick else ("babyai-rl", 1000)
    return Contest(name, rows, layouts, look=needed)


def agent(core: str, level: str, steps: int, tuning: Mapping[str, Any]) -> TrainConfig:
    """Everything about a run but its seed; a line after every update, for `needed`."""
    tuning = {**tuning, **BATCHES.get(level, {})}
    return replace(shifts.agent(core, FAMILY, f"BabyAI-{level}-v0", steps, tuning), log_every=1)


def needed(run: RunFolder) -> dict[str, Any]:
    """Frames, episodes and seconds of training until 99 %; None where it never came to that."""
    return {"needed": first_reached(run.metrics())}


def first_reached(lines: Sequence[Mapping[str, float]]) -> list[float] | None:
    """[frames, episodes, seconds] of the first line with 99 % over the last `WINDOW` episodes.

    Lines hold how many episodes have ended and how many of them well; the window reaches back to
    the last line that lies at least `WINDOW` episodes before.
    """
    window = deque([(0.0, 0.0)])  # episodes, successes
    for line in lines:
        if "charts/episodes" not in line:
            continue
        ended, won = line["charts/episodes"], line["charts/successes"]
        window.append((ended, won))
        while len(window) > 1 and ended - window[1][0] >= WINDOW:
            window.popleft()
        before, won_before = window[0]
        if ended - before >= WINDOW and won - won_before >= WANTED * (ended - before):
            return [line["step"], ended, round(line["time/time_elapsed"], 1)]
    return None


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown, level by level beside what is published."""
    header = ["level", "agent", "frames", "seeds", "success", "greedy", "reached 99 %"]
    header += ["thousand episodes", "published", "thousand frames", "minutes to 99 %", "minutes"]
    lines = []
    for row in summarise(record["rows"]):
        core, level = fields(row["label"])
        (played,) = row["played"].values()
        reached = [found["needed"] for found in row["looked"] if found["needed"] is not None]
        frames, episodes, seconds = zip(*reached, strict=True) if reached else ((), (), ())
        low, high = LEVELS[level][0]
        lines.append(
            [level, core, f"{row['steps']:,}", seeds_of(row)]
            + [shown(played[mode]["success"], 3) for mode in ("sampled", "greedy")]
            + [f"{len(reached)} of {len(row['seeds'])}"]
            + [spread(episodes, 1000), f"{low} to {high}", spread(frames, 1000)]
            + [f"{fmean(seconds) / 60:.1f}" if seconds else "", minutes(row["training_s"])]
        )
    about = record["config"]
    return (
        f"{markdown(header, lines)}\n\nEpisodes and frames until training success over the last "
        f"{about['window']} episodes was {about['wanted']:.0%}: median and range over the seeds "
        f"that came to it. Success on {about['layouts']} unseen episodes at the end, sampled and "
        f"greedy, mean with Student's 95 % interval. Published: {SOURCE}. {', '.join(BATCHES)}: "
        f"{SMALL_BATCHES['num_envs']} worlds at a time; others: 256.{behind(record)}"
    )


def spread(values: Sequence[float], unit: float) -> str:
    """Median and range, in units; nothing where there are none."""
    if not values:
        return ""
    low, middle, high = (value / unit for value in (min(values), median(values), max(values)))
    return f"{middle:,.1f} [{low:,.1f}, {high:,.1f}]"


def behind(record: Mapping[str, Any]) -> str:
    """What is lacking where a row has not come to 99 % on every seed."""
    lacking = []
    for row in summarise(record["rows"]):
        missed = [rate for found, rate in zip(row["looked"], last_rates(row), strict=True)
                  if found["needed"] is None]  # fmt: skip
        if missed:
            lacking.append(f"{row['label']}: {fmean(missed):.3f} on {len(missed)} seeds")
    if not lacking:
        return ""
    return (
        f" Not at 99 % when the frames were spent, training success at the end: "
        f"{'; '.join(lacking)}; the next lever is more frames."
    )


def last_rates(row: Row) -> list[float]:
    """Training success at the end of each curve."""
    return [points[-1][2] for points in row["curves"]]
