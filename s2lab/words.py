"""A configuration as words of the command line: what trains it again. Knows no search."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from s2lab.agents.encoders.config import EncoderConfig
from s2lab.config import BaselineConfig, RunConfig, TrainConfig, ppo_config
from s2lab.settings import OPEN, settings_of

SAID_APART = ("agent", "algo", "network", "backend", "steps", "eval_episodes")
"""Settings that have words of their own."""


def words_of(config: TrainConfig | BaselineConfig, preset: Path | None = None) -> list[str]:
    """`train` or `baseline` and all that makes this configuration, its seed and device apart.

    `preset` is a file with the configuration's settings of PPO; without one they are spelled out.
    The last words are those of `--vary`, which more may follow.
    """
    if isinstance(config, TrainConfig):
        words = ["train", config.env, "--agent", config.agent]
    else:
        words = ["baseline", config.env, "--algo", config.algo]
        words += ["--network", config.network, "--backend", config.backend]
    words += ["--steps", str(config.steps), "--eval-episodes", str(config.eval_episodes)]
    for package in config.imports:
        words += ["--import", package]
    if preset is not None:
        words += ["--preset", str(preset)]
    usual = settings_of(_usual(config))
    rest = [
        f"{name}={value}"
        for name, value in settings_of(config).items()
        if name not in SAID_APART
        and not (preset is not None and name.startswith("ppo."))
        and (name not in usual or usual[name] != value)
    ]
    return [*words, "--vary", *rest]


def _usual(config: RunConfig) -> RunConfig:
    """What the same command makes of no further words."""
    plain = type(config)(config.env)
    changes: dict[str, Any] = {name: {} for name in OPEN if hasattr(config, name)}
    if isinstance(config, TrainConfig):
        changes["encoder"] = EncoderConfig()
    return replace(plain, ppo=ppo_config("quick", {}), **changes)
