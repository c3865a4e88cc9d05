"""When an episode ends, and how: one function per kind of mission, over the action just done.

A level names its ending; `judge` runs after `physics.act`, and `prepare` before it for those
endings that must see the world as it was. The slots that an ending reads are listed with it; places
are indices into `cells[n]`. Knows no layouts and no rewards but the sign of one.
"""

from typing import Any

from s2lab.envs.grid import random
from s2lab.envs.grid.cells import EMPTY, GOAL, LAVA, LOOK_MASK, OPEN, state_of, type_of, unpack
from s2lab.envs.grid.compiled import inlined, pure
from s2lab.envs.grid.instructions import EVERY_PART, PROGRESS
from s2lab.envs.grid.outcomes import FAILS, GOES_ON, PUNISHED, SUCCEEDS
from s2lab.envs.grid.physics import DONE, DROP, FORWARD, PICKUP, TOGGLE, front
from s2lab.envs.grid.verifier import take_in_hand, verify
from s2lab.envs.grid.worlds import Rules, Worlds

# Kinds of ending. All of them include the first: stepping onto the goal or into lava.
REACH_GOAL = 0
PICK_UP = 1  # slot 0: the look of the thing to pick up; other things may be picked up too
OPEN_DOOR = 2  # slot 0: place of the door; toggling while it is open succeeds
FETCH = 3  # slot 0: the look of the thing to carry; carrying anything else fails
GO_BESIDE = 4  # slot 1, 2: x, y beside which `done` succeeds; `done` and `toggle` always end
PUT_NEAR = 5  # slot 0: look of the thing to move; slot 2, 3: x, y of the place to put it near
CHOOSE_ARM = 6  # slot 0, 1: x, y where standing succeeds; slot 2, 3: where it fails
DOORS_IN_ORDER = 7  # slot 0, 1: places of the first door and of the second
DODGE = 8  # slot 0: number of obstacles; slot 1 + i: place of obstacle i
INSTRUCTED = 9  # BabyAI's instructions: slots as `instructions.py` lists them
DECLARED = 10  # the same, where a part counts once the agent says `done`


@inlined
def prepare(worlds: Worlds, rules: Rules, n: int, action: int) -> Any:
    """What happens before the action: the action to do, and what `judge` must remember."""
    if rules.ending == CHOOSE_ARM and action == PICKUP:
        return TOGGLE, 0  # minigrid/envs/memory.py turns picking up into toggling
    if rules.ending >= INSTRUCTED:
        take_in_hand(worlds, n)
        return action, unpack(worlds.carrying[n])
    if rules.ending == PUT_NEAR:
        return action, unpack(worlds.carrying[n])
    if rules.ending == DOORS_IN_ORDER:
        return action, _open_doors(worlds, n)
    if rules.ending == DODGE:
        kind = type_of(unpack(worlds.cells[n, front(worlds, rules, n)]))
        _move_obstacles(worlds, rules, n)
        return action, 1 if kind not in (EMPTY, GOAL) else 0
    return action, 0


@inlined
def parts_done(worlds: Worlds, rules: Rules, n: int) -> Any:
    """The parts of an instruction that are fulfilled, as bits; 0 where missions are one part."""
    if rules.ending >= INSTRUCTED:
        return worlds.slots[n, PROGRESS] & EVERY_PART
    return 0


@inlined
def judge(worlds: Worlds, rules: Rules, n: int, action: int, ahead: int, before: int) -> Any:
    """The outcome of world `n` after `action`.

    `ahead` is the type that was before the agent when it acted; `before` came from `prepare`.
    """
    outcome = GOES_ON
    if action == FORWARD and ahead == GOAL:
        outcome = SUCCEEDS
    elif action == FORWARD and ahead == LAVA:
        outcome = FAILS
    ending = rules.ending
    if ending == REACH_GOAL:
        return outcome
    if ending >= INSTRUCTED:
        return verify(worlds, rules, n, action, before, ending == DECLARED)
    if ending == PICK_UP:
        if action == PICKUP and _looks_like(worlds, n, worlds.slots[n, 0]):
            return SUCCEEDS
    elif ending == OPEN_DOOR:
        if action == TOGGLE and state_of(worlds.cells[n, worlds.slots[n, 0]]) == OPEN:
            return SUCCEEDS
    elif ending == FETCH:
        if worlds.carrying[n] != EMPTY:
            return SUCCEEDS if _looks_like(worlds, n, worlds.slots[n, 0]) else FAILS
    elif ending == GO_BESIDE:
        if action == DONE and _distance(worlds, n, worlds.slots[n, 1], worlds.slots[n, 2]) == 1:
            return SUCCEEDS
        if action in (DONE, TOGGLE):
            return FAILS
    elif ending == PUT_NEAR:
        return _judge_put_near(worlds, rules, n, action, before, outcome)
    elif ending == CHOOSE_ARM:
        if _distance(worlds, n, worlds.slots[n, 0], worlds.slots[n, 1]) == 0:
            return SUCCEEDS
        if _distance(worlds, n, worlds.slots[n, 2], worlds.slots[n, 3]) == 0:
            return FAILS
    elif ending == DOORS_IN_ORDER:
        now = _open_doors(worlds, n)
        if now & 2:
            return SUCCEEDS if before & 1 else FAILS
        if now & 1 and before & 2:
            return FAILS
    elif ending == DODGE and action == FORWARD and before != 0:
        return PUNISHED
    return outcome


@inlined
def _looks_like(worlds: Worlds, n: int, look: int) -> Any:
    return unpack(worlds.carrying[n]) & LOOK_MASK == look


@inlined
def _distance(worlds: Worlds, n: int, x: int, y: int) -> Any:
    return abs(worlds.agent_x[n] - x) + abs(worlds.agent_y[n] - y)


@inlined
def _judge_put_near(
    worlds: Worlds, rules: Rules, n: int, action: int, carried: int, outcome: int
) -> Any:
    if action == DROP and carried != EMPTY:
        place = front(worlds, rules, n) - rules.origin
        x = place % rules.stride
        y = place // rules.stride
        near = abs(x - worlds.slots[n, 2]) <= 1 and abs(y - worlds.slots[n, 3]) <= 1
        return SUCCEEDS if near and worlds.carrying[n] == EMPTY else FAILS
    if action == PICKUP and worlds.carrying[n] != EMPTY:
        return outcome if _looks_like(worlds, n, worlds.slots[n, 0]) else FAILS
    return outcome


@inlined
def _open_doors(worlds: Worlds, n: int) -> Any:
    first = unpack(worlds.cells[n, worlds.slots[n, 0]])
    second = unpack(worlds.cells[n, worlds.slots[n, 1]])
    return (state_of(first) == OPEN) | (state_of(second) == OPEN) << 1


@pure
def _move_obstacles(worlds: Worlds, rules: Rules, n: int) -> None:
    """Each obstacle in turn moves to a random free cell around it, or stays after 101 misses."""
    for i in range(worlds.slots[n, 0]):
        place = worlds.slots[n, 1 + i]
        left = (place - rules.origin) % rules.stride - 1
        top = (place - rules.origin) // rules.stride - 1
        for _ in range(101):
            x = random.integers(worlds.rng, n, left, left + 3)
            y = random.integers(worlds.rng, n, top, top + 3)
            target = rules.origin + y * rules.stride + x
            if worlds.cells[n, target] == EMPTY and _distance(worlds, n, x, y) != 0:
                worlds.cells[n, target] = worlds.cells[n, place]
                worlds.cells[n, place] = EMPTY
                worlds.slots[n, 1 + i] = target
                break
