"""How one real variable answers its parents: functions plus noise, invertible. Knows no graph."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from s2lab.causal.mechanisms import orthogonal


class RealMechanism(Protocol):
    """value = f(parents, noise), which can be solved for the noise (so counterfactuals exist)."""

    def noise(self, rows: int, rng: np.random.Generator) -> NDArray[np.float64]:  # [N]
        """Draw what the parents do not decide."""
        ...

    def value(
        self, parents: NDArray[np.float64], noise: NDArray[np.float64]
    ) -> NDArray[np.float64]:  # [N, P], [N] -> [N]
        """Compute the variable."""
        ...

    def abduct(
        self, parents: NDArray[np.float64], values: NDArray[np.float64]
    ) -> NDArray[np.float64]:  # [N, P], [N] -> [N]
        """Return the noise under which the parents give these values."""
        ...

    def redrawn(self, rng: np.random.Generator) -> "RealMechanism":
        """Another mechanism of the same recipe: what a soft intervention puts here."""
        ...


@dataclass(frozen=True, eq=False)
class LinearGaussian:
    """intercept + weights . parents + normal noise."""

    weights: NDArray[np.float64]  # [P]
    intercept: float = 0.0
    deviation: float = 1.0
    """Standard deviation of the noise."""

    def noise(self, rows: int, rng: np.random.Generator) -> NDArray[np.float64]:  # [N]
        """Normal draws."""
        return self.deviation * rng.standard_normal(rows)

    def value(
        self, parents: NDArray[np.float64], noise: NDArray[np.float64]
    ) -> NDArray[np.float64]:  # [N, P], [N] -> [N]
        """Add up."""
        return np.asarray(parents @ self.weights + self.intercept + noise)

    def abduct(
        self, parents: NDArray[np.float64], values: NDArray[np.float64]
    ) -> NDArray[np.float64]:  # [N, P], [N] -> [N]
        """Subtract."""
        return np.asarray(values - parents @ self.weights - self.intercept)

    def redrawn(self, rng: np.random.Generator) -> "LinearGaussian":
        """New weights, intercept and deviation."""
        return random_linear(len(self.weights), rng)


@dataclass(frozen=True, eq=False)
class AdditiveNoise:
    """A random network of the parents plus normal noise (Hoyer et al. 2009)."""

    first: NDArray[np.float64]  # [P, H]
    bias: NDArray[np.float64]  # [H]
    readout: NDArray[np.float64]  # [H]
    deviation: float = 0.5
    """Standard deviation of the noise."""

    def function(self, parents: NDArray[np.float64]) -> NDArray[np.float64]:  # [N, P] -> [N]
        """What the parents decide."""
        return np.asarray(np.tanh(parents @ self.first + self.bias) @ self.readout)

    def noise(self, rows: int, rng: np.random.Generator) -> NDArray[np.float64]:  # [N]
        """Normal draws."""
        return self.deviation * rng.standard_normal(rows)

    def value(
        self, parents: NDArray[np.float64], noise: NDArray[np.float64]
    ) -> NDArray[np.float64]:  # [N, P], [N] -> [N]
        """Add the noise."""
        return self.function(parents) + noise

    def abduct(
        self, parents: NDArray[np.float64], values: NDArray[np.float64]
    ) -> NDArray[np.float64]:  # [N, P], [N] -> [N]
        """Subtract what the parents decide."""
        return values - self.function(parents)

    def redrawn(self, rng: np.random.Generator) -> "AdditiveNoise":
        """New weights."""
        return random_additive(len(self.first), rng, len(self.bias))


@dataclass(frozen=True, eq=False)
class PostNonlinear:
    """sinh(scale (f(parents) + noise)) / scale: Zhang & Hyvarinen's (2009) post-nonlinear model."""

    inner: AdditiveNoise
    scale: float = 0.7
    """Strength of the outer distortion."""

    def noise(self, rows: int, rng: np.random.Generator) -> NDArray[np.float64]:  # [N]
        """Normal draws, before the distortion."""
        return self.inner.noise(rows, rng)

    def value(
        self, parents: NDArray[np.float64], noise: NDArray[np.float64]
    ) -> NDArray[np.float64]:  # [N, P], [N] -> [N]
        """Distort the additive model."""
        return np.asarray(np.sinh(self.scale * self.inner.value(parents, noise)) / self.scale)

    def abduct(
        self, parents: NDArray[np.float64], values: NDArray[np.float64]
    ) -> NDArray[np.float64]:  # [N, P], [N] -> [N]
        """Undo the distortion, then the additive model."""
        return self.inner.abduct(parents, np.arcsinh(self.scale * values) / self.scale)

    def redrawn(self, rng: np.random.Generator) -> "PostNonlinear":
        """New weights under the same distortion."""
        return PostNonlinear(self.inner.redrawn(rng), self.scale)


@dataclass(frozen=True)
class NormalDraw:
    """A perfect intervention: a normal draw, or a constant where the deviation is 0."""

    mean: float = 0.0
    deviation: float = 1.0

    def noise(self, rows: int, rng: np.random.Generator) -> NDArray[np.float64]:  # [N]
        """Normal draws."""
        return self.deviation * rng.standard_normal(rows)

    def value(
        self, parents: NDArray[np.float64], noise: NDArray[np.float64]
    ) -> NDArray[np.float64]:  # [N, P], [N] -> [N]
        """Ignore the parents."""
        return self.mean + noise

    def abduct(
        self, parents: NDArray[np.float64], values: NDArray[np.float64]
    ) -> NDArray[np.float64]:  # [N, P], [N] -> [N]
        """Distance from the mean."""
        return values - self.mean

    def redrawn(self, rng: np.random.Generator) -> "NormalDraw":
        """Itself: nothing was drawn."""
        return self


def random_linear(parents: int, rng: np.random.Generator) -> LinearGaussian:
    """Draw weights of size .5 to 1 (fewer cancel), deviations of .6 to 1.1, no intercept."""
    sizes = rng.uniform(0.5, 1.0, parents) * rng.choice([-1.0, 1.0], parents)
    return LinearGaussian(sizes, 0.0, float(rng.uniform(0.6, 1.1)))


def random_additive(parents: int, rng: np.random.Generator, hidden: int = 16) -> AdditiveNoise:
    """Draw a tanh network with orthogonal input weights; a variable without parents is noise."""
    first = orthogonal(hidden, max(parents, 1), 1.5, rng).T[:parents]  # [P, H]
    readout = rng.standard_normal(hidden) / np.sqrt(hidden) * 2
    return AdditiveNoise(first, rng.uniform(-1, 1, hidden), readout * bool(parents))


def random_post_nonlinear(parents: int, rng: np.random.Generator) -> PostNonlinear:
    """Draw the additive model inside."""
    return PostNonlinear(random_additive(parents, rng))
