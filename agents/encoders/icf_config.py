"""The settings of independently controllable features. Loads no torch."""

from dataclasses import dataclass
from typing import Literal, get_args

Objective = Literal["discrete", "directed", "continuous"]


@dataclass(frozen=True)
class ICFConfig:
    """What is learned, and how the terms of the loss are weighed."""

    objective: Objective = "directed"
    """`discrete`: selectivity of changes' sizes; `directed`: of signed changes (both Thomas et al.
    2017, arXiv 1703.07718); `continuous`: attributes drawn from noise (Thomas et al. 2018, arXiv
    1708.01289)."""
    features: int = 4
    """K, numbers that the encoder gives; the decoder sees nothing else."""
    hidden: int = 32
    """Units of the layer before the features."""
    filters: int = 16
    """Channels of both convolutions."""
    separate_policies: bool = False
    """Give the policies convolutions of their own in place of the encoder's hidden layer."""
    weight: float = 0.2
    """lambda, weight of the objective beside the reconstruction; 0 for a plain autoencoder."""
    warm_up: int = 0
    """Updates over which `weight` grows from 0."""
    diversity: float = 0.3
    """Weight, in units of `weight`, of the mutual information of feature and action. 0 is the
    published objective, which does not mind several features with the same policy."""
    entropy: float = 0.7
    """Weight, in units of `weight`, of the policies' entropy at the start; it falls to 0 over the
    first half of training. 0 is the published objective, whose policies settle at once."""
    mask_blocked: bool = True
    """Leave actions that change nothing out of the policies; their selectivity would be 0 / 0."""
    beta: float = 0.0
    """Weight of the divergence of the code from a unit Gaussian: a beta-VAE where `weight` is 0."""
    attributes: int = 16
    """M, attributes drawn per state under the continuous objective."""
    noise: int = 4
    """Width of the noise that attributes are drawn from."""
    sigma: float = 0.1
    """Width of the Gaussian that says whether an attribute came true."""
    updates: int = 2000
    """Gradient steps."""
    batch: int = 128
    """States per update; all states where there are no more than that."""
    lr: float = 2e-3
    """Adam's learning rate; after half of the updates it falls linearly to 0."""

    def __post_init__(self) -> None:
        if self.objective not in get_args(Objective):
            allowed = ", ".join(get_args(Objective))
            raise ValueError(f"objective is {self.objective!r}; give one of {allowed}")
        whole = ("features", "hidden", "filters", "attributes", "noise", "updates", "batch")
        for name in (*whole, "sigma", "lr"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("weight", "warm_up", "diversity", "entropy", "beta"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
