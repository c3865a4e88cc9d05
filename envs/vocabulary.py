"""The words of every mission, numbered once for all worlds. Knows no grammar and no levels.

`vocabulary.txt` holds one word a line; the id of a word is its line number, 0 is padding and 1
stands for any word that is not listed. Lines are only ever appended, so that trained embeddings
stay valid.
"""

import re
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

PADDING = 0
UNKNOWN = 1
_WORD = re.compile(r"[a-z]+|[^\sa-z]")


@cache
def words() -> tuple[str, ...]:
    """All words in the order of their ids; `words()[0]` is the padding, an empty string."""
    text = (files(__package__) / "vocabulary.txt").read_text(encoding="utf-8")
    return ("", *text.split())


@cache
def _ids() -> dict[str, int]:
    return {word: index for index, word in enumerate(words())}


def encode(mission: str, length: int) -> NDArray[np.int16]:
    """Token ids of a mission, padded with 0 or cut to `length`.

    Returns:
        tokens: int16 [length]
    """
    tokens = np.zeros(length, np.int16)  # [L]
    found = _WORD.findall(mission.lower())[:length]
    tokens[: len(found)] = [_ids().get(word, UNKNOWN) for word in found]
    return tokens


def decode(tokens: NDArray[np.integer]) -> str:
    """The mission's text; the inverse of `encode` for listed words and enough length."""
    text = " ".join(words()[int(token)] for token in tokens if token != PADDING)
    return text.replace(" ,", ",")
