"""The whole laboratory in a few minutes: train, compare, discover, report.

Everything lands in one folder: the runs, the data, the graph and `report.html`.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from s2lab import __version__, durable
from s2lab.config import BaselineConfig, TrackMode, TrainConfig, ppo_config
from s2lab.discover import Discovery, discover, simulate_csv
from s2lab.errors import UserError
from s2lab.evaluate import check_episodes, evaluate_random
from s2lab.launch import run_side_by_side
from s2lab.machine import describe_machine
from s2lab.run_folder import RunFolder

ENV = "MiniGrid-DoorKey-5x5-v0"
STEPS = 100_000  # environment steps a run: the budget of the zoo's entry for this world
PRESET, SB3_PRESET = "quick", "zoo-doorkey"  # each learner has settings of its own
SEEDS = (0, 1, 2)
EPISODES = 500  # unseen seeds that every policy plays
OBSERVATIONS, PER_DO = 5000, 512  # rows of the Asia network


@dataclass(frozen=True)
class Demo:
    """What the demonstration made."""

    folder: Path
    """Runs, data, graph and report."""
    report: Path
    """The HTML file."""
    success: dict[str, list[float]]
    """Success rate on the unseen seeds: agent -> one number a seed."""
    found: Discovery
    """The recovered graph beside the true one."""
    phases_s: dict[str, float]
    """Wall-clock seconds of training, discovery and report."""


def run_demo(
    root: Path,
    *,
    steps: int = STEPS,
    seeds: Sequence[int] = SEEDS,
    episodes: int = EPISODES,
    track: TrackMode = "offline",
    quiet: bool = False,
) -> Demo | None:
    """Train, compare, discover and report; None when it was interrupted.

    Raises:
        UserError: numbers out of range or a folder that cannot be written.
    """
    check_episodes(episodes)
    started = time.monotonic()
    folder = root / f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    runs = create_runs(folder, steps, seeds, episodes)
    say(f"1/3 training {len(runs)} runs of {steps:,} steps on {ENV}", quiet)
    codes = run_side_by_side(runs, track=track, quiet=quiet)
    if 130 in codes:
        return None
    failed = [str(run.path) for run, code in zip(runs, codes, strict=True) if code]
    if failed:
        raise UserError(f"{len(failed)} runs failed; for the reason: s2lab resume {failed[0]}")
    add_random_run(folder, episodes)
    trained = time.monotonic()
    say("2/3 recovering the Asia network from observations and interventions", quiet)
    data = folder / "asia.csv"
    simulate_csv("asia", data, OBSERVATIONS, PER_DO, seed=0)
    graph, picture = folder / "asia.json", folder / "asia.svg"
    found = discover(data, truth="asia", method="exact", out=graph, picture=picture)
    discovered = time.monotonic()
    say("3/3 writing the report", quiet)
    report, success = report_on(folder, found, steps, seeds, episodes)
    phases = {
        "training and evaluation": trained - started,
        "discovery": discovered - trained,
        "report": time.monotonic() - discovered,
    }
    return Demo(folder, report, success, found, phases)


def create_runs(folder: Path, steps: int, seeds: Sequence[int], episodes: int) -> list[RunFolder]:
    """Our agent, SB3 with our encoder and SB3 with its own network, each with every seed."""
    from s2lab import baselines, training

    common: dict[str, Any] = {
        "env": ENV,
        "steps": steps,
        "log_every": max(1, steps // 40),
        "save_every": max(1, steps // 2),
        "eval_episodes": episodes,
    }
    ours, theirs = (ppo_config(preset, {}) for preset in (PRESET, SB3_PRESET))
    runs = list[RunFolder]()
    for network in ("default", "same"):  # the slowest first, so that no core waits at the end
        for seed in seeds:
            config = BaselineConfig(**common, ppo=theirs, seed=seed, network=network)
            runs.append(baselines.create_run(config, folder))
    for seed in seeds:
        runs.append(training.create_run(TrainConfig(**common, ppo=ours, seed=seed), folder))
    return runs


def add_random_run(folder: Path, episodes: int) -> None:
    """Uniform random actions, judged like an agent: a run of no steps."""
    run = RunFolder.create(folder, env_id=ENV, agent="random", seed=0, kind="baseline", config={})
    started = time.monotonic()
    result = evaluate_random(ENV, episodes)
    run.write_json("eval.json", result.to_json(0, "sampled"))
    elapsed = time.monotonic() - started
    run.write_summary({"status": "finished", "elapsed_s": elapsed, "eval": result.summary()})


def report_on(
    folder: Path, found: Discovery, steps: int, seeds: Sequence[int], episodes: int
) -> tuple[Path, dict[str, list[float]]]:
    """Write report.html; returns its path and every agent's success rates."""
    from s2lab.compare import compare
    from s2lab.report import Code, Paragraph, Picture, Section, write_report
    from s2lab.reporting.comparison_page import comparison_sections

    comparison = compare([folder], curves=True)
    shd = found.summary["shd"]
    about_graph = (
        f"Asia (Lauritzen & Spiegelhalter 1988), {OBSERVATIONS:,} observations and {PER_DO} rows "
        f"for a uniform do on each variable, exact dynamic programming over interventional BDeu: "
        f"{'recovered without a mistake' if not shd else f'{shd} mistakes'} (SHD {shd})."
    )
    from s2lab.graph_picture import graph_svg

    causal = Section(
        "Causal discovery",
        (Paragraph(about_graph), Picture(graph_svg(found.true, found.recovered))),
    )
    again = Section(
        "Again",
        (Code(f"s2lab demo --steps {steps} --seeds {' '.join(map(str, seeds))} "
              f"--episodes {episodes}", title="The command that makes this report"),),
    )  # fmt: skip
    sections = list(comparison_sections(comparison))
    place = next(i for i, part in enumerate(sections) if part.title.startswith("Runs and"))
    path = write_report(
        folder / "report.html",
        title="s2lab demonstration",
        subtitle=f"{ENV}, {steps:,} steps, {len(seeds)} seeds, {episodes} unseen episodes each",
        sections=[*sections[:place], causal, *sections[place:], again],
        footer=f"s2lab {__version__}",
    )
    success = {entry.label: [float(x) for x in entry.scores] for entry in comparison.entries}
    return path, success


