"""`s2lab bench train`: frames a second of whole training loops, ours and Stable-Baselines3's.

All on DoorKey-8x8, one torch thread, one collect and one update per turn, in processor time of this
process. SB3 steps minigrid's own worlds in a DummyVecEnv, as its users do. Every ratio above 1 is
ours ahead.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gymnasium as gym
import torch

from s2lab.agents.actor_critic import ActorCritic
from s2lab.agents.encoders.config import EncoderConfig
from s2lab.agents.encoders.observation import ObservationEncoder
from s2lab.agents.ppo import PPO
from s2lab.agents.ppo_config import PPOConfig
from s2lab.agents.towers import Network, Towers
from s2lab.bench.harness import Row, cpu_seconds, in_turns
from s2lab.envs.choose import vector_worlds
from s2lab.process import tune_process

WORLD = "MiniGrid-DoorKey-8x8-v0"
LARGE = PPOConfig(num_envs=256, rollout_steps=64, epochs=2, minibatches=4)
# The settings of rl-baselines3-zoo for MiniGrid (128 steps, minibatches of 64, 10 passes), with 16
# worlds; without memory, four steps to a sequence give the same minibatches.
ZOO = PPOConfig(num_envs=16, rollout_steps=128, epochs=10, minibatches=32, unroll=4)
# sb3-contrib's defaults (128 steps, minibatches of 128, 10 passes, LSTM 256), with 16 worlds.
CONTRIB = PPOConfig(num_envs=16, rollout_steps=128, epochs=10, minibatches=16)

TOWERS = "towers"  # SB3's MlpPolicy in our trainer
Work = Callable[[], object]


def bench(*, quick: bool = False) -> Iterator[Row]:
    """Every row, the slowest last; `quick` measures once."""
    runs = 1 if quick else 5
    tune_process()
    yield from encoders(runs)
    stable, recurrent = sb3_work(), contrib_work()
    pairs = {
        "SB3's network and settings, 16 x 128": (TOWERS, {}, ZOO, stable),
        "no memory, 16 x 128, SB3's settings": ("none", {}, ZOO, stable),
        "no memory, 16 x 64, our defaults": ("none", {}, PPOConfig(), stable),
        "LSTM 128, 16 x 64, our defaults": ("lstm", {}, PPOConfig(), stable),
        "no memory, 256 x 64": ("none", {}, LARGE, stable),
        "LSTM 128, 256 x 64": ("lstm", {}, LARGE, stable),
        "LSTM 256, 16 x 128, sb3-contrib's settings": (
            "lstm", {"hidden_size": 256}, CONTRIB, recurrent,
        ),
        "LSTM 128, 256 x 64, beside RecurrentPPO": ("lstm", {}, LARGE, recurrent),
        "RIMs, 256 x 64": ("rims", {}, LARGE, stable),
        "workspace, 256 x 64": ("workspace", {}, LARGE, stable),
    }  # fmt: skip
    for name, (core, options, config, peer) in pairs.items():
        yield against(name, learner(core, config, **options), peer, runs)
    for core in ("lstm", "rims", "workspace"):
        yield matmul_share(core, runs)
    yield side_by_side(runs)


def learner(core: str, config: PPOConfig, **options: Any) -> PPO:
    """Our learner in the bench's world."""
    worlds = vector_worlds(WORLD, config.num_envs)
    torch.manual_seed(0)
    space: Any = worlds.single_observation_space
    actions = worlds.single_action_space
    model: Network
    if core == TOWERS:  # SB3's network sees the image alone here
        model = Towers(gym.spaces.Dict({"image": space["image"]}), actions)
    else:
        model = ActorCritic(space, actions, core, options)
    seeds = list(range(config.num_envs))
    return PPO(worlds, model, config, total_steps=10**9, world_seeds=seeds, policy_seed=0)


def turn(ppo: PPO) -> Work:
    """One rollout and its update."""

    def work() -> None:
        ppo.collect()
        ppo.update()

    return work


def minigrid_worlds() -> Any:
    """Sixteen of minigrid's own worlds as SB3 users make them, the image flattened."""
    import minigrid  # noqa: F401  # registers the worlds
    from gymnasium.wrappers import FlattenObservation
    from minigrid.wrappers import ImgObsWrapper
    from stable_baselines3.common.vec_env import DummyVecEnv

    def make() -> Any:
        image: Any = ImgObsWrapper(gym.make(WORLD))  # type: ignore[no-untyped-call]  # minigrid leaves it untyped
        return FlattenObservation(image)

    return DummyVecEnv([make] * ZOO.num_envs)


