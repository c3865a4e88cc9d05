"""The loops over worlds: step, lay out, observe, each over a range of them.

One step kernel and one observation kernel serve every level; a family's own kernel holds its layout
and nothing else. Knows no threads.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from s2lab.envs.grid import events
from s2lab.envs.grid.cells import DOOR, GOAL, KEY, type_of, unpack
from s2lab.envs.grid.compiled import inlined, named_after, pure
from s2lab.envs.grid.endings import judge, parts_done, prepare
from s2lab.envs.grid.outcomes import GOES_ON, PUNISHED, SUCCEEDS
from s2lab.envs.grid.physics import act, front
from s2lab.envs.grid.views import observe
from s2lab.envs.grid.worlds import Array, Outputs, Rules, Tables, Worlds

SAME_STEP, NEXT_STEP, DISABLED = range(3)


@inlined
def view_events(types: int) -> Any:
    """Which of goal, key and door are among the types in view, as event bits."""
    bits = events.GOAL_IN_VIEW * (types >> GOAL & 1)
    bits |= events.KEY_IN_VIEW * (types >> KEY & 1)
    return bits | events.DOOR_IN_VIEW * (types >> DOOR & 1)


@inlined
def note(array: Array, n: int, value: Any) -> None:
    """Write what is read after every step and hardly ever new, if it is new.

    What one core writes leaves the caches of the others, from where they read it.
    """
    if array[n] != value:
        array[n] = value


@inlined
def step_world(
    worlds: Worlds, rules: Rules, tables: Tables, outputs: Outputs, n: int, chosen: int
) -> None:
    """One action in one world: physics, then the ending, then the view."""
    worlds.step_count[n] += 1
    action, before = prepare(worlds, rules, n, chosen)
    ahead = type_of(unpack(worlds.cells[n, front(worlds, rules, n)]))
    happened = act(worlds, rules, n, action)
    parts = parts_done(worlds, rules, n)
    outcome = judge(worlds, rules, n, action, ahead, before)
    if outcome == SUCCEEDS or parts_done(worlds, rules, n) != parts:
        happened |= events.MISSION_PART_DONE
    steps, budget = worlds.step_count[n], worlds.budget[n]
    reward = 0.0
    if outcome == SUCCEEDS:
        reward = tables.rewards[budget, steps]
    elif outcome == PUNISHED:
        reward = -1.0
    terminated, truncated = outcome != GOES_ON, steps >= tables.limits[budget]
    note(outputs.reward, n, reward)
    note(outputs.terminated, n, terminated)
    note(outputs.truncated, n, truncated)
    note(outputs.ended, n, terminated or truncated)
    types = observe(worlds, rules, outputs.image, n)
    outputs.direction[n] = worlds.agent_dir[n]
    outputs.events[n] = happened | view_events(types)


@inlined
def keep_final(worlds: Worlds, outputs: Outputs, n: int) -> None:
    """Copy the view with which an episode of world `n` ended."""
    for x in range(outputs.image.shape[1]):
        for y in range(outputs.image.shape[2]):
            for channel in range(3):
                outputs.final_image[n, x, y, channel] = outputs.image[n, x, y, channel]
    outputs.final_direction[n] = outputs.direction[n]
    for i in range(worlds.tokens.shape[1]):
        outputs.final_tokens[n, i] = worlds.tokens[n, i]


@pure
def step_range(
    worlds: Worlds,
    rules: Rules,
    tables: Tables,
    outputs: Outputs,
    actions: Array,  # uint8 [N]; int64 on a GPU
    mode: int,
    start: int,
    stop: int,
) -> int:
    """Step worlds `start` to `stop`, mark those that begin anew as fresh, and count these."""
    count = 0
    for n in range(start, stop):
        fresh = mode == NEXT_STEP and outputs.ended[n]
        if fresh:
            outputs.reward[n] = 0.0
            outputs.terminated[n] = False
            outputs.truncated[n] = False
            outputs.ended[n] = False
            outputs.events[n] = 0
        else:
            step_world(worlds, rules, tables, outputs, n, actions[n])
            if mode == SAME_STEP and outputs.ended[n]:
                fresh = True
                outputs.ended[n] = False
                keep_final(worlds, outputs, n)
        note(outputs.fresh, n, fresh)
        count += fresh
    return count


@pure
def observe_range(
    worlds: Worlds, rules: Rules, outputs: Outputs, mode: int, start: int, stop: int
) -> None:
    """Write the first view of the fresh worlds; its event bits, unless a step has left its own."""
    for n in range(start, stop):
        if outputs.fresh[n]:
            types = observe(worlds, rules, outputs.image, n)
            outputs.direction[n] = worlds.agent_dir[n]
            if mode != SAME_STEP:
                outputs.events[n] = view_events(types)


@cache
def layout_range(layout: Callable[..., Any]) -> Callable[..., None]:
    """The loop of a family: lay out the fresh worlds of a range."""

    @pure
    @named_after(layout)
    def lay_out(
        worlds: Worlds, rules: Rules, tables: Tables, fresh: Array, start: int, stop: int
    ) -> None:
        for n in range(start, stop):
            if fresh[n]:
                layout(worlds, rules, tables, n)

    return lay_out
