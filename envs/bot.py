"""minigrid's own BabyAI bot on minigrid's own worlds, an episode at a time, under a deadline.

The bot raises on some levels, fails on others, and can think for ever; each is told apart. Knows no
engine of ours but the words of missions.
"""

import contextlib
import io
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from types import FrameType
from typing import Any

from s2lab.envs import vocabulary
from s2lab.envs.demonstrations import Attempt
from s2lab.envs.registration import WORLDS
from s2lab.envs.shifts import HELD_OUT, shifted_id

RAISED, FAILED, HUNG = "raised", "failed", "hung"
DONE = 6


class Late(BaseException):
    """The deadline is over; no bot catches this."""


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise `Late` after so many seconds of this process's own processor time."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Late

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@cache
def twin(world_id: str) -> tuple[Any, Callable[[Any], bool]]:
    """minigrid's world, and which of its missions count: those of a split, for its id.

    Raises:
        ValueError: minigrid has no such world.
    """
    import gymnasium
    import minigrid  # noqa: F401  # registers its ids

    base, split = twin_of(world_id)
    env = gymnasium.make(base, disable_env_checker=True).unwrapped
    if not split:
        return env, lambda _: True
    return env, lambda env: bool(pairs_of(env) & HELD_OUT) == (split == "test")


def twin_of(world_id: str) -> tuple[str, str]:
    """minigrid's id for a world of ours, and the split of held-out pairs that it stands for."""
    if world_id in WORLDS and world_id.startswith("BabyAI-"):
        return world_id, ""
    for base in WORLDS:
        for split in ("train", "test"):
            with contextlib.suppress(ValueError):
                if shifted_id(base, "held_out_pairs", split) == world_id:
                    return base, split
    raise ValueError(
        f"the bot plays minigrid's BabyAI worlds and splits of held_out_pairs, not {world_id!r}"
    )


def pairs_of(env: Any) -> set[tuple[str, str]]:
    """The colours and types of what minigrid's mission speaks of."""
    found, waiting = set(), [env.instrs]
    while waiting:
        part = waiting.pop()
        waiting += [getattr(part, name) for name in ("instr_a", "instr_b") if hasattr(part, name)]
        for name in ("desc", "desc_move", "desc_fixed"):
            if hasattr(part, name):
                found |= {(thing.color, thing.type) for thing in getattr(part, name).obj_set}
    return found


def attempt(world_id: str, seed: int, mission_length: int, deadline_s: float) -> Attempt:
    """Let the bot play one seed's first episode."""
    env, counts = twin(world_id)
    actions = bytearray()
    with contextlib.redirect_stdout(io.StringIO()):  # minigrid prints the layouts it rejects
        env.reset(seed=seed)
        while not counts(env):
            env.reset()
        mission = vocabulary.encode(env.mission, mission_length)
        try:
            with deadline(deadline_s):
                won = _play(env, actions)
        except Late:
            return Attempt(seed, HUNG, b"", mission)
        except Exception:  # the bot raises whatever it stumbles over
            return Attempt(seed, RAISED, b"", mission)
    if not won:
        return Attempt(seed, FAILED, b"", mission)
    return Attempt(seed, "", bytes(actions), mission)


def _play(env: Any, actions: bytearray) -> bool:
    """Play to the end; whether the mission was fulfilled. The bot gives up by saying `done`."""
    from minigrid.utils.baby_ai_bot import BabyAIBot

    bot, action = BabyAIBot(env), None  # type: ignore[no-untyped-call]  # minigrid's own
    while True:
        action = bot.replan(action)  # type: ignore[no-untyped-call]
        actions.append(int(action))
        _, reward, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            return bool(terminated and reward > 0)
        if action == DONE:
            return False


def attempts(
    world_id: str, seeds: Sequence[int], mission_length: int, deadline_s: float
) -> list[Attempt]:
    """One attempt for each seed."""
    return [attempt(world_id, int(seed), mission_length, deadline_s) for seed in seeds]
