"""Millions of lockstep steps against minigrid over every id; stopped, it goes on where it was.

python tests/envs/soak.py --steps 10_000_000

Work is cut into games of one id and seed. Each finished game is a line of the progress file, which
holds for one version of the engine; the record is written when all games are done.
"""

import argparse
import gc
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lockstep

from s2lab.bench.harness import machine, versions
from s2lab.envs.grid.compiled import fingerprint
from s2lab.envs.registration import WORLDS
from s2lab.machine import commit

GAME_STEPS = 2_500
FIRST_SEED = 1_000_000
ENGINE_NOW = fingerprint()  # of the files as they were when this process began
VIEW_SIZES = (3, 5, 9, 11, 13, 15)


class Game(NamedTuple):
    """One id played in lockstep; a difference ends it."""

    world_id: str
    round: int

    @property
    def seed(self) -> int:
        """Seeds that no test names."""
        return FIRST_SEED + self.round

    @property
    def options(self) -> dict[str, Any]:
        """Every fourth round with another view size, every eighth with the whole grid in view."""
        if self.round % 4 == 1:
            size = VIEW_SIZES[self.round // 4 % len(VIEW_SIZES)]
            return {"view_size": size, "wrapped": False}
        return {"full": True} if self.round % 8 == 3 else {}


def games(steps: int) -> Iterator[Game]:
    """As many games as make `steps` steps, every id as often as the others."""
    count = -(-steps // GAME_STEPS)
    ids = sorted(world_id for world_id in WORLDS if world_id.startswith("MiniGrid-"))
    yield from (Game(ids[i % len(ids)], i // len(ids)) for i in range(count))


def play(game: Game) -> dict[str, Any]:
    """What happened in a game, and where it differed, if it did."""
    gc.set_threshold(100_000)  # minigrid makes a wall for every cell out of its grid
    start = time.process_time()
    difference, counts = None, Counter[str]()
    try:
        counts = lockstep.run(game.world_id, game.seed, GAME_STEPS, **game.options)
    except lockstep.Difference as found:
        difference = str(found)
    return {
        "game": list(game),
        "engine": ENGINE_NOW,
        "cpu_s": time.process_time() - start,
        "difference": difference,
        "counts": dict(counts),
    }


def finished(progress: Path) -> dict[Game, dict[str, Any]]:
    """Games of this engine that are done; a line that was cut off is none."""
    done = {}
    for line in progress.read_text().splitlines() if progress.exists() else []:
        try:
            result = json.loads(line)
        except json.JSONDecodeError:
            continue
        if result["engine"] == ENGINE_NOW:
            done[Game(*result["game"])] = result
    return done


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The record: how much was compared, what happened in it, and every difference."""
    counts = sum((Counter(result["counts"]) for result in results), Counter[str]())
    return {
        "steps": GAME_STEPS * len(results),
        "games": len(results),
        "ids": len({result["game"][0] for result in results}),
        "seeds": [FIRST_SEED, FIRST_SEED + max(result["game"][1] for result in results)],
        "differences": [r["difference"] for r in results if r["difference"] is not None],
        "happened": dict(sorted(counts.items())),
        "cpu_s": round(sum(result["cpu_s"] for result in results), 1),
        "engine": ENGINE_NOW,
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
    }


def main(words: list[str] | None = None) -> int:
    """Play what is left to play; 1 if anything differed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--progress", type=Path, default=Path("runs/soak-progress.jsonl"))
    parser.add_argument("--record", type=Path, default=Path("runs/records/soak.json"))
    options = parser.parse_args(words)
    if options.steps < 1 or options.processes < 1:
        parser.error("--steps and --processes are whole numbers from 1")
    wanted = list(games(options.steps))
    done = finished(options.progress)
    left = [game for game in wanted if game not in done]
    print(f"{len(wanted)} games of {GAME_STEPS} steps, {len(left)} left", flush=True)
    options.progress.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with (
        options.progress.open("a") as file,
        multiprocessing.get_context("spawn").Pool(options.processes) as pool,
    ):
        file.write("\n")  # whatever was cut off stays a line of its own
        for number, result in enumerate(pool.imap_unordered(play, left), 1):
            file.write(json.dumps(result) + "\n")
            file.flush()
            done[Game(*result["game"])] = result
            if result["difference"] is not None:
                print(result["difference"], flush=True)
            if number % 100 == 0 or number == len(left):
                pace = (time.monotonic() - start) / number
                print(f"{number} of {len(left)}, {pace * (len(left) - number):.0f} s left")
    record = summary([done[game] for game in wanted])
    options.record.parent.mkdir(parents=True, exist_ok=True)
    beside = options.record.with_name(options.record.name + ".part")
    beside.write_text(json.dumps(record, indent=2) + "\n")
    os.replace(beside, options.record)
    print(f"{record['steps']} steps, {len(record['differences'])} differences: {options.record}")
    return int(bool(record["differences"]))


if __name__ == "__main__":
    sys.exit(main())
