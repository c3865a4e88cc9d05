"""What the soaks found, as Markdown: native worlds beside minigrid's, step by step.

The records come from `tests/envs/soak.py` and `tests/envs/soak_babyai.py`. Knows no worlds.
"""

from collections import Counter
from typing import Any


def table(record: dict[str, Any]) -> str:
    """The README's text of a soak's record."""
    found = len(record["differences"])
    verdict = "no difference" if found == 0 else f"{found} differences"
    text = _babyai(record, verdict) if "kinds" in record else _minigrid(record, verdict)
    versions = record["versions"]
    return f"{text} Engine {record['engine']}, minigrid {versions['minigrid']}."


def _minigrid(record: dict[str, Any], verdict: str) -> str:
    first, last = record["seeds"]
    return (
        f"MiniGrid: {record['steps']:,} steps of {record['ids']} ids beside minigrid, seeds "
        f"{first:,} to {last:,}, {_things(record['happened'])}: {verdict}. `make soak`"
    )


def _babyai(record: dict[str, Any], verdict: str) -> str:
    kinds = record["kinds"].values()
    total = sum((Counter(counts) for counts in kinds), Counter[str]())
    missions, successes = (min(c.get(k, 0) for c in kinds) for k in ("missions", "successes"))
    lacking = f" Lacking: {'; '.join(record['lacking'])}." if record["lacking"] else ""
    return (
        f"BabyAI: {len(kinds)} kinds of worlds, {missions:,} missions and {successes:,} successes "
        f"or more of each; in all {total.pop('missions', 0):,} missions begun, "
        f"{total.pop('steps', 0):,} steps, {_things(total)}: {verdict}. `make soak`{lacking}"
    )


def _things(happened: dict[str, int]) -> str:
    """What happened and is no matter of the view, in words."""
    names = ("successes", "failures", "picked", "dropped", "opened", "unlocked", "box_opened")
    return ", ".join(f"{happened.get(name, 0):,} {name.replace('_', ' ')}" for name in names)