def sb3_work() -> tuple[str, Work, int]:
    """SB3's PPO with its network: name, one rollout and update, frames in it."""
    from stable_baselines3 import PPO as StablePPO

    model = StablePPO(
        "MlpPolicy", minigrid_worlds(), n_steps=128, batch_size=64, n_epochs=10, device="cpu"
    )
    return _peer("SB3 PPO, MLP, 16 x 128", model)


def contrib_work() -> tuple[str, Work, int]:
    """sb3-contrib's RecurrentPPO with its defaults."""
    from sb3_contrib import RecurrentPPO

    model = RecurrentPPO("MlpLstmPolicy", minigrid_worlds(), n_steps=128, device="cpu")
    return _peer("RecurrentPPO, LSTM 256, 16 x 128", model)


def _peer(name: str, model: Any) -> tuple[str, Work, int]:
    frames = model.n_steps * model.n_envs
    return name, lambda: model.learn(frames, reset_num_timesteps=False), frames


def against(name: str, ppo: PPO, peer: tuple[str, Work, int], runs: int) -> Row:
    """Frames a second beside a peer's."""
    peer_name, work, frames = peer
    mine, theirs = in_turns([turn(ppo), work], runs, at_least_s=0.0)
    ours, other = ppo.config.steps_per_rollout / mine, frames / theirs
    return Row(name, ours, "frames/s", peer_name, other, ours / other, runs)


def encoders(runs: int) -> Iterator[Row]:
    """Forward and backward of the grid encoders on 4096 partial views."""
    worlds = vector_worlds(WORLD, 4096)
    space: Any = worlds.single_observation_space
    observation, _ = worlds.reset(seed=list(range(4096)))  # type: ignore[arg-type]  # lists work
    shown = {name: torch.as_tensor(field) for name, field in observation.items()}

    def work(grid: Any) -> Work:
        encoder = ObservationEncoder(space, EncoderConfig(grid))
        return lambda: torch.autograd.backward(encoder(shown).sum())

    table, plain, film = in_turns([work(g) for g in ("table", "convolutions", "film")], runs)
    for name, other in (("convolutions", plain), ("film", film)):
        yield Row(
            "cell table, 4096 views", table * 1e3, "ms", name, other * 1e3, other / table, runs
        )


def matmul_share(core: str, runs: int) -> Row:
    """Floating-point operations of an update's matrix products a second, beside a large product's.

    A share above 1 means that torch's product of two large matrices is not this core's limit: it
    is as fast as torch's library is here, and our kernels have products of their own.
    """
    once = replace(LARGE, epochs=1)
    ppo = learner(core, once)
    ppo.collect()
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    update, product = in_turns([ppo.update, lambda: torch.mm(a, b)], runs, at_least_s=0.1)
    mine = operations(core, once) / update / 1e9
    most = 2 * 1024**3 / product / 1e9
    return Row(f"{core}: products in an update", mine, "GFLOP/s", "1024^3", most, mine / most, runs)


def operations(core: str, config: PPOConfig) -> int:
    """Of an update's matrix products, counted from shapes in the plain torch form of the core.

    A fused form does the same products, unseen by torch's counter.
    """
    from torch.utils.flop_counter import FlopCounterMode

    counted = learner(core, config, kernel="torch")
    counted.collect()
    with FlopCounterMode(display=False) as counter:
        counted.update()
    total: int = counter.get_total_flops()
    return total


def side_by_side(runs: int) -> Row:
    """Frames a second of two seeds on two cores beside one's, in wall time: the ratio is the gain.

    Meaningful on a machine that does nothing else.
    """
    alone = max(_together(1) for _ in range(min(runs, 3)))
    both = max(_together(2) for _ in range(min(runs, 3)))
    return Row("two seeds side by side", both, "frames/s", "one seed", alone, both / alone, runs)


def _together(count: int) -> float:
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(count)
    results = spawn.Queue()
    children = [spawn.Process(target=_child, args=(ready, results)) for _ in range(count)]
    for child in children:
        child.start()
    total: float = sum(results.get() for _ in children)
    for child in children:
        child.join()
    return total


def _child(ready: Any, results: Any) -> None:
    tune_process()
    ppo = learner("lstm", LARGE)
    work = turn(ppo)
    cpu_seconds(work)  # warm
    ready.wait()
    start = time.perf_counter()
    for _ in range(3):
        work()
    results.put(3 * LARGE.steps_per_rollout / (time.perf_counter() - start))