def record(demo: Demo, path: Path, steps: int, seeds: Sequence[int], episodes: int) -> None:
    """Write the figures of a demonstration as a committed record.

    Raises:
        UserError: the file cannot be written.
    """
    import json

    machine = describe_machine()
    data = {
        "format": 1,
        "command": f"s2lab demo --steps {steps} --seeds {' '.join(map(str, seeds))} "
        f"--episodes {episodes} --record {path}",
        "env": ENV,
        "steps": steps,
        "seeds": list(seeds),
        "episodes": episodes,
        "presets": {"ours": PRESET, "sb3": SB3_PRESET},
        "success_rate": demo.success,
        "asia_shd": demo.found.summary["shd"],
        "wall_s": {name: round(seconds, 1) for name, seconds in demo.phases_s.items()},
        "versions": machine["versions"],
        "machine": {key: machine[key] for key in ("cpu", "cpus", "gpu", "python")},
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.replace(path, (json.dumps(data, indent=2) + "\n").encode())
    except OSError as error:
        raise durable.cannot_write(path, error, "name another file") from error


def table(record: dict[str, Any]) -> str:
    """The README's Markdown table of a record."""
    from statistics import fmean

    lines = ["| agent | mean success on unseen seeds | each seed |", "|---|---|---|"]
    ranked = sorted(record["success_rate"].items(), key=lambda item: -fmean(item[1]))
    for agent, rates in ranked:
        each = ", ".join(f"{rate:.3f}" for rate in rates)
        lines.append(f"| {agent} | {fmean(rates):.3f} | {each} |")
    minutes = sum(record["wall_s"].values()) / 60
    lines += [
        "",
        f"{record['env']}, {record['steps']:,} steps a run, {record['episodes']} unseen episodes, "
        f"{minutes:.1f} minutes on {record['machine']['cpus']} cores "
        f"({record['machine']['cpu']}); SHD {record['asia_shd']} on Asia. `{record['command']}`",
    ]
    return "\n".join(lines)


def say(line: str, quiet: bool) -> None:
    """One line about where the demonstration is."""
    if not quiet:
        print(line, file=sys.stderr, flush=True)
