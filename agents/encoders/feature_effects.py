"""What actions do to features: one ridge regression per action, and the search for causes.

Changes of features are linear in random ReLU units of the features (Rahimi & Recht 2008), fitted
in closed form; walls are bends that these units can make. Knows no world and no files.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
UNITS = 256
RIDGE = 1e-3


@dataclass(frozen=True)
class FeatureEffects:
    """Predicts the features after each action."""

    directions: Array
    """[K, U], of the random units."""
    thresholds: Array
    """[U]."""
    weights: Array
    """[A, U + K + 1, K]."""

    def predict(self, features: Array) -> Array:  # [N, K] -> [N, A, K]
        """Features after every action."""
        inputs = _units(features, self.directions, self.thresholds)
        changes: Array = np.einsum("nu,auk->nak", inputs, self.weights)
        return features[:, None] + changes


def fit_effects(before: Array, after: Array, rng: np.random.Generator) -> FeatureEffects:
    """Least squares with a small ridge.

    Args:
        before: features [N, K]
        after: features after every action [N, A, K]
        rng: draws the units
    """
    count = before.shape[1]
    spread = before.std(0) + 1e-6
    directions = rng.standard_normal((count, UNITS)) / (spread[:, None] * np.sqrt(count))
    anchors = before[rng.integers(0, len(before), UNITS)]  # units bend where features are
    thresholds = -(anchors * directions.T).sum(1)
    inputs = _units(before, directions, thresholds)
    square = inputs.T @ inputs + RIDGE * len(inputs) * np.eye(inputs.shape[1]) / 100
    changes = (after - before[:, None]).transpose(1, 0, 2)  # [A, N, K]
    weights = np.linalg.solve(square, inputs.T @ changes)
    return FeatureEffects(directions, thresholds, weights)


def _units(features: Array, directions: Array, thresholds: Array) -> Array:  # [N, U + K + 1]
    bent = np.maximum(features @ directions + thresholds, 0)
    return np.column_stack([bent, features, np.ones(len(features))])
