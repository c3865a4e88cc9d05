"""Stable-Baselines3's algorithms: what each takes from our settings, and what it keeps of its own.

A baseline has the settings of our own PPO where the algorithm has them; `options` are arguments of
the algorithm's constructor and go over them. Loads SB3 only to build a model.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from s2lab import seeds
from s2lab.config import BaselineConfig
from s2lab.errors import UserError, unknown

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm


@dataclass(frozen=True)
class Algorithm:
    """One entry of the registry."""

    summary: str
    """One line for `s2lab list baselines`."""
    module: str
    """Where its class is."""
    name: str
    """Its class."""
    policy: str
    """The policy for observations that are dictionaries."""
    takes: tuple[str, ...]
    """Groups of settings below that it shares with our PPO."""
    own: Mapping[str, Any]
    """What it is told besides."""


ON_POLICY = ("any", "rollouts")
CLIPPED = (*ON_POLICY, "clipping")
ALGORITHMS = {
    "ppo": Algorithm(
        "proximal policy optimisation",
        "stable_baselines3", "PPO", "MultiInputPolicy", CLIPPED, {},
    ),
    "a2c": Algorithm(
        "advantage actor-critic, one update per rollout",
        "stable_baselines3", "A2C", "MultiInputPolicy", ON_POLICY, {},
    ),
    # One update for four transitions and a buffer of the last 50,000: Mnih et al. 2015 scaled from
    # fifty million frames to budgets of a hundred thousand to a few million.
    "dqn": Algorithm(
        "deep Q-learning with a replay buffer; its greedy policy is evaluated",
        "stable_baselines3", "DQN", "MultiInputPolicy", ("any",),
        {"buffer_size": 50_000, "learning_starts": 2_000, "train_freq": 1, "batch_size": 64,
         "target_update_interval": 2_000, "exploration_fraction": 0.3},
    ),
    "recurrent_ppo": Algorithm(
        "PPO with an LSTM, sb3-contrib",
        "sb3_contrib", "RecurrentPPO", "MultiInputLstmPolicy", CLIPPED, {},
    ),
    "maskable_ppo": Algorithm(
        "PPO that only draws actions which change anything, sb3-contrib",
        "sb3_contrib", "MaskablePPO", "MultiInputPolicy", CLIPPED, {},
    ),
}  # fmt: skip
OURS = {"policy", "env", "policy_kwargs", "device", "seed", "verbose", "tensorboard_log"}
"""Arguments that are not options."""

# Settings over SB3's own for a kind of world, beside the PPO settings of the same preset.
PRESET_OPTIONS: dict[str, dict[str, Mapping[str, Any]]] = {
    "zoo-doorkey": {"dqn": {"exploration_fraction": 0.5}},
    "zoo-fourrooms": {"dqn": {"buffer_size": 200_000}},
    "zoo-gotolocal": {"dqn": {"buffer_size": 200_000}},
}


def algorithm_class(algo: str) -> Any:
    """SB3's class.

    Raises:
        UserError: an unknown algorithm.
    """
    if algo not in ALGORITHMS:
        raise unknown("algorithm", algo, ALGORITHMS, "s2lab list baselines")
    entry = ALGORITHMS[algo]
    return getattr(import_module(entry.module), entry.name)


def option_names(algo: str) -> list[str]:
    """What `options` may name."""
    names = inspect.signature(algorithm_class(algo).__init__).parameters
    return [name for name in names if name not in OURS and not name.startswith(("_", "self"))]


def settings(config: BaselineConfig) -> dict[str, Any]:
    """Arguments of the algorithm's constructor besides worlds, network and device."""
    ppo = config.ppo
    groups: dict[str, dict[str, Any]] = {
        "any": {
            "learning_rate": linear_schedule(ppo.lr, ppo.lr_end),
            "gamma": ppo.gamma,
            "max_grad_norm": ppo.max_grad_norm,
        },
        "rollouts": {
            "n_steps": ppo.rollout_steps,
            "gae_lambda": ppo.gae_lambda,
            "ent_coef": ppo.entropy_coef,
            "vf_coef": ppo.value_coef,
        },
        "clipping": {
            "batch_size": ppo.steps_per_rollout // ppo.minibatches,
            "n_epochs": ppo.epochs,
            "clip_range": ppo.clip,
        },
    }
    entry = ALGORITHMS[config.algo]
    chosen: dict[str, Any] = {}
    for name in entry.takes:
        chosen |= groups[name]
    chosen |= entry.own
    if config.algo == "dqn":
        chosen["gradient_steps"] = max(1, ppo.num_envs // 4)
    return chosen | dict(config.options)


def build_algorithm(config: BaselineConfig, first_world: int = 0) -> "BaseAlgorithm":
    """The SB3 model, its worlds seeded from the run's world `first_world` on.

    Raises:
        UserError: an unknown algorithm or option, or a value that SB3 refuses.
    """
    from s2lab.agents.sb3 import EncoderExtractor
    from s2lab.sb3_worlds import sb3_worlds
    from s2lab.session import check_device

    kind = algorithm_class(config.algo)
    known = option_names(config.algo)
    for name in config.options:
        if name not in known:
            raise unknown(f"option of {config.algo}", name, known, f"its options: {known}")
    masked = config.algo == "maskable_ppo"
    worlds = sb3_worlds(
        config.env,
        config.ppo.num_envs,
        backend=config.backend,
        imports=config.imports,
        masked=masked,
        count_bonus=config.ppo.count_bonus,
    )
    kwargs: dict[str, Any] = {}
    if "clipping" in ALGORITHMS[config.algo].takes:
        kwargs["optimizer_kwargs"] = {"eps": config.ppo.adam_eps}
    if config.network == "same":
        kwargs |= {
            "features_extractor_class": EncoderExtractor,
            "features_extractor_kwargs": {"config": config.encoder},
            "normalize_images": False,
        }
    try:
        model: BaseAlgorithm = kind(
            ALGORITHMS[config.algo].policy,
            worlds,
            policy_kwargs=kwargs,
            device=check_device(config.device),
            seed=seeds.torch_seed(config.seed, "init"),
            **settings(config),
        )
    except (TypeError, ValueError, AssertionError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{config.algo} cannot be set up in {config.env}: {why}") from error
    value = getattr(model.policy, "value_net", None)
    if value is not None:
        value.weight.data *= config.ppo.value_gain
    worlds.seed(seeds.world_seed(config.seed, first_world))
    return model


def linear_schedule(start: float, end_fraction: float) -> Callable[[float], float]:
    """SB3's form of our learning-rate schedule: a function of the remaining fraction."""
    return lambda remaining: start * (end_fraction + (1 - end_fraction) * remaining)
