"""How one variable answers its parents: tables, constants, uniform draws. Knows no graph."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Mechanism(Protocol):
    """Draws a variable given its parents' values."""

    def sample(
        self, parents: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:  # [N, P] -> [N]
        """Draw one value per row of parent values; [N, 0] where there are none."""
        ...


@dataclass(frozen=True, eq=False)
class ConditionalTable:
    """A categorical variable with one row of probabilities per configuration of its parents."""

    probabilities: NDArray[np.float64]  # [K_parent_1, ..., K_parent_P, K]

    def sample(
        self, parents: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:  # [N, P] -> [N]
        """Invert the cumulative distribution of each row's own configuration."""
        cardinality = self.probabilities.shape[-1]
        rows = self.probabilities.reshape(-1, cardinality)  # [configurations, K]
        row_of = np.zeros(len(parents), np.int64)  # [N]
        for column, size in enumerate(self.probabilities.shape[:-1]):
            row_of = row_of * size + parents[:, column]
        cumulative = rows.cumsum(axis=1)[:, :-1]  # [configurations, K - 1]
        draws = rng.random(len(parents))  # [N]
        values = np.zeros(len(parents), np.int64)  # [N]
        for state in range(cardinality - 1):
            values += cumulative[row_of, state] <= draws
        return values


@dataclass(frozen=True)
class Uniform:
    """A perfect intervention that draws every category equally often, whatever the parents."""

    categories: int

    def sample(
        self, parents: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:  # [N, P] -> [N]
        """Draw from 0 .. categories - 1."""
        return rng.integers(self.categories, size=len(parents))


@dataclass(frozen=True)
class Constant:
    """A perfect intervention that sets one category, whatever the parents."""

    value: int

    def sample(
        self, parents: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:  # [N, P] -> [N]
        """Repeat the value."""
        return np.full(len(parents), self.value, np.int64)


def random_table(
    parent_sizes: tuple[int, ...], categories: int, rng: np.random.Generator
) -> ConditionalTable:
    """Draw a table whose rows are softmax(2 z), z standard normal: visible but noisy effects."""
    logits = 2.0 * rng.standard_normal((*parent_sizes, categories))  # [K_parents..., K]
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return ConditionalTable(weights / weights.sum(axis=-1, keepdims=True))
