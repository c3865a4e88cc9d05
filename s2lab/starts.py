"""How many evaluation starts were never met in training. Knows no agent.

A world with few distinct starts (DoorKey-5x5 shows 48 in 400 seeds) shows an agent in evaluation
what it has trained on, although the seeds differ. Training's starts are drawn again here: the
worlds' random streams go from reset to reset, which is exact where stepping draws nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from s2lab import seeds
from s2lab.config import RunConfig

MOST_STARTS = 20_000  # of training, drawn again


@dataclass(frozen=True)
class Starts:
    """Evaluation starts beside training's."""

    distinct: int
    """Different starts among the evaluation seeds."""
    unmet: float
    """Fraction of evaluation starts that training did not show."""


def compare_starts(config: RunConfig, eval_seeds: list[int], mean_length: float) -> Starts | None:
    """Draw both sets of starts; None for worlds that are not native.

    Args:
        config: of the training run
        eval_seeds: one episode each
        mean_length: steps of an episode, from which the number of training episodes is guessed
    """
    from s2lab.envs.choose import is_native
    from s2lab.envs.vector import make_vec

    if not is_native(config.env):
        return None
    judged = make_vec(config.env, len(eval_seeds), seed=eval_seeds, observation="full")
    wanted = list(starts(judged.reset(seed=eval_seeds)[0]))
    count = config.ppo.num_envs
    worlds = make_vec(config.env, count, observation="full")
    observation, _ = worlds.reset(seed=seeds.world_seeds(config.seed, count))
    episodes = min(MOST_STARTS, int(config.steps / max(1.0, mean_length)) + count)
    met = set(starts(observation))
    for _ in range(episodes // count):
        met.update(starts(worlds.reset()[0]))
    return Starts(len(set(wanted)), sum(start not in met for start in wanted) / len(wanted))


def starts(observation: dict[str, Any]) -> Iterator[bytes]:
    """Each world's whole grid, agent and mission included, as bytes."""
    for image, mission in zip(observation["image"], observation["mission"], strict=True):
        yield image.tobytes() + mission.tobytes()
