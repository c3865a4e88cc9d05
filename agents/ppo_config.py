"""The settings of recurrent PPO. Loads no torch, so that a command line can show them at once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PPOConfig:
    """Proximal policy optimisation (Schulman et al. 2017) over sequences."""

    num_envs: int = 16
    """Worlds stepped side by side."""
    rollout_steps: int = 64
    """Steps per world between two updates."""
    unroll: int = 0
    """Length of backpropagation through time, a divisor of rollout_steps; 0 for all of them. BabyAI
    1.1 uses 20 of 40."""
    epochs: int = 4
    """Passes over each rollout."""
    minibatches: int = 4
    """Gradient steps per pass; each takes the whole sequences of num_envs / minibatches worlds."""
    lr: float = 1e-3
    """Adam's learning rate at the start."""
    lr_end: float = 0.1
    """Fraction of `lr` that is left, linearly, when the budget of steps is spent."""
    adam_eps: float = 1e-5
    """Adam's epsilon (Huang et al. 2022)."""
    gamma: float = 0.99
    """Discount per step."""
    gae_lambda: float = 0.95
    """Lambda of generalised advantage estimation (Schulman et al. 2016)."""
    advantage_floor: float = 0.0
    """Advantages are divided by their standard deviation, or by this where that is smaller. Above
    0, rollouts without a reward do not blow the noise of the values up to the size of a signal; a
    good floor is near the deviation of a rollout with one, and goes with a small entropy bonus."""
    clip: float = 0.2
    """How far the probability ratio may move, and the value in units of returns."""
    entropy_coef: float = 0.01
    """Weight of the entropy bonus, nats."""
    entropy_end: float = 1.0
    """Fraction of `entropy_coef` that is left, linearly, when the budget of steps is spent."""
    count_bonus: float = 0.0
    """Reward for the first sight of an observation; its n-th is worth this over n (Kolter & Ng
    2009, `agents/visits.py`). Finds rare rewards; about 1 % of one is a good first try. Returns and
    success are reported without it."""
    value_coef: float = 0.5
    """Weight of the value loss."""
    value_gain: float = 1.0
    """Factor on the first weights of the value's last layer. Near 0 the values begin at 0: those of
    a new network are noise, which as advantages moves the policy before it has seen a reward."""
    max_grad_norm: float = 0.5
    """Gradients are scaled down to this 2-norm."""
    max_loss: float = 1e6
    """A loss or gradient norm beyond this, or that is no number, stops the run before the weights
    move."""
    reward_scale: float = 1.0
    """Rewards are multiplied by this before learning; BabyAI uses 20."""
    bootstrap_truncated: bool = False
    """Add the value of the final observation when a time limit ends an episode. Off, a time-out
    counts as failure, which is BabyAI's convention."""

    def __post_init__(self) -> None:
        positive = ("num_envs", "rollout_steps", "epochs", "minibatches", "lr", "clip")
        for name in (*positive, "max_grad_norm", "adam_eps", "reward_scale", "max_loss"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("gamma", "gae_lambda", "lr_end", "entropy_end"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        for name in ("entropy_coef", "count_bonus", "value_coef", "value_gain", "advantage_floor"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.unroll < 0 or self.rollout_steps % self.sequence_length:
            raise ValueError(
                f"unroll must be 0 or divide rollout_steps ({self.rollout_steps}), "
                f"got {self.unroll}"
            )
        sequences = self.num_envs * self.rollout_steps // self.sequence_length
        if sequences % self.minibatches:
            raise ValueError(
                f"num_envs ({self.num_envs}) must be a multiple of minibatches ({self.minibatches})"
            )

    @property
    def sequence_length(self) -> int:
        """Steps that one backpropagation runs through."""
        return self.unroll or self.rollout_steps

    @property
    def steps_per_rollout(self) -> int:
        """Environment steps between two updates."""
        return self.num_envs * self.rollout_steps
