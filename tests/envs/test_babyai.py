"""Every BabyAI world of the engine against minigrid's own: layouts, sentences, verifiers."""

import signal
from collections import Counter
from types import FrameType
from typing import Any

import gymnasium
import lockstep
import pytest
from explorer import Explorer
from minigrid.utils.baby_ai_bot import BabyAIBot

from s2lab.envs import external
from s2lab.envs.registration import WORLDS

IDS = sorted(world_id for world_id in gymnasium.registry if world_id.startswith("BabyAI-"))

# What has to happen while a bot and an explorer play the worlds of a kind.
EXERCISED = {
    "ActionObjDoor": ("successes", "picked", "opened"),
    "BlockedUnlockPickup": ("successes", "picked", "dropped", "unlocked"),
    "BossLevel": ("successes", "picked", "opened"),
    "FindObj": ("successes", "picked", "opened"),
    "GoTo-": ("successes", "opened"),
    "GoToDoor": ("successes",),
    "GoToImpUnlock": ("picked", "opened"),
    "GoToLocal": ("successes", "picked", "dropped", "box_opened"),
    "GoToObj": ("successes", "opened"),
    "GoToRed": ("successes", "picked", "dropped"),
    "GoToSeq": ("successes", "opened"),
    "KeyCorridor": ("successes", "picked", "dropped", "unlocked"),
    "KeyInBox": ("box_opened", "picked"),
    "MiniBossLevel": ("successes", "picked", "dropped", "opened"),
    "MoveTwoAcross": ("successes", "picked", "dropped"),
    "OneRoom": ("successes",),
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


class Player:
    """minigrid's own bot in every second episode, as long as it works; else an explorer."""

    def __init__(self, seed: int, actions: int) -> None:
        self._explorer = Explorer(seed, actions)
        self._bot: Any = None
        self._last: int | None = None
        self._episodes = 0

    def choose(self, env: Any) -> int:
        """The next action; the bot gets two seconds of processor time for each."""
        if env.step_count == 0:
            self._episodes += 1
            self._last = None
            self._bot = self._ask(lambda: BabyAIBot(env)) if self._episodes % 2 else None
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


def test_every_id_is_native() -> None:
    assert set(IDS) == {world_id for world_id in WORLDS if world_id.startswith("BabyAI-")}


@pytest.mark.parametrize("world_id", IDS)
def test_world_equals_minigrids(world_id: str) -> None:
    for seed in (1, 2024):
        lockstep.run(world_id, seed, 200)


@pytest.mark.parametrize("world_id", IDS)
def test_layouts_and_sentences_equal_minigrids(world_id: str) -> None:
    pair = lockstep.Lockstep(world_id, 31)
    for _ in range(40):
        pair.restart()


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXERCISED)
def test_bot_and_explorer_meet_what_a_level_is_about(kind: str) -> None:
    ids = [world_id for world_id in IDS if world_id.startswith(f"BabyAI-{kind}")]
    counts = sum((play(i, 5, max(300, 1200 // len(ids))) for i in ids), Counter())
    assert [name for name in EXERCISED[kind] if not counts[name]] == [], counts


@pytest.mark.parametrize("world_id", IDS)
def test_missions_have_the_same_length_in_minigrids_own_worlds(world_id: str) -> None:
    _, level = WORLDS[world_id]
    assert external.mission_length(world_id) == level.mission_length
    with external.make_single(world_id) as env:
        assert env.observation_space["mission"].shape == (level.mission_length,)  # type: ignore[index]
