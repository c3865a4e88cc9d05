"""One episode per listed seed, to its end. Knows no training; any `Policy` is judged alike.

Each slot plays one seed after another; a slot whose list is empty is never counted again. Taking
the first N episodes to finish instead would favour short ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from s2lab import seeds as seed_ranges
from s2lab.config import read_config
from s2lab.errors import UserError
from s2lab.policy import Mode, Policy, RandomPolicy, load
from s2lab.run_folder import RunFolder

SLOTS = 25  # worlds played side by side


@dataclass(frozen=True)
class Evaluation:
    """What happened on each seed, in the order of the seeds."""

    seeds: tuple[int, ...]
    """World seeds, one episode each."""
    success: NDArray[np.bool_]  # [N], terminated with a positive last reward
    returns: NDArray[np.float64]  # [N], undiscounted
    lengths: NDArray[np.int64]  # [N], steps

    def summary(self) -> dict[str, float | int]:
        """Means over all seeds, for summary.json."""
        return {
            "episodes": len(self.seeds),
            "success_rate": float(self.success.mean()),
            "mean_return": float(self.returns.mean()),
            "mean_length": float(self.lengths.mean()),
        }

    def in_words(self) -> str:
        """Success with Wilson's interval, and steps per success."""
        from s2lab.stats import wilson_interval

        found = self.summary()
        interval = wilson_interval(int(self.success.sum()), len(self.seeds))
        words = (
            f"success {found['success_rate']:.3f} ({interval.low:.3f} to {interval.high:.3f}), "
            f"return {found['mean_return']:.3f}, {found['mean_length']:.1f} steps"
        )
        if self.success.any():
            words += f", {self.lengths[self.success].mean():.1f} per success"
        return f"{words}, over {len(self.seeds)} unseen episodes"

    def to_json(self, step: int, mode: str) -> dict[str, Any]:
        """The content of eval.json."""
        return {
            "format": 1,
            "step": step,
            "policy": mode,
            "seeds": list(self.seeds),
            "success": self.success.astype(int).tolist(),
            "return": self.returns.tolist(),
            "length": self.lengths.tolist(),
        }


def evaluate(policy: Policy, worlds: VectorEnv[Any, Any, Any], seeds: Sequence[int]) -> Evaluation:
    """Play every seed once.

    Args:
        policy: acts on batches of `worlds.num_envs` observations
        worlds: a vector environment whose auto-reset is disabled
        seeds: world seeds

    Raises:
        UserError: no seeds; ValueError: worlds that reset themselves.
    """
    if not len(seeds):
        raise UserError("evaluation needs at least 1 episode, got 0")
    if worlds.metadata.get("autoreset_mode") != AutoresetMode.DISABLED:
        raise ValueError("evaluation needs worlds with autoreset_mode DISABLED")
    slots = worlds.num_envs
    result = Evaluation(
        tuple(seeds),
        np.zeros(len(seeds), np.bool_),
        np.zeros(len(seeds)),
        np.zeros(len(seeds), np.int64),
    )
    playing = np.arange(slots) % len(seeds)  # [slots], which seed each slot plays
    counted = np.arange(slots) < len(seeds)  # [slots], false once a slot has nothing left to play
    waiting = iter(range(slots, len(seeds)))
    observation, _ = worlds.reset(seed=[seeds[int(i)] for i in playing])  # type: ignore[arg-type]  # lists work
    state, reset = policy.initial_state(slots), np.ones(slots, np.bool_)
    while counted.any():
        actions, state = policy.step(observation, state, reset)
        observation, rewards, terminated, truncated, _ = worlds.step(actions)
        result.returns[playing[counted]] += rewards[counted]
        result.lengths[playing[counted]] += 1
        reset = terminated | truncated
        for slot in np.flatnonzero(reset):
            if counted[slot]:
                result.success[playing[slot]] = terminated[slot] and rewards[slot] > 0
                following = next(waiting, None)
                counted[slot] = following is not None
                playing[slot] = playing[slot] if following is None else following
        if reset.any() and counted.any():
            starts: Any = [seeds[int(i)] for i in playing]
            observation, _ = worlds.reset(seed=starts, options={"reset_mask": reset.copy()})
    return result


def evaluation_worlds(env_id: str, episodes: int, slots: int = SLOTS) -> VectorEnv[Any, Any, Any]:
    """Worlds for `evaluate`, as many as pay off."""
    from s2lab.envs.choose import vector_worlds

    return vector_worlds(env_id, min(slots, episodes), AutoresetMode.DISABLED)


def evaluate_run(
    path: Path,
    *,
    episodes: int,
    which: str = "latest",
    mode: Mode = "sampled",
    write: bool = True,
) -> Evaluation:
    """Evaluate a run folder on unseen seeds; writes eval.json and the summary unless told not to.

    Raises:
        UserError: not a run, no good checkpoint, or fewer than one episode.
    """
    from s2lab import checkpoint
    from s2lab.envs.external import register_packages

    check_episodes(episodes)
    run = RunFolder.open(path)
    config = read_config(run)
    register_packages(config.imports)
    policy = load(path, which, mode, seed_ranges.torch_seed(config.seed, "evaluation"))
    worlds = evaluation_worlds(config.env, episodes)
    try:
        result = evaluate(policy, worlds, seed_ranges.eval_seeds(episodes))
    finally:
        worlds.close()
    if write:
        step = checkpoint.load(run.checkpoints, which).step
        run.write_json("eval.json", result.to_json(step, mode))
        run.write_summary({"eval": result.summary()})
    return result


def evaluate_random(env_id: str, episodes: int) -> Evaluation:
    """Uniform random actions on the same unseen seeds."""
    worlds = evaluation_worlds(env_id, episodes)
    try:
        policy = RandomPolicy(worlds.single_action_space)
        return evaluate(policy, worlds, seed_ranges.eval_seeds(episodes))
    finally:
        worlds.close()


def check_episodes(episodes: int) -> None:
    """Refuse counts that cannot be meant."""
    if not 1 <= episodes <= 1_000_000:
        raise UserError(f"episodes must be between 1 and 1_000_000, got {episodes}")
