"""minigrid's bot and an explorer as players of BabyAI's worlds, and what is counted meanwhile."""

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import gymnasium
import lockstep
from explorer import FORWARD, LEFT, PICKUP, RIGHT, STEPS, TOGGLE, Explorer
from minigrid.envs.babyai.core import verifier
from minigrid.envs.babyai.unlock import KeyInBox
from minigrid.utils.baby_ai_bot import BabyAIBot

from s2lab.envs.registration import SHIFTED

IDS = sorted(
    world_id
    for world_id in gymnasium.registry
    if world_id.startswith("BabyAI-") and world_id not in SHIFTED
)

# What has to happen while a bot and an explorer play the worlds of a kind.
EXERCISED = {
    "ActionObjDoor": ("successes", "picked", "opened"),
    "BlockedUnlockPickup": ("successes", "picked", "dropped", "unlocked"),
    "BossLevel": ("successes", "picked", "opened"),
    "FindObj": ("successes", "picked", "opened"),
    "GoTo-": ("successes", "opened"),
    "GoToDoor": ("successes",),
    "GoToImpUnlock": ("successes", "picked", "opened"),
    "GoToLocal": ("successes", "picked", "dropped", "box_opened"),
    "GoToObj": ("successes", "opened"),
    "GoToOpen": ("successes",),
    "GoToRed": ("successes", "picked", "dropped"),
    "GoToSeq": ("successes", "opened"),
    "KeyCorridor": ("successes", "picked", "dropped", "unlocked"),
    "KeyInBox": ("successes", "box_opened", "picked"),
    "MiniBossLevel": ("successes", "picked", "dropped", "opened"),
    "MoveTwoAcross": ("successes", "picked", "dropped"),
    "OneRoom": ("successes",),
    "Open-": ("successes", "opened"),
    "OpenDoor": ("successes", "failures", "opened"),
    "OpenDoorsOrder": ("successes", "failures", "opened"),
    "OpenRed": ("successes", "failures", "opened"),
    "OpenTwoDoors": ("successes",),
    "Pickup-": ("successes", "picked"),
    "PickupAbove": ("successes",),
    "PickupDist": ("successes", "failures", "picked"),
    "PickupLoc": ("successes",),
    "PutNext": ("successes", "picked", "dropped"),
    "Synth": ("successes", "picked", "opened"),
    "UnblockPickup": ("successes",),
    "Unlock": ("successes", "picked", "unlocked"),
}


class Stuck(Exception):
    """minigrid's bot has thought for too long."""


class BoxOpener:
    """Opens the nearest box, takes the key out of it, and opens a door: what no bot can."""

    def __init__(self, env: Any) -> None:
        self._env = env

    def choose(self) -> int | None:
        """The next action, or None when nothing is left to do."""
        kind = "door" if self._env.carrying else "box" if self._find("box") else "key"
        target = self._find(kind)
        if target is None:
            return None
        start = (int(self._env.agent_pos[0]), int(self._env.agent_pos[1]))
        step = Explorer._first_step(Explorer(0, 7), self._env, start, target)
        if step is None:
            return None
        ahead = tuple(int(place) for place in self._env.front_pos)
        if ahead != step:
            turn = (STEPS.index((step[0] - start[0], step[1] - start[1])) - self._env.agent_dir) % 4
            return LEFT if turn == 3 else RIGHT
        if step != target:
            return FORWARD
        return PICKUP if kind == "key" else TOGGLE

    def _find(self, kind: str) -> tuple[int, int] | None:
        grid = self._env.grid
        for x in range(self._env.width):
            for y in range(self._env.height):
                thing = grid.get(x, y)
                if thing is not None and thing.type == kind:
                    return x, y
        return None


class Player:
    """minigrid's own bot in every second episode, as long as it works; else an explorer.

    Where there is a key in a box, which the bot cannot get, the box opener takes its place.
    """

    def __init__(self, seed: int, actions: int) -> None:
        self._explorer = Explorer(seed, actions)
        self._bot: Any = None
        self._opener: BoxOpener | None = None
        self._last: int | None = None
        self._episodes = 0

    def choose(self, env: Any) -> int:
        """The next action; the bot gets two seconds of processor time for each."""
        if env.step_count == 0:
            self._episodes += 1
            self._last = None
            self._bot = self._opener = None
            if self._episodes % 2 and isinstance(env, KeyInBox):
                self._opener = BoxOpener(env)
            elif self._episodes % 2:
                self._bot = self._ask(lambda: BabyAIBot(env))
        if self._opener is not None and (action := self._opener.choose()) is not None:
            return action
        if self._bot is not None:
            self._last = self._ask(lambda: self._bot.replan(self._last))
            if self._last is not None:
                return int(self._last)
            self._bot = None
        return self._explorer.choose(env)

    @staticmethod
    def _ask(question: Any) -> Any:
        """The bot's answer, or None when it raises or does not come to an end."""

        def give_up(number: int, frame: FrameType | None) -> None:
            raise Stuck

        before = signal.signal(signal.SIGVTALRM, give_up)
        signal.setitimer(signal.ITIMER_VIRTUAL, 2.0)
        try:
            return question()
        except Exception:  # the bot fails with whatever it stumbles over
            return None
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)


def play(world_id: str, seed: int, steps: int) -> Counter[str]:
    pair = lockstep.Lockstep(world_id, seed)
    player = Player(seed, pair.batch.level.actions)
    for _ in range(steps):
        pair.step(player.choose(pair.env))
    return pair.counts


def ids_of(kind: str) -> list[str]:
    """The ids of a kind of world."""
    return [world_id for world_id in IDS if world_id.startswith(f"BabyAI-{kind}")]


# Everything that judges a mission, and what it says: only in worlds for debugging can it fail, else
# it stays unfulfilled until time is up.
CLASSES = tuple(
    f"{name}Instr" for name in ("GoTo", "Pickup", "Open", "PutNext", "And", "Before", "After")
)
VERDICTS = ("success", "continue")
CAN_FAIL = ("PickupInstr", "OpenInstr", "BeforeInstr", "AfterInstr")


@contextmanager
def verdicts_counted(counts: Counter[str]) -> Iterator[None]:
    """Count what each class of minigrid's verifiers says, such as `OpenInstr success`."""
    owners = (verifier.ActionInstr, verifier.AndInstr, verifier.BeforeInstr, verifier.AfterInstr)
    before = [owner.verify for owner in owners]

    def counted(verify: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def said(self: Any, action: Any) -> Any:
            verdict = verify(self, action)
            counts[f"{type(self).__name__} {verdict}"] += 1
            return verdict

        return said

    for owner, verify in zip(owners, before, strict=True):
        owner.verify = counted(verify)
    try:
        yield
    finally:
        for owner, verify in zip(owners, before, strict=True):
            owner.verify = verify
