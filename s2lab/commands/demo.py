"""`demo`: the whole laboratory in a few minutes."""

import sys
from pathlib import Path
from statistics import fmean

from s2lab.commands.registry import command
from s2lab.config import TrackMode

STEPS, SEEDS, EPISODES = 100_000, (0, 1, 2), 500


@command()
def demo(
    *,
    steps: int = STEPS,
    seeds: tuple[int, ...] = SEEDS,
    episodes: int = EPISODES,
    track: TrackMode = "offline",
    runs: Path = Path("runs"),
    record: Path | None = None,
    quiet: bool = False,
) -> int:
    """Train an agent and its Stable-Baselines3 peers, recover a causal graph, write a report.

    Args:
        steps: environment steps per run
        seeds: run seeds, one run each and agent
        episodes: unseen episodes that every policy plays
        track: Weights & Biases off, offline (inside the run folders) or online
        runs: folder that receives everything
        record: JSON file that keeps the figures
        quiet: no progress
    """
    from s2lab import demo as work

    done = work.run_demo(
        runs, steps=steps, seeds=seeds, episodes=episodes, track=track, quiet=quiet
    )
    if done is None:
        print("s2lab: interrupted; `s2lab resume RUN` goes on with a run", file=sys.stderr)
        return 130
    if record is not None:
        work.record(done, record, steps, seeds, episodes)
    ranked = sorted(done.success.items(), key=lambda item: -fmean(item[1]))
    for agent, rates in ranked:
        print(f"{agent:18} success {fmean(rates):.3f} on {episodes} unseen episodes")
    print(f"{'Asia':18} SHD {done.found.summary['shd']}")
    print(f"report: {done.report}")
    return 0
