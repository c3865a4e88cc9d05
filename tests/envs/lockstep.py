"""Minigrid and the engine side by side: the same seed, the same actions, every output compared."""

import signal
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import gymnasium
import minigrid  # noqa: F401  # registers the reference environments
import numpy as np
from explorer import STEPS, Explorer
from minigrid.envs.babyai.core.verifier import SeqInstr
from minigrid.wrappers import FullyObsWrapper, ViewSizeWrapper

from s2lab.envs.grid import kernels, random
from s2lab.envs.grid.cpu import GridBatch
from s2lab.envs.registration import find_world
from s2lab.envs.spaces import EVENT_BITS


class Difference(AssertionError):
    """Minigrid and the engine disagree; says where, and shows both worlds."""


def reference(world_id: str, **kwargs: Any) -> Any:
    """Minigrid's own environment, unwrapped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some ids are registered as out of date
        return gymnasium.make(world_id, **kwargs).unwrapped


class Endless(Exception):
    """minigrid looks for ever for a place for the agent, where the engine begins anew."""


PATIENCE_S = 10.0  # of processor time, for one new world of minigrid's


def nowhere_to_stand(env: Any) -> bool:
    """Whether some room of a minigrid environment has no place that faces nothing but a wall."""

    def clear(x: int, y: int) -> bool:
        thing = env.grid.get(x, y)
        return thing is None or thing.type == "wall"

    def places(room: Any) -> Iterator[tuple[int, int]]:
        left, top = room.top
        for x in range(left, left + room.size[0]):
            for y in range(top, top + room.size[1]):
                if env.grid.get(x, y) is None:
                    yield x, y

    return any(
        not any(clear(x + right, y + down) for x, y in places(room) for right, down in STEPS)
        for row in getattr(env, "room_grid", [])
        for room in row
    )


class Deed:
    """What an action does to a minigrid environment, told from its state before and after."""

    def __init__(self, env: Any) -> None:
        self._env, self._carried, self._place = env, env.carrying, tuple(env.front_pos)
        self._ahead = env.grid.get(*self._place)
        is_door = self._ahead is not None and self._ahead.type == "door"
        self._door = (self._ahead.is_open, self._ahead.is_locked) if is_door else None
        self._parts = parts_done(getattr(env, "instrs", None))

    def events(self, reward: float) -> set[str]:
        """The names of the event bits that the step should set, without those of the view."""
        carrying, ahead = self._env.carrying, self._ahead
        was_open, was_locked = self._door or (False, False)
        is_open, is_locked = (ahead.is_open, ahead.is_locked) if self._door else (False, False)
        is_box = ahead is not None and ahead.type == "box"
        gone = is_box and self._env.grid.get(*self._place) is not ahead
        happened = {
            "picked": self._carried is None and carrying is not None,
            "dropped": self._carried is not None and carrying is None,
            "opened": is_open and not was_open,
            "closed": was_open and not is_open,
            "unlocked": was_locked and not is_locked,
            "box_opened": gone and carrying is not ahead,
            "mission_part_done": reward > 0 or self._more_parts_done(),
        }
        return {name for name, so in happened.items() if so}

    def _more_parts_done(self) -> bool:
        return parts_done(getattr(self._env, "instrs", None)) > self._parts


def parts_done(instruction: Any) -> int:
    """How many parts of a BabyAI mission of several minigrid has noted as done."""
    if not isinstance(instruction, SeqInstr):
        return 0
    sides = (
        (instruction.a_done, instruction.instr_a),
        (instruction.b_done, instruction.instr_b),
    )
    return sum(
        parts_done(side) if isinstance(side, SeqInstr) else done == "success"
        for done, side in sides
    )


def events_in_view(image: Any, own: tuple[int, int]) -> set[str]:
    """Which of goal, key and door an image shows, but for the agent's own cell."""
    others = np.ones(image.shape[:2], np.bool_)
    others[own] = False
    types = image[..., 0][others]
    codes = {"goal_in_view": 8, "key_in_view": 5, "door_in_view": 4}
    return {name for name, code in codes.items() if (types == code).any()}


