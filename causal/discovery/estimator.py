"""What learners have in common beyond their attributes: what they refuse. Knows no search."""

from __future__ import annotations

from typing import Any

import numpy as np

from s2lab.causal.data import ContinuousData, InterventionalData
from s2lab.causal.discovery.fitted import GraphEstimator
from s2lab.causal.errors import InputError


class RealGraphEstimator(GraphEstimator):
    """A learner of real numbers."""

    def __sklearn_tags__(self) -> Any:
        """Tell sklearn that columns are numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = False
        tags.input_tags.string = False
        return tags


def check_known_targets(data: InterventionalData | ContinuousData, method: str) -> None:
    """Refuse targets that are not known, and several worlds, for a learner of neither."""
    check_one_world(data, method)
    if data.unknown.any():
        regime = data.regimes[int(np.argmax(data.unknown))]
        raise InputError(f"targets {regime!r} are not known; {method!r} needs known targets")


def check_one_world(data: InterventionalData | ContinuousData, method: str) -> None:
    """Refuse several worlds for a learner that cannot tell them apart."""
    if data.world_of_row is not None and len(np.unique(data.world_of_row)) > 1:
        raise InputError(f"{method!r} learns from one world; give the rows of one of them")
