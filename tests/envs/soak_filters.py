"""Held-out missions, 100,000 of each world and split, beside minigrid's under rejection.

python tests/envs/soak_filters.py

No mission may speak of a forbidden pair, as told from the sentence and the whole grid, and
sentences must be as frequent as minigrid's own, of which those that are not allowed are dropped.
"""

import argparse
import contextlib
import io
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import lockstep
import numpy as np
from scipy.stats import chi2_contingency
from test_shifts import PAIRED, pairs_of

from s2lab.bench.harness import machine, versions
from s2lab.envs import make_vec
from s2lab.envs.grid.compiled import fingerprint
from s2lab.envs.shifts import HELD_OUT, SPLITS
from s2lab.machine import commit

COLORS = ("red", "green", "blue", "purple", "yellow", "grey")  # as minigrid numbers them
KINDS = {"door": 4, "key": 5, "ball": 6, "box": 7}
THING = re.compile(
    rf"(?:(?P<color>{'|'.join(COLORS)}) )?(?P<kind>door|key|ball|box|object)"
    r"(?: (?P<place>in front of you|behind you|on your left|on your right))?"
)
RIGHT_OF = np.array([[0, 1], [-1, 0], [0, -1], [1, 0]])  # of a direction, in x and y
AHEAD_OF = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
FEWEST = 40  # sentences of either side; rarer ones are counted together


def spoken_of(sentence: str, image: Any) -> set[tuple[str, str]]:
    """Colours and types of the things that a sentence's descriptions match in a whole grid.

    The worlds in which places are named have one room.
    """
    (agent,) = np.argwhere(image[..., 0] == 10)
    direction = int(image[*agent, 2])
    found = set()
    for words in THING.finditer(sentence):
        for x, y in np.argwhere((image[..., 0] >= 4) & (image[..., 0] <= 7)):
            kind, color = int(image[x, y, 0]), COLORS[int(image[x, y, 1])]
            ahead, right = (
                (np.array([x, y]) - agent) @ of[direction] for of in (AHEAD_OF, RIGHT_OF)
            )
            places = {
                None: True,
                "in front of you": ahead > 0,
                "behind you": ahead < 0,
                "on your right": right > 0,
                "on your left": right < 0,
            }
            alike = words["kind"] == "object" or KINDS[words["kind"]] == kind
            if alike and words["color"] in (None, color) and places[words["place"]]:
                found.add((color, next(name for name, number in KINDS.items() if number == kind)))
    return found


def gist(sentence: str) -> str:
    """A sentence; of two parts, how they are joined and what the first one speaks of."""
    for link in (", then ", " after you ", " and "):
        if link in sentence:
            return link + "".join(sorted(sentence.split(link)[0].split()[-2:]))
    return sentence


def ours(world_id: str, split: str, resets: int) -> tuple[Counter[str], int]:
    """The gists of native missions, and how many speak of a pair that they should not."""
    worlds = make_vec(
        world_id, 1000, seed=1, shift="held_out_pairs", split=split, observation="full"
    )
    gists, wrong = Counter[str](), 0
    for _ in range(resets // 1000):
        view, _ = worlds.reset()
        for n in range(1000):
            sentence = worlds.mission_text(n)
            gists[gist(sentence)] += 1
            held_out = bool(spoken_of(sentence, view["image"][n]) & HELD_OUT)
            wrong += held_out != (split == "test")
    return gists, wrong


def theirs(world_id: str, resets: int) -> dict[str, Counter[str]]:
    """The gists of minigrid's missions on both sides."""
    env = lockstep.reference(world_id)
    gists = {split: Counter[str]() for split in SPLITS}
    env.reset(seed=3)
    for _ in range(resets):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints when it rejects a layout
            sentence = env.reset()[0]["mission"]
        gists["test" if pairs_of(env) & HELD_OUT else "train"][gist(sentence)] += 1
    return gists


def compare(one: Counter[str], other: Counter[str]) -> dict[str, Any]:
    """Chi-squared of two counts; what is rare in both is counted together."""
    often = sorted(name for name in {*one, *other} if min(one[name], other[name]) >= FEWEST)
    table = [[counts[name] for name in often] for counts in (one, other)]
    rest = [counts.total() - sum(row) for counts, row in zip((one, other), table, strict=True)]
    if max(rest):
        table = [[*row, rare] for row, rare in zip(table, rest, strict=True)]
    test = chi2_contingency(table)
    return {"chi2": test.statistic, "freedom": test.dof, "p": test.pvalue, "rare": rest}


def main(words: list[str] | None = None) -> int:
    """Write the record, world by world; 1 if a mission was wrong or a frequency is unlikely."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", nargs="+", default=PAIRED, choices=PAIRED)
    parser.add_argument("--resets", type=int, default=100_000)
    parser.add_argument("--minigrid-resets", type=int, default=100_000)
    parser.add_argument("--record", type=Path, default=Path("runs/records/soak-filters.json"))
    options = parser.parse_args(words)
    engine = fingerprint()
    before = json.loads(options.record.read_text()) if options.record.exists() else {"rows": []}
    rows = {(row["world"], row["split"]): row for row in before["rows"] if row["engine"] == engine}
    for world_id in options.worlds:
        start, both = time.process_time(), theirs(world_id, options.minigrid_resets)
        for split in SPLITS:
            gists, wrong = ours(world_id, split, options.resets)
            row = {"world": world_id, "split": split, "resets": gists.total(), "wrong": wrong}
            row |= {"minigrid": both[split].total(), **compare(gists, both[split])}
            row |= {"engine": engine, "cpu_s": round(time.process_time() - start, 1)}
            print(row, flush=True)
            rows[world_id, split] = row
        record = {"rows": [rows[key] for key in sorted(rows)], "commit": commit()}
        record |= {"machine": machine(), "versions": versions()}
        options.record.write_text(json.dumps(record, indent=2) + "\n")
    return int(any(row["wrong"] or row["p"] < 0.001 for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
