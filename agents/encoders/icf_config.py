"""The settings of independently controllable features. Loads no torch."""

from dataclasses import dataclass
from typing import Literal, get_args

Objective = Literal["discrete", "directed", "continuous"]
Policies = Literal["learned", "uniform"]
EXACT = 8  # actions of which a state's expectation is still taken over all
DRAWN = 4  # of more than those


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
    """Channels of both convolutions; 0 for one linear layer of the whole image in their place."""
    policies: Policies = "learned"
    """`uniform`: every action as likely under every feature; a control."""
    base_image: bool = False
    """The decoder adds to a learned image, at first the mean of what there is to see."""
    separate_policies: bool = False
    """Give the policies convolutions of their own in place of the encoder's hidden layer."""
    stateless: float = 0.5
    """Share of training, from its start, over which policies do not depend on the state, so that a
    feature cannot follow one action here and another there. 0 is the published objective."""
    own_action: float = 3.0
    """Logit by which feature k prefers action k (modulo A) before training. 0 is the published
    objective, under which chance says which features go with which actions, often two with one."""
    weight: float = 0.3
    """lambda, weight of the objective beside the reconstruction; 0 for a plain autoencoder."""
    warm_up: int = 0
    """Updates over which `weight` grows from 0."""
    reconstruction: float = 0.1
    """Weight of the reconstruction at the start."""
    reconstruction_end: float = 0.3
    """What it has become at the end, linearly."""
    changing: float = 0.0
    """By how much more an error counts where an action changes the image; 0 is the published
    reconstruction, which in a large world speaks of what no action changes."""
    selectivity: float = 1.0
    """Weight, in units of `weight`, of the selectivity itself; 0 leaves the two terms below."""
    entropy: float = 0.0
    """Weight, in units of `weight`, of the policies' entropy at the start; it falls to 0 over the
    first half of training. 0 is the published objective."""
    mask_blocked: bool = True
    """Leave actions that change nothing out of the policies; their selectivity would be 0 / 0."""
    sampled_actions: int = 0
    """Actions drawn per state for the expectation over them; 0 for all where there are at most 8,
    and for 4 where there are more."""
    beta: float = 0.0
    """Weight of the divergence of the code from a unit Gaussian: a beta-VAE where `weight` is 0."""
    attributes: int = 16
    """M, attributes drawn per state under the continuous objective."""
    noise: int = 4
    """Width of the noise that attributes are drawn from."""
    sigma: float = 0.1
    """Width of the Gaussian that says whether an attribute came true."""
    updates: int = 600
    """Gradient steps."""
    batch: int = 128
    """States per update; all states where there are no more than that."""
    lr: float = 4e-3
    """Adam's learning rate; after half of the updates it falls linearly to 0."""

    def __post_init__(self) -> None:
        for name, kind in (("objective", Objective), ("policies", Policies)):
            if getattr(self, name) not in get_args(kind):
                allowed = ", ".join(get_args(kind))
                raise ValueError(f"{name} is {getattr(self, name)!r}; give one of {allowed}")
        whole = ("features", "hidden", "attributes", "noise", "updates", "batch")
        for name in (*whole, "sigma", "lr"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        weights = ("weight", "reconstruction", "reconstruction_end", "selectivity")
        for name in (
            *weights,
            "own_action",
            "changing",
            "entropy",
            "beta",
            "warm_up",
            "sampled_actions",
            "stateless",
        ):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.stateless > 1:
            raise ValueError(f"stateless is a share of training, 0 to 1, got {self.stateless}")

    def drawn(self, actions: int) -> int:
        """Actions drawn per state of a world with that many; 0 for all of them."""
        return self.sampled_actions or (0 if actions <= EXACT else DRAWN)
