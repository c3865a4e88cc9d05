"""The settings of behaviour cloning. Loads no torch, so that a command line can show them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CloningConfig:
    """Settings of behaviour cloning."""

    streams: int = 64
    """Sequences that are read side by side."""
    unroll: int = 32
    """Steps of each stream per update, and of backpropagation through time."""
    lr: float = 2e-3
    """Adam's learning rate at the start."""
    lr_end: float = 0.05
    """Fraction of `lr` that is left, along a cosine, when the budget of steps is spent."""
    entropy_coef: float = 0.0
    """Weight of an entropy bonus, nats; BabyAI uses 0.01."""
    max_grad_norm: float = 0.5
    """Gradients are scaled down to this 2-norm."""
    slab_steps: int = 200_000
    """Steps whose observations are held at a time."""

    def __post_init__(self) -> None:
        for name in ("streams", "unroll", "lr", "max_grad_norm", "slab_steps"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
