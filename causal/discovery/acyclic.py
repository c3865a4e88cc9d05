"""The acyclic graph nearest to a matrix of edge probabilities. Knows no data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def strongest_acyclic(
    probabilities: NDArray[np.floating],  # [V, V]
    wanted: NDArray[np.bool_],  # [V, V]
) -> NDArray[np.bool_]:  # [V, V]
    """Take the wanted edges, the likeliest first, and leave out those that would close a cycle."""
    reaches = np.eye(len(wanted), dtype=bool)  # [V, V]
    arrows = np.zeros_like(reaches)
    parents, children = np.nonzero(wanted & ~reaches)
    for at in np.argsort(-probabilities[parents, children], kind="stable"):
        parent, child = parents[at], children[at]
        if not reaches[child, parent]:
            arrows[parent, child] = True
            reaches |= reaches[:, [parent]] & reaches[[child]]
    return arrows