class Lockstep:
    """One minigrid environment and one world of the engine.

    A view of another size than 7 is what minigrid's wrapper shows or, not `wrapped`, what its
    environment shows by itself: the same, at half the price.
    """

    def __init__(
        self,
        world_id: str,
        seed: int,
        *,
        view_size: int = 7,
        full: bool = False,
        wrapped: bool = True,
    ) -> None:
        self.world_id, self.seed = world_id, seed
        self.env = reference(world_id, agent_view_size=view_size)
        self._own, self._see = (view_size // 2, view_size - 1), lambda observation: observation
        self._full = full
        if full:
            self._see = FullyObsWrapper(self.env).observation
        elif view_size != 7 and wrapped:
            self._see = ViewSizeWrapper(self.env, view_size).observation
        family, level = find_world(world_id)
        self.batch = GridBatch(
            family, level, 1, mode=kernels.NEXT_STEP, view_size=view_size, full=full
        )
        self.actions: list[int] = []
        self.counts: Counter[str] = Counter()
        self.batch.seed([seed])
        self.batch.reset()
        self._compare_start(self._reset(seed=seed))

    def step(self, action: int) -> bool:
        """Do an action on both sides and compare; begin a new episode after the last step."""
        self.actions.append(action)
        deed = Deed(self.env)
        observation, reward, terminated, truncated, _ = self.env.step(action)
        out = self.batch.outputs
        self.batch.step(np.array([action]))
        self._same("reward", float(reward), float(out.reward[0]))
        self._same("terminated", bool(terminated), bool(out.terminated[0]))
        self._same("truncated", bool(truncated), bool(out.truncated[0]))
        happened = self._compare_view(observation) | deed.events(float(reward))
        self._same("events", happened, self._events())
        self.counts.update(happened)
        if terminated or truncated:
            won = reward > 0
            self.counts.update(episodes=1, successes=int(won), failures=int(terminated and not won))
            observation = self._reset()
            self.batch.step(np.array([0]))
            self._compare_start(observation)
        return bool(terminated or truncated)

    def restart(self) -> None:
        """Give the episode up and compare the start of the next."""
        observation = self._reset()
        self.batch.reset()
        self._compare_start(observation)

    def _reset(self, **kwargs: Any) -> Any:
        """The first observation of minigrid's next episode.

        Raises:
            Endless: there is none, while the engine has found one.
        """

        def give_up(*_: Any) -> None:
            raise Endless(f"{self.world_id} seed {self.seed}")

        before = signal.signal(signal.SIGPROF, give_up)
        signal.setitimer(signal.ITIMER_PROF, PATIENCE_S)
        try:
            return self.env.reset(**kwargs)[0]
        except Endless:
            if not nowhere_to_stand(self.env):
                self._fail("time", "no new world", "a new world")
            self.batch.reset()
            raise
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)

    def _compare_start(self, observation: dict[str, Any]) -> None:
        self._same("events", self._compare_view(observation), self._events())
        theirs = self.env.np_random.bit_generator.state
        ours = random.dump_state(self.batch.worlds.rng, 0)
        if not theirs["has_uint32"]:
            theirs["uinteger"] = ours["uinteger"]  # no half waits: what was there means nothing
        self._same("random state", theirs, ours)

    def _events(self) -> set[str]:
        bits = int(self.batch.outputs.events[0])
        return {name for name, bit in EVENT_BITS.items() if bits & bit}

    def _compare_view(self, observation: dict[str, Any]) -> set[str]:
        """Compare what is seen; return the view's events as minigrid's image tells them."""
        image = self._see(observation)["image"]
        out = self.batch.outputs
        if not np.array_equal(image, out.image[0]):
            self._fail("image", image[..., 0].T, out.image[0, ..., 0].T)
        self._same("direction", int(observation["direction"]), int(out.direction[0]))
        self._same("mission", observation["mission"], self.batch.mission_text(0))
        own = (int(self.env.agent_pos[0]), int(self.env.agent_pos[1])) if self._full else self._own
        return events_in_view(image, own)

    def _same(self, what: str, theirs: Any, ours: Any) -> None:
        if theirs != ours:
            self._fail(what, theirs, ours)

    def _fail(self, what: str, theirs: Any, ours: Any) -> None:
        raise Difference(
            f"{self.world_id} seed {self.seed} differs in {what} after {len(self.actions)} steps, "
            f"the last of them {self.actions[-8:]}\nminigrid: {theirs}\nengine: {ours}\n"
            f"minigrid's world:\n{self.env.pprint_grid()}\nthe engine's world:\n{draw(self.batch)}"
        )


def draw(batch: GridBatch) -> str:
    """The engine's world 0 in the letters of minigrid's `pprint_grid`."""
    worlds, rules = batch.worlds, batch.rules
    rows = []
    for y in range(rules.height):
        row = ""
        for x in range(rules.width):
            cell = int(worlds.cells[0, rules.origin + y * rules.stride + x])
            kind, color, state = cell & 15, "RGBPYG"[cell >> 4 & 7], cell >> 7 & 3
            if (x, y) == (worlds.agent_x[0], worlds.agent_y[0]):
                row += 2 * ">V<^"[worlds.agent_dir[0]]
            elif kind == 1:
                row += "  "
            elif kind == 4:
                row += "__" if state == 0 else "DL"[state - 1] + color
            else:
                row += "??WFDKABGV"[kind] + color
        rows.append(row)
    return "\n".join(rows)


def run(world_id: str, seed: int, steps: int, **kwargs: Any) -> Counter[str]:
    """Play `steps` steps in lockstep and count what happened.

    Raises:
        Difference: the first step that differs, after as few actions as were found to do.
    """
    pair = Lockstep(world_id, seed, **kwargs)
    explorer = Explorer(seed, pair.batch.level.actions)
    for _ in range(steps):
        try:
            pair.step(explorer.choose(pair.env))
        except Difference as difference:
            raise shrink(world_id, seed, pair.actions, difference, **kwargs) from None
    return pair.counts


def shrink(
    world_id: str, seed: int, actions: list[int], found: Difference, **kwargs: Any
) -> Difference:
    """The same difference after fewer actions: chunks are left out as long as one remains."""
    chunk = len(actions) // 2
    while chunk:
        at = 0
        while at < len(actions):
            shorter = actions[:at] + actions[at + chunk :]
            difference = replay(world_id, seed, shorter, **kwargs)
            if difference is None:
                at += chunk
            else:
                actions, found = shorter, difference
        chunk //= 2
    return Difference(f"{found}\nshortest actions found: {actions}")


def replay(world_id: str, seed: int, actions: list[int], **kwargs: Any) -> Difference | None:
    """The first difference under a list of actions, if there is one."""
    try:
        pair = Lockstep(world_id, seed, **kwargs)
        for action in actions:
            pair.step(action)
    except Difference as difference:
        return difference
    return None
