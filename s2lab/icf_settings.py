"""What a run that learns controllable features is told, and good settings for each world.

Loads no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from s2lab.agents.encoders.icf_config import ICFConfig
from s2lab.config import RunConfig, read_config
from s2lab.envs.controllable import CONTROLLABLE
from s2lab.errors import UserError, unknown
from s2lab.run_folder import RunFolder

# Eight settings were tried on one seed of DoorKey-8x8, some hundred updates each; none reads place
# and direction linearly, see runs/recipes/icf.md.
DOORKEY: Mapping[str, Any] = {
    "features": 16, "hidden": 128, "filters": 32, "base_image": True, "batch": 64, "lr": 3e-3,
}  # fmt: skip
# World -> what is changed of the defaults there.
SETTINGS: dict[str, Mapping[str, Any]] = {
    "square": {},
    "toggle-square": {"features": 5},
    "two-squares": {"features": 8, "batch": 64, "updates": 1200, "sampled_actions": 2},
    "doorkey-5x5": {**DOORKEY, "filters": 0},  # convolutions take multiples of four
    "doorkey-8x8": DOORKEY,
}  # fmt: skip


@dataclass(frozen=True)
class ICFRunConfig(RunConfig):
    """A run of `train-icf`: `env` is a world of `CONTROLLABLE`, `steps` counts gradient updates,
    and `ppo` means nothing."""

    log_every: int = 50
    """Updates between two lines of metrics.jsonl."""
    save_every: int = 500
    """Updates between two checkpoints."""
    eval_episodes: int = 0
    """No episodes are played: features are scored on true factors."""
    icf: ICFConfig = field(default_factory=ICFConfig)
    """Objective, network and optimisation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.env not in CONTROLLABLE:
            raise unknown("world", self.env, CONTROLLABLE, "s2lab list worlds")
        if self.steps != self.icf.updates:
            raise UserError(f"steps is {self.steps} and icf.updates {self.icf.updates}; make equal")

    @property
    def label(self) -> str:
        """Such as icf-directed."""
        return f"icf-{self.icf.objective}" if self.icf.weight else "icf-off"


def icf_config(world: str, overrides: Mapping[str, Any]) -> ICFConfig:
    """The world's settings with others over them.

    Raises:
        UserError: an unknown world or setting, or a value that will not do.
    """
    if world not in SETTINGS:
        raise unknown("world", world, SETTINGS, "s2lab list worlds")
    known = [entry.name for entry in fields(ICFConfig)]
    for name in overrides:
        if name not in known:
            raise unknown("icf setting", name, known, "s2lab train-icf --help")
    try:
        return replace(ICFConfig(), **{**SETTINGS[world], **overrides})
    except (TypeError, ValueError) as error:
        raise UserError(f"icf setting {error}") from None


def read_icf_run(run: RunFolder) -> ICFRunConfig:
    """The settings of a run of `train-icf`.

    Raises:
        UserError: it is a run of another kind.
    """
    config = read_config(run)
    if not isinstance(config, ICFRunConfig):
        made = "s2lab train-icf WORLD"
        raise UserError(f"{run.path} is a run of {config.label}; give one of {made}")
    return config
