"""One action in one world: turning, moving, carrying, opening. Knows no missions and no rewards."""

from typing import Any

from s2lab.envs.grid.cells import (
    BOX,
    CLOSED,
    DOOR,
    EMPTY,
    KEY,
    LOCKED,
    LOOK_MASK,
    OPEN,
    can_carry,
    can_stand,
    color_of,
    content_of,
    door,
    state_of,
    type_of,
    unpack,
)
from s2lab.envs.grid.compiled import inlined
from s2lab.envs.grid.events import BOX_OPENED, DROPPED, OPENED, PICKED, UNLOCKED
from s2lab.envs.grid.events import CLOSED as CLOSED_EVENT
from s2lab.envs.grid.worlds import Rules, Worlds

LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(7)
ACTION_NAMES = ("left", "right", "forward", "pickup", "drop", "toggle", "done")


@inlined
def step_x(direction: int) -> Any:
    """How far one step in a direction goes to the right: 1, 0, -1, 0."""
    return (1 - direction) if direction & 1 == 0 else 0


@inlined
def step_y(direction: int) -> Any:
    """How far one step in a direction goes down: 0, 1, 0, -1."""
    return (2 - direction) if direction & 1 else 0


@inlined
def front(worlds: Worlds, rules: Rules, n: int) -> Any:
    """Index into `cells[n]` of the cell before the agent."""
    direction = worlds.agent_dir[n]
    x = worlds.agent_x[n] + step_x(direction)
    y = worlds.agent_y[n] + step_y(direction)
    return rules.origin + y * rules.stride + x


@inlined
def act(worlds: Worlds, rules: Rules, n: int, action: int) -> Any:
    """Do `action` in world `n` and return what happened as event bits."""
    if action == LEFT:
        worlds.agent_dir[n] = (worlds.agent_dir[n] + 3) & 3
        return 0
    if action == RIGHT:
        worlds.agent_dir[n] = (worlds.agent_dir[n] + 1) & 3
        return 0
    place = front(worlds, rules, n)
    cell = unpack(worlds.cells[n, place])
    if action == FORWARD:
        if can_stand(cell):
            direction = worlds.agent_dir[n]
            worlds.agent_x[n] += step_x(direction)
            worlds.agent_y[n] += step_y(direction)
        return 0
    if action == PICKUP:
        if worlds.carrying[n] == EMPTY and can_carry(cell):
            worlds.carrying[n] = cell
            worlds.cells[n, place] = EMPTY
            return PICKED
    elif action == DROP:
        if worlds.carrying[n] != EMPTY and cell == EMPTY:
            worlds.cells[n, place] = worlds.carrying[n]
            worlds.carrying[n] = EMPTY
            return DROPPED
    elif action == TOGGLE:
        return _toggle(worlds, n, place, cell)
    return 0


@inlined
def _toggle(worlds: Worlds, n: int, place: int, cell: int) -> Any:
    if type_of(cell) == BOX:
        worlds.cells[n, place] = content_of(cell)
        return BOX_OPENED
    if type_of(cell) != DOOR:
        return 0
    color = color_of(cell)
    state = state_of(cell)
    if state == OPEN:
        worlds.cells[n, place] = door(color, CLOSED)
        return CLOSED_EVENT
    if state == LOCKED:
        if unpack(worlds.carrying[n]) & LOOK_MASK != KEY | color << 4:
            return 0
        worlds.cells[n, place] = door(color, OPEN)
        return UNLOCKED | OPENED
    worlds.cells[n, place] = door(color, OPEN)
    return OPENED
