"""How many demonstrations behaviour cloning needs for 99 % success, beside BabyAI's counts.

Published: Chevalier-Boisvert et al. 2019 (arXiv 1810.08272), by interpolation over runs; ours: one
run of `s2lab imitate` for each count and seed, judged greedily on unseen episodes, and the count at
which the mean over seeds crosses 99 %, interpolated over the logarithm of the count. The record is
written after every run; stopped, the same command goes on, and with a record of the same settings
it measures only what that lacks.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from s2lab.agents.cloning_config import CloningConfig
from s2lab.agents.encoders.config import EncoderConfig
from s2lab.config import ImitateConfig, read_config
from s2lab.errors import UserError
from s2lab.reproduce.records import FOLDER, markdown, read_record, write_record
from s2lab.run_folder import RunFolder

WORK = Path("runs/reproduce/imitation")
WANTED = 0.99


@dataclass(frozen=True)
class Ladder:
    """Counts of demonstrations for one world."""

    counts: tuple[int, ...]
    """From few to many."""
    published: tuple[int, int]
    """BabyAI's interval for 99 %, in demonstrations."""
    steps: int
    """Demonstrated steps to read at most."""


FULL = {
    "BabyAI-GoToRedBallGrey-v0": Ladder(
        (500, 1_000, 2_000, 4_000, 8_000), (8_400, 12_400), 1_500_000
    ),
    "BabyAI-GoToLocal-v0": Ladder((10_000, 20_000, 40_000, 80_000), (149_000, 193_000), 4_000_000),
}
QUICK = {"BabyAI-GoToRedBallGrey-v0": Ladder((100, 400), (8_400, 12_400), 60_000)}


def reproduce(*, quick: bool, seeds: Sequence[int]) -> int:
    """Measure the table; returns the exit code: 130 when it was stopped."""
    name = "imitation-quick" if quick else "imitation"
    ladders = QUICK if quick else FULL
    worlds = {world: asdict(ladder) for world, ladder in ladders.items()}
    config = json.loads(json.dumps({"wanted": WANTED, "quick": quick, "worlds": worlds}))
    rows = _measured(FOLDER / f"{name}.json", config)
    for world, ladder in ladders.items():
        for count in ladder.counts:
            for seed in seeds:
                if (world, count, seed) in rows:
                    continue
                if not _record_demonstrations(world, count):
                    return 130
                row = _measure(world, ladder, count, seed, 200 if quick else 1000)
                if row is None:
                    return 130
                rows[world, count, seed] = row
                write_record(name, config, seeds, [rows[key] for key in sorted(rows)])
                print(f"{world}, {count:,} demonstrations, seed {seed}: {row['success_rate']:.3f}")
    print(table({"rows": list(rows.values())}))
    print(f"record: {FOLDER / name}.json")
    return 0


def _measured(path: Path, config: Mapping[str, Any]) -> dict[tuple[str, int, int], dict[str, Any]]:
    """The rows of a record, if there is one and it was measured with these settings."""
    if not path.exists():
        return {}
    record = read_record(path)
    rows = record["rows"] if record["config"] == config else []
    return {(row["world"], row["demonstrations"], row["seed"]): row for row in rows}


def _demos(world: str) -> Path:
    return WORK / world / "demos"


def _record_demonstrations(world: str, count: int) -> bool:
    from s2lab.demos import DemoConfig, record

    return record(DemoConfig(world, count, _demos(world)))


def _settings(world: str, ladder: Ladder, count: int, seed: int) -> ImitateConfig:
    """Settings of a run.

    Chosen by validation on seed 0 with 40,000 demonstrations of GoToLocal: after 4 M demonstrated
    steps a table of 128 features came to .97 in validation (58 processor seconds), convolutions to
    .70 (120 seconds); 64 features to .69 after 1 M. FiLM, as published, reads six times slower.
    """
    return ImitateConfig(
        env=world,
        seed=seed,
        steps=ladder.steps,
        demos=str(_demos(world).resolve()),
        demo_episodes=count,
        encoder=EncoderConfig(feature_size=128),
        cloning=CloningConfig(streams=64, unroll=16, lr=2e-3),
        validate_every=max(20_000, ladder.steps // 20),
        patience=6,
        eval_episodes=0,
    )


def _measure(
    world: str, ladder: Ladder, count: int, seed: int, episodes: int
) -> dict[str, Any] | None:
    """One run, made, gone on with or found finished, and judged; None when it was stopped."""
    from s2lab.evaluate import evaluate_run
    from s2lab.imitation import create_imitation
    from s2lab.resume import resume_run

    wanted = _settings(world, ladder, count, seed)
    run = next((run for run in _runs(world) if read_config(run) == wanted), None)
    run = run or create_imitation(wanted, WORK / world / "runs")
    if run.summary["status"] != "finished" and resume_run(run.path).status != "finished":
        return None
    found = evaluate_run(run.path, episodes=episodes, mode="greedy", write=False)
    summary = run.summary
    return {
        "world": world,
        "demonstrations": count,
        "seed": seed,
        "success_rate": float(found.success.mean()),
        "episodes": episodes,
        "steps": summary["steps"],
        "elapsed_s": round(summary["elapsed_s"], 1),
    }


def _runs(world: str) -> list[RunFolder]:
    """The runs that exist for a world."""
    found = []
    for path in sorted((WORK / world / "runs").glob("*")):
        try:
            found.append(RunFolder.open(path))
        except UserError:  # cut off while it was made
            continue
    return found


def needed(rates: Mapping[int, float]) -> str:
    """The count at which the success rate first crosses 99 %, as words."""
    before: tuple[int, float] | None = None
    for count, rate in sorted(rates.items()):
        if rate >= WANTED:
            if before is None:
                return f"at most {count:,}"
            share = (WANTED - before[1]) / (rate - before[1])
            log = math.log(before[0]) + share * (math.log(count) - math.log(before[0]))
            return f"{round(math.exp(log), -2):,.0f}"
        before = count, rate
    return f"more than {max(rates):,}" if rates else ""


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown."""
    lines = []
    for world in dict.fromkeys(row["world"] for row in record["rows"]):
        rows = [row for row in record["rows"] if row["world"] == world]
        counts = sorted({row["demonstrations"] for row in rows})
        rates = {
            count: fmean(row["success_rate"] for row in rows if row["demonstrations"] == count)
            for count in counts
        }
        low, high = (FULL | QUICK)[world].published
        shown = ", ".join(f"{count:,}: {rate:.3f}" for count, rate in rates.items())
        seeds = min(sum(row["demonstrations"] == count for row in rows) for count in counts)
        lines.append((world, shown, seeds, needed(rates), f"{low:,} to {high:,}"))
    header = ("world", "success by demonstrations", "seeds of each", "needed for 99 %", "published")
    return markdown(header, lines)
