"""An evaluation taken apart: by kind of mission, and over the two sides of a shift.

A mission is of several kinds at once: how its parts are linked, and every deed that it asks for.
Missions are told by their words, colours and types left out. Knows no training.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2lab import seeds as seed_ranges
from s2lab.config import read_config
from s2lab.errors import UserError
from s2lab.evaluate import Evaluation, check_episodes, evaluate, evaluation_worlds
from s2lab.policy import Mode, load
from s2lab.run_folder import RunFolder

_DEEDS = {"go to": r"\bgo to\b", "pick up": r"\bpick up\b", "open": r"\bopen\b", "put": r"\bput\b"}
_LINKS = {"then": r", then ", "after": r" after you ", "and": r" and "}
_PLACES = {"a place": r"(on your (left|right)|in front of you|behind you)"}
_WORDS = re.compile(r"\b(red|green|blue|purple|yellow|grey|ball|box|key|door)\b")
_CHUNK = 250  # worlds reset at a time to read their missions


def kinds_of(mission: str) -> tuple[str, ...]:
    """The kinds that a mission is of, such as ("one part", "go to", "a place").

    A mission that asks for none of BabyAI's deeds is of one kind: its sentence, colours and types
    left out.
    """
    deeds = [deed for deed, words in _DEEDS.items() if re.search(words, mission)]
    if not deeds:
        return (_WORDS.sub("...", mission),)
    links = [link for link, words in _LINKS.items() if re.search(words, mission)] or ["one part"]
    places = [place for place, words in _PLACES.items() if re.search(words, mission)]
    return (*links, *deeds, *places)


def missions_of(env_id: str, seeds: Sequence[int]) -> list[str]:
    """The mission of each seed's first episode; none of worlds without missions."""
    from s2lab.envs.vocabulary import decode

    missions: list[str] = []
    for first in range(0, len(seeds), _CHUNK):
        chunk = list(seeds[first : first + _CHUNK])
        worlds = evaluation_worlds(env_id, len(chunk), slots=len(chunk))
        try:
            observation: Any = worlds.reset(seed=chunk)[0]  # type: ignore[arg-type]  # lists work
        finally:
            worlds.close()
        if "mission" not in observation:
            return []
        missions += [decode(tokens) for tokens in observation["mission"]]
    return missions


@dataclass(frozen=True)
class Kind:
    """How episodes with one kind of mission went."""

    name: str
    """See `kinds_of`."""
    episodes: int
    """How many."""
    success_rate: float
    """Among them."""

    def in_words(self) -> str:
        """With Wilson's interval."""
        from s2lab.stats import wilson_interval

        span = wilson_interval(round(self.success_rate * self.episodes), self.episodes)
        return f"{self.success_rate:.3f} ({span.low:.3f} to {span.high:.3f})"


def by_kind(result: Evaluation, missions: Sequence[str]) -> list[Kind]:
    """Success by kind of mission, the most frequent first; empty where all are of the same kind."""
    won: dict[str, list[bool]] = {}
    for mission, success in zip(missions, result.success.tolist(), strict=True):
        for name in kinds_of(mission):
            won.setdefault(name, []).append(success)
    if all(len(column) == len(missions) for column in won.values()):
        return []
    columns = sorted(won.items(), key=lambda item: (-len(item[1]), item[0]))
    return [Kind(name, len(column), sum(column) / len(column)) for name, column in columns]


def table_of(kinds: Sequence[Kind]) -> str:
    """Kinds as lines of plain text."""
    width = max((len(kind.name) for kind in kinds), default=0)
    return "\n".join(
        f"  {kind.name:{width}}  {kind.in_words()}  {kind.episodes} episodes" for kind in kinds
    )


def evaluate_shift(
    path: Path, shift: str, *, episodes: int, which: str = "latest", mode: Mode = "sampled"
) -> dict[str, Evaluation]:
    """A run's policy on both sides of a shift of its world; writes eval-<shift>.json.

    Raises:
        UserError: not a run, no such shift, or one that is not defined for the run's world.
    """
    from s2lab import checkpoint
    from s2lab.envs.shifts import SPLITS, shifted_id, unshifted_id

    check_episodes(episodes)
    run = RunFolder.open(path)
    config = read_config(run)
    base = unshifted_id(config.env)
    try:
        ids = {split: shifted_id(base, shift, split) for split in SPLITS}
    except ValueError as error:
        raise UserError(str(error)) from None
    found: dict[str, Evaluation] = {}
    for split, env_id in ids.items():
        policy = load(path, which, mode, seed_ranges.torch_seed(config.seed, "evaluation"))
        worlds = evaluation_worlds(env_id, episodes)
        try:
            found[split] = evaluate(policy, worlds, seed_ranges.eval_seeds(episodes))
        finally:
            worlds.close()
    step = checkpoint.load(run.checkpoints, which).step
    sides = {split: result.to_json(step, mode) for split, result in found.items()}
    run.write_json(f"eval-{shift}.json", {"format": 1, "shift": shift, "worlds": ids, **sides})
    return found
