"""s2lab: a laboratory for system-2 agents.

    import s2lab
    outcome = s2lab.train(s2lab.TrainConfig("BabyAI-GoToRedBallGrey-v0", steps=100_000))
    policy = s2lab.load(outcome.path)

Names load when they are first used, so that `import s2lab` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "BaselineConfig": "config",
    "PPOConfig": "agents.ppo_config",
    "TrainConfig": "config",
    "UserError": "errors",
    "baseline": "baselines",
    "load": "policy",
    "train": "training",
}

__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from s2lab.agents.ppo_config import PPOConfig as PPOConfig
    from s2lab.baselines import baseline as baseline
    from s2lab.config import BaselineConfig as BaselineConfig
    from s2lab.config import TrainConfig as TrainConfig
    from s2lab.errors import UserError as UserError
    from s2lab.policy import load as load
    from s2lab.training import train as train


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 's2lab' has no attribute {name!r}")
    return getattr(import_module(f"s2lab.{_HOMES[name]}"), name)
