"""Missions as words: the vocabulary, and templates whose gaps are filled from a world's slots.

A template such as `pick up the {color0} {type0}` is kept as word ids; `{colorK}` and `{typeK}` are
filled with the words for the colour and the type of the cell in slot K. The ids are those of
`s2lab.envs.vocabulary`. Knows no grids: whether a mission is fulfilled is decided elsewhere.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from s2lab.envs import vocabulary
from s2lab.envs.grid import cells
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.worlds import Array, Tables, Worlds

WORD_IDS: dict[str, int] = {word: i for i, word in enumerate(vocabulary.words())}

# int16 [6] and [11]: the word for each colour and for each type that missions name.
COLOR_WORDS = np.array([WORD_IDS[name] for name in cells.COLOR_NAMES], np.int16)
TYPE_WORDS = np.array(
    [WORD_IDS.get(name, vocabulary.PADDING) for name in cells.TYPE_NAMES], np.int16
)

_GAP = re.compile(r"\{(color|type)(\d+)\}")


def words_of(text: str) -> list[str]:
    """The words of a template; a comma is a word of its own."""
    return text.replace(",", " ,").split()


def template_table(templates: Sequence[str]) -> Array:
    """Templates as int16 [T, L]: word ids, -1 - 2K for slot K's colour, -2 - 2K for its type."""
    rows = [[_encode_word(word) for word in words_of(template)] for template in templates]
    length = max(1, *(len(row) for row in rows))
    table = np.zeros((len(rows), length), np.int16)  # [T, L]
    for row, codes in zip(table, rows, strict=True):
        row[: len(codes)] = codes
    return table


def _encode_word(word: str) -> int:
    gap = _GAP.fullmatch(word)
    if gap is None:
        return WORD_IDS[word]
    return -2 * int(gap[2]) - (1 if gap[1] == "color" else 2)


@pure
def write_mission(worlds: Worlds, tables: Tables, n: int, template: int) -> Any:
    """Make `template`, filled from the slots, the mission of world `n`."""
    worlds.template[n] = template
    for i in range(tables.templates.shape[1]):
        code = np.int32(tables.templates[template, i])
        if code < 0:
            cell = worlds.slots[n, (-1 - code) >> 1]
            if code & 1:
                code = np.int32(COLOR_WORDS[cells.color_of(cell)])
            else:
                code = np.int32(TYPE_WORDS[cells.type_of(cell)])
        worlds.tokens[n, i] = code
