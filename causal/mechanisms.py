"""How one categorical variable answers its parents: tables, networks, constants. Knows no graph."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

TABLE_CELLS = 4096
"""Networks with at most this many configurations of parents are tabulated once."""


class Mechanism(Protocol):
    """Draws a variable given its parents' values."""

    def sample(
        self, parents: NDArray[np.integer], rng: np.random.Generator
    ) -> NDArray[np.int64]:  # [N, P] -> [N]
        """Draw one value per row of parent values; [N, 0] where there are none."""
        ...

    def redrawn(self, rng: np.random.Generator) -> "Mechanism":
        """Another mechanism of the same recipe and shape: what a soft intervention puts here."""
        ...


def draw(
    probabilities: NDArray[np.floating], row_of: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:  # [R, K], [N] -> [N]
    """Draw a category per row from `probabilities[row_of]` by inverting its cumulative sum."""
    cumulative = probabilities.cumsum(axis=1)[:, :-1]  # [R, K - 1]
    draws = rng.random(len(row_of))  # [N]
    values = np.zeros(len(row_of), np.int64)  # [N]
    for state in range(cumulative.shape[1]):
        values += cumulative[row_of, state] <= draws
    return values


@dataclass(frozen=True, eq=False)
class ConditionalTable:
    """A categorical variable with one row of probabilities per configuration of its parents."""

    probabilities: NDArray[np.float64]  # [K_parent_1, ..., K_parent_P, K]

    def sample(
        self, parents: NDArray[np.integer], rng: np.random.Generator
    ) -> NDArray[np.int64]:  # [N, P] -> [N]
        """Draw from each row's own configuration."""
        sizes = self.probabilities.shape[:-1]
        rows = self.probabilities.reshape(-1, self.probabilities.shape[-1])  # [configurations, K]
        return draw(rows, configurations(parents, sizes), rng)

    def redrawn(self, rng: np.random.Generator) -> "ConditionalTable":
        """A random table of the same shape."""
        return random_table(self.probabilities.shape[:-1], self.probabilities.shape[-1], rng)


def configurations(
    parents: NDArray[np.integer], sizes: tuple[int, ...]
) -> NDArray[np.int64]:  # [N, P] -> [N]
    """Number each row's configuration of parents, the last parent varying fastest."""
    row_of = np.zeros(len(parents), np.int64)  # [N]
    for column, size in enumerate(sizes):
        row_of = row_of * size + parents[:, column]
    return row_of


@dataclass(frozen=True)
class Uniform:
    """A perfect intervention that draws every category equally often, whatever the parents."""

    categories: int

    def sample(
        self, parents: NDArray[np.integer], rng: np.random.Generator
    ) -> NDArray[np.int64]:  # [N, P] -> [N]
        """Draw from 0 .. categories - 1."""
        return rng.integers(self.categories, size=len(parents))

    def redrawn(self, rng: np.random.Generator) -> "Uniform":
        """Itself: nothing was drawn."""
        return self


@dataclass(frozen=True)
class Constant:
    """A perfect intervention that sets one category, whatever the parents."""

    value: int

    def sample(
        self, parents: NDArray[np.integer], rng: np.random.Generator
    ) -> NDArray[np.int64]:  # [N, P] -> [N]
        """Repeat the value."""
        return np.full(len(parents), self.value, np.int64)

    def redrawn(self, rng: np.random.Generator) -> "Constant":
        """Itself: nothing was drawn."""
        return self


def random_table(
    parent_sizes: tuple[int, ...], categories: int, rng: np.random.Generator
) -> ConditionalTable:
    """Draw a table whose rows are softmax(2 z), z standard normal: visible but noisy effects."""
    logits = 2.0 * rng.standard_normal((*parent_sizes, categories))  # [K_parents..., K]
    return ConditionalTable(softmax(logits))


@dataclass(frozen=True)
class NetworkRecipe:
    """How the weights of a random two-layer network over categories are drawn."""

    hidden: int
    """Width of the hidden layer."""
    embedding: int | None
    """Numbers per parent category; None for one-hot inputs."""
    bias: float
    """Hidden biases are uniform in +- this."""
    output_bias: float
    """Output biases are uniform in +- this."""
    inputs: int | None = None
    """Inputs the first layer is drawn for, before the parents' columns are taken; None: exactly
    the parents'."""
    gain: float = 2.5
    """Factor on the orthogonal weights."""
    slope: float = 0.1
    """LeakyReLU's slope below zero."""
    root_scale: float | None = None
    """Logits of a variable without parents are normal with this deviation; None: the network's."""


def sdi_recipe(variables: int, categories: int) -> NetworkRecipe:
    """Ke et al. (2020), as in their public code: one-hot inputs of all variables, then a mask."""
    hidden = 4 * max(variables, categories)
    return NetworkRecipe(hidden, None, 1.1, 1.1, inputs=variables * categories)


def enco_recipe() -> NetworkRecipe:
    """Lippe et al. (2022), as in their public code: embeddings of 4, 48 hidden units."""
    return NetworkRecipe(48, 4, 0.5, 0.0, root_scale=1.0)


@dataclass(frozen=True, eq=False)
class RandomNetwork:
    """A categorical variable whose logits are a two-layer network of its parents' categories."""

    parent_sizes: tuple[int, ...]
    categories: int
    recipe: NetworkRecipe
    codebook: tuple[NDArray[np.float64], ...]  # per parent [K_parent, H]: its part of layer one
    hidden_bias: NDArray[np.float64]  # [H]
    readout: NDArray[np.float64]  # [H, K]
    output_bias: NDArray[np.float64]  # [K]
    table: ConditionalTable | None
    """The same distribution tabulated, where it is small enough."""

    def probabilities(
        self, parents: NDArray[np.integer]
    ) -> NDArray[np.float64]:  # [N, P] -> [N, K]
        """Run the network on rows of parent categories."""
        hidden = np.tile(self.hidden_bias, (len(parents), 1))  # [N, H]
        for column, codes in enumerate(self.codebook):
            hidden += codes[parents[:, column]]
        hidden = np.where(hidden > 0, hidden, self.recipe.slope * hidden)
        return softmax(hidden @ self.readout + self.output_bias)

    def sample(
        self, parents: NDArray[np.integer], rng: np.random.Generator
    ) -> NDArray[np.int64]:  # [N, P] -> [N]
        """Draw one category per row."""
        if self.table is not None:
            return self.table.sample(parents, rng)
        return draw(self.probabilities(parents), np.arange(len(parents)), rng)

    def redrawn(self, rng: np.random.Generator) -> "RandomNetwork":
        """New weights from the same recipe."""
        return random_network(self.parent_sizes, self.categories, self.recipe, rng)


def random_network(
    parent_sizes: tuple[int, ...], categories: int, recipe: NetworkRecipe, rng: np.random.Generator
) -> RandomNetwork:
    """Draw a network: orthogonal weights, uniform biases (SDI's and ENCO's ground truths)."""
    own_inputs = sum(recipe.embedding or size for size in parent_sizes)
    inputs = max(own_inputs, recipe.inputs or 0, 1)
    first = orthogonal(recipe.hidden, inputs, recipe.gain, rng)  # [H, inputs]
    codebook, at = [], 0
    for size in parent_sizes:
        width = recipe.embedding or size
        code = np.eye(size) if recipe.embedding is None else rng.standard_normal((size, width))
        codebook.append(code @ first[:, at : at + width].T)  # [K_parent, H]
        at += width
    hidden_bias = rng.uniform(-recipe.bias, recipe.bias, recipe.hidden)
    readout = orthogonal(categories, recipe.hidden, recipe.gain, rng).T  # [H, K]
    output_bias = rng.uniform(-recipe.output_bias, recipe.output_bias, categories)
    if not parent_sizes and recipe.root_scale is not None:
        readout = np.zeros_like(readout)
        output_bias = recipe.root_scale * rng.standard_normal(categories)
    network = RandomNetwork(
        parent_sizes, categories, recipe, tuple(codebook), hidden_bias, readout, output_bias, None
    )
    if np.prod(parent_sizes, dtype=np.float64) > TABLE_CELLS:
        return network
    cells = int(np.prod(parent_sizes, dtype=np.int64))
    grid = np.indices(parent_sizes).reshape(len(parent_sizes), cells).T  # [configurations, P]
    rows = network.probabilities(grid).reshape(*parent_sizes, categories)
    object.__setattr__(network, "table", ConditionalTable(rows))
    return network


def orthogonal(
    rows: int, columns: int, gain: float, rng: np.random.Generator
) -> NDArray[np.float64]:  # [rows, columns]
    """Draw a matrix with orthonormal rows or columns times a gain (Saxe et al. 2014)."""
    tall = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diag(r))
    return gain * (q if rows >= columns else q.T)


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:  # [..., K]
    """Exponentiate and normalise the last axis."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), np.float64)
