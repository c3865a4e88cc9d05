"""Every kind of BabyAI world beside minigrid's until enough was seen; stopped, it goes on.

python tests/envs/soak_babyai.py --successes 100 --missions 10_000

For each kind of world: so many missions whose sentences, first images and random states are the
same, and so many missions fulfilled step by step beside minigrid, by its bot and by an explorer.
Each finished game is a line of the progress file, which holds for one version of the engine.
"""

import argparse
import contextlib
import io
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import lockstep
from babyai_player import CAN_FAIL, CLASSES, EXERCISED, VERDICTS, ids_of, play, verdicts_counted

from s2lab.bench.harness import machine, versions
from s2lab.envs.grid.compiled import fingerprint
from s2lab.machine import commit

GAME_STEPS, GAME_MISSIONS = 1_000, 250
MOST_GAMES = 400  # of one kind
FIRST_SEED = 2_000_000
ENGINE_NOW = fingerprint()

Game = tuple[str, str, int]  # what is compared, the kind of world, which round


def compare(game: Game) -> dict[str, Any]:
    """Play one game; what happened, what verifiers said, and the first difference if there is."""
    what, kind, number = game
    ids = ids_of(kind)
    world_id, seed = ids[number % len(ids)], FIRST_SEED + number // len(ids)
    start, said, counts, difference = time.process_time(), Counter[str](), Counter[str](), None
    try:
        with verdicts_counted(said), contextlib.redirect_stdout(io.StringIO()):
            if what == "steps":
                counts = play(world_id, seed, GAME_STEPS)
                counts["steps"] = GAME_STEPS
            else:
                pair = lockstep.Lockstep(world_id, seed)
                for _ in range(GAME_MISSIONS - 1):
                    pair.restart()
                counts = Counter(missions=GAME_MISSIONS)
    except lockstep.Difference as found:
        difference = str(found)
    except lockstep.Endless:
        counts = Counter(endless=1)  # and nothing else of this game counts
    return {
        "game": list(game),
        "engine": ENGINE_NOW,
        "cpu_s": time.process_time() - start,
        "difference": difference,
        "counts": dict(counts),
        "verdicts": dict(said),
    }


def finished(progress: Path) -> dict[Game, dict[str, Any]]:
    """Games of this engine that are done; a line that was cut off is none."""
    done = {}
    for line in progress.read_text().splitlines() if progress.exists() else []:
        with contextlib.suppress(json.JSONDecodeError):
            result = json.loads(line)
            if result["engine"] == ENGINE_NOW:
                what, kind, number = result["game"]
                done[(what, kind, number)] = result
    return done


def next_game(
    kind: str, done: dict[Game, dict[str, Any]], successes: int, missions: int
) -> Game | None:
    """What a kind of world still lacks."""
    seen, games = Counter[str](), Counter[str]()
    for (what, of, _), result in done.items():
        if of == kind:
            seen.update(result["counts"])
            games[what] += 1
    if seen["missions"] < missions:
        return "missions", kind, games["missions"]
    if seen["successes"] < successes and games["steps"] < MOST_GAMES:
        return "steps", kind, games["steps"]
    return None


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The record: what was compared for each kind, what verifiers said, every difference."""
    kinds: dict[str, Counter[str]] = {kind: Counter() for kind in EXERCISED}
    verdicts = Counter[str]()
    for result in results:
        kinds[result["game"][1]].update(result["counts"])
        verdicts.update(result["verdicts"])
    return {
        "kinds": {kind: dict(sorted(counts.items())) for kind, counts in kinds.items()},
        "verdicts": dict(sorted(verdicts.items())),
        "differences": [r["difference"] for r in results if r["difference"] is not None],
        "cpu_s": round(sum(result["cpu_s"] for result in results), 1),
        "engine": ENGINE_NOW,
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
    }


def lacking(record: dict[str, Any], successes: int, missions: int) -> list[str]:
    """What the record does not show: kinds with too little, verifiers that said too little."""
    missing = [
        f"{kind}: {counts.get(name, 0)} {name} of {wanted}"
        for kind, counts in record["kinds"].items()
        for name, wanted in (("successes", successes), ("missions", missions))
        if counts.get(name, 0) < wanted
    ]
    said = record["verdicts"]
    wanted_verdicts = [f"{judge} {verdict}" for judge in CLASSES for verdict in VERDICTS]
    wanted_verdicts += [f"{judge} failure" for judge in CAN_FAIL]
    return missing + [
        f"never said: {verdict}" for verdict in wanted_verdicts if verdict not in said
    ]


def main(words: list[str] | None = None) -> int:
    """Play what is left to play; 1 if anything differed or was not reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--successes", type=int, default=100)
    parser.add_argument("--missions", type=int, default=10_000)
    parser.add_argument("--progress", type=Path, default=Path("runs/soak-babyai-progress.jsonl"))
    parser.add_argument("--record", type=Path, default=Path("runs/records/soak-babyai.json"))
    options = parser.parse_args(words)
    done = finished(options.progress)
    options.progress.parent.mkdir(parents=True, exist_ok=True)
    with options.progress.open("a") as file:
        file.write("\n")  # whatever was cut off stays a line of its own
        waiting = list(EXERCISED)
        while waiting:
            kind = waiting.pop(0)
            game = next_game(kind, done, options.successes, options.missions)
            if game is None:
                print(f"{kind}: done, {len(waiting)} kinds left", flush=True)
                continue
            waiting.append(kind)
            done[game] = result = compare(game)
            file.write(json.dumps(result) + "\n")
            file.flush()
            if result["difference"] is not None:
                print(result["difference"], flush=True)
    record = summary(list(done.values()))
    record["lacking"] = lacking(record, options.successes, options.missions)
    options.record.parent.mkdir(parents=True, exist_ok=True)
    beside = options.record.with_name(options.record.name + ".part")
    beside.write_text(json.dumps(record, indent=2) + "\n")
    os.replace(beside, options.record)
    print(f"{len(record['differences'])} differences, {len(record['lacking'])} things lacking")
    print("\n".join(record["lacking"]))
    return int(bool(record["differences"] or record["lacking"]))


if __name__ == "__main__":
    sys.exit(main())
