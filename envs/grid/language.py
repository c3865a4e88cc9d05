"""BabyAI's sentences: the instructions in `slots[n]` as word ids in `tokens[n]`.

Word for word minigrid/envs/babyai/core/verifier.py's `surface`. Knows no grid but for one thing: an
object of any type that is grey is never the only one, for minigrid counts walls too.
"""

from typing import Any

import numpy as np

from s2lab.envs import vocabulary
from s2lab.envs.grid import cells
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.instructions import (
    ACTION,
    AHEAD,
    ANY_COLOR,
    ANY_TYPE,
    ANYWHERE,
    BEFORE,
    BEHIND,
    GO_TO,
    LEFT,
    OPEN,
    PICK_UP,
    PROGRESS,
    PUT_NEXT,
    RIGHT,
    SHAPE,
    WHAT,
    WHERE,
    color_in,
    count_of,
    has_part,
    kind_in,
    location_in,
    part_slot,
)
from s2lab.envs.grid.missions import COLOR_WORDS, TYPE_WORDS, WORD_IDS
from s2lab.envs.grid.worlds import Array, Tables, Worlds


def _phrases(*texts: str) -> Array:
    """Phrases as int16 [count, longest]: word ids, padded with 0."""
    rows = [[WORD_IDS[word] for word in text.replace(",", " ,").split()] for text in texts]
    table = np.full((len(rows), max(map(len, rows))), vocabulary.PADDING, np.int16)
    for row, ids in zip(table, rows, strict=True):
        row[: len(ids)] = ids
    return table


_THE, _A, _OBJECT, _NEXT_TO, _AND, _THEN, _AFTER = range(7)
_JOINTS = _phrases("the", "a", "object", "next to", "and", ", then", "after you")
_VERBS = _phrases("go to", "pick up", "open", "put")  # by action
_LOCATIONS = _phrases("", "on your left", "on your right", "in front of you", "behind you")
assert (GO_TO, PICK_UP, OPEN, PUT_NEXT) == (0, 1, 2, 3)
assert (ANYWHERE, LEFT, RIGHT, AHEAD, BEHIND) == (0, 1, 2, 3, 4)


@pure
def _say(worlds: Worlds, n: int, at: int, phrases: Array, row: int) -> Any:
    """Append a phrase; where the next begins."""
    for i in range(phrases.shape[1]):
        if phrases[row, i] != 0:
            worlds.tokens[n, at] = phrases[row, i]
            at += 1
    return at


@pure
def _say_description(worlds: Worlds, n: int, at: int, slot: int) -> Any:
    """Append the description in a slot, of which the slot behind it holds the set."""
    description, members = worlds.slots[n, slot], worlds.slots[n, slot + 1]
    kind, color = kind_in(description), color_in(description)
    several = count_of(members) > 1 or (kind == ANY_TYPE and color == cells.GREY)
    at = _say(worlds, n, at, _JOINTS, _A if several else _THE)
    if color != ANY_COLOR:
        worlds.tokens[n, at] = COLOR_WORDS[color]
        at += 1
    if kind == ANY_TYPE:
        at = _say(worlds, n, at, _JOINTS, _OBJECT)
    else:
        worlds.tokens[n, at] = TYPE_WORDS[kind]
        at += 1
    return _say(worlds, n, at, _LOCATIONS, location_in(description))


@pure
def _say_part(worlds: Worlds, n: int, at: int, part: int) -> Any:
    slot = part_slot(part)
    action = worlds.slots[n, slot + ACTION] & 3
    at = _say(worlds, n, at, _VERBS, action)
    at = _say_description(worlds, n, at, slot + WHAT)
    if action == PUT_NEXT:
        at = _say(worlds, n, at, _JOINTS, _NEXT_TO)
        at = _say_description(worlds, n, at, slot + WHERE)
    return at


@pure
def write_sentence(worlds: Worlds, tables: Tables, n: int, shape: int) -> None:
    """Make the parts in the slots, linked as `shape` says, the mission of world `n`.

    The mission's length decides how long the episode may be: a walk per thing that it names, of
    which the level's limits count as many as it has rows.
    """
    worlds.slots[n, SHAPE] = shape
    worlds.slots[n, PROGRESS] = 0
    at, walks = 0, 0
    for part in range(4):
        if not has_part(shape, part):
            continue
        if part == 2:
            at = _say(worlds, n, at, _JOINTS, _THEN if shape & 3 == BEFORE else _AFTER)
        elif part & 1:
            at = _say(worlds, n, at, _JOINTS, _AND)
        at = _say_part(worlds, n, at, part)
        walks += 2 if worlds.slots[n, part_slot(part) + ACTION] & 3 == PUT_NEXT else 1
    for i in range(at, worlds.tokens.shape[1]):
        worlds.tokens[n, i] = 0
    worlds.budget[n] = walks - 1 if tables.limits.shape[0] > 1 else 0
