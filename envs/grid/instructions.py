"""BabyAI's instructions as data: what to do with which things, in `slots[n]`.

A mission has two sides of up to two parts each: parts 0 and 1 on the first side of the sentence, 2
and 3 on the second. A part is an action with one or two descriptions; a description is a number
(type in bits 0-3, 0 for any; colour in bits 4-6, 7 for any; place relative to the agent from bit 8)
and stands for the set of things that matched it when the episode began. Things are numbered column
by column and carry their number in their cell's tag; doors are numbered apart. Sets are bit masks.
Follows minigrid/envs/babyai/core/verifier.py and roomgrid_level.py. Knows neither words nor when a
part is fulfilled.
"""

from typing import Any

import numpy as np

from s2lab.envs.grid import cells
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.physics import step_x, step_y
from s2lab.envs.grid.placement import index, x_of, y_of
from s2lab.envs.grid.rooms import ROOM_SIZE
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

# Slots.
SHAPE = 0  # how the sides are linked (bits 0-1), whether side s joins two parts (bit 2 + s)
PROGRESS = 1  # the parts that are done (bit 0-3), and the bits below
IN_HAND = 2  # the place of the thing that the agent carries from its first action on, or 0
THING_COUNT = 3
DOOR_COUNT = 4
PARTS = 5  # 5 + 5 * part: its action, then description and set of what and of where
THINGS = PARTS + 4 * 5  # where each thing was when a thing was last dropped, or 0: gone
MOST_THINGS = 31
DOORS = THINGS + MOST_THINGS
MOST_DOORS = 12
SLOTS = DOORS + MOST_DOORS

ONE, BEFORE, AFTER = range(3)  # links
JOINED = 4  # shift left by the side
EVERY_PART = 15  # of PROGRESS
# Of PROGRESS: whether one side is done, whether the parts of the present side have been asked, and
# whether a part was fulfilled by the last action (shift left by the part).
SIDE_DONE, ASKED, MATCHED = 16, 32, 64

ACTION, WHAT, WHAT_SET, WHERE, WHERE_SET = range(5)  # of a part
GO_TO, PICK_UP, OPEN, PUT_NEXT = range(4)  # actions, in minigrid's order
STRICT = 4  # added to an action: doing it to the wrong thing fails

ANY_TYPE, ANY_COLOR = 0, 7
ANYWHERE, LEFT, RIGHT, AHEAD, BEHIND = range(5)
_TAG = 10


@pure
def describe(kind: int, color: int, location: int) -> Any:
    """A description."""
    return kind | color << 4 | location << 8


@pure
def kind_in(description: int) -> Any:
    """The type in a description, or ANY_TYPE."""
    return description & 15


@pure
def color_in(description: int) -> Any:
    """The colour in a description, or ANY_COLOR."""
    return description >> 4 & 7


@pure
def location_in(description: int) -> Any:
    """Where things are, seen from the agent's first position, or ANYWHERE."""
    return description >> 8


@pure
def number_of(cell: int) -> Any:
    """The number of a thing."""
    return cell >> _TAG & 31


@pure
def count_of(members: int) -> Any:
    """How many members a set has."""
    found = 0
    while members:
        members &= members - 1
        found += 1
    return found


@pure
def part_slot(part: int) -> Any:
    """The first slot of a part."""
    return PARTS + 5 * part


@pure
def number_things(worlds: Worlds, rules: Rules, n: int) -> None:
    """Number things and doors and note their places; nothing may be placed after this."""
    things, doors = 0, 0
    for x in range(rules.width):
        for y in range(rules.height):
            place = index(rules, x, y)
            cell = cells.unpack(worlds.cells[n, place])
            if cells.type_of(cell) == cells.DOOR:
                worlds.slots[n, DOORS + doors] = place
                doors += 1
            elif cells.can_carry(cell) and cell & cells.CONTAINS == 0:
                worlds.cells[n, place] = cell | things << _TAG
                worlds.slots[n, THINGS + things] = place
                things += 1
    worlds.slots[n, THING_COUNT] = things
    worlds.slots[n, DOOR_COUNT] = doors
    worlds.slots[n, IN_HAND] = 0


@pure
def places_of(worlds: Worlds, n: int, description: int) -> Any:
    """Slots of the places that the numbers in a description's set refer to: the first, how many."""
    if kind_in(description) == cells.DOOR:
        return np.int32(DOORS), worlds.slots[n, DOOR_COUNT]
    return np.int32(THINGS), worlds.slots[n, THING_COUNT]


@pure
def matching(worlds: Worlds, rules: Rules, tables: Tables, n: int, description: int) -> Any:
    """The set of things (of doors, if it is of doors) that match a description now.

    Doors never match ANY_TYPE: no level asks for that where there are doors.
    """
    kind, color = kind_in(description), color_in(description)
    location = location_in(description)
    first, count = places_of(worlds, n, description)
    members = 0
    for i in range(count):
        place = worlds.slots[n, first + i]
        cell = cells.unpack(worlds.cells[n, place])
        unlike = kind != ANY_TYPE and kind != cells.type_of(cell)
        if unlike or (color != ANY_COLOR and color != cells.color_of(cell)):
            continue
        if location == ANYWHERE or _lies(worlds, rules, tables, n, place, location):
            members |= 1 << i
    return members


@pure
def _lies(worlds: Worlds, rules: Rules, tables: Tables, n: int, place: int, location: int) -> Any:
    """Whether a place is in the agent's room, walls included, on the named side of the agent."""
    span = tables.params[ROOM_SIZE] - 1
    x, y = x_of(rules, place), y_of(rules, place)
    left = worlds.agent_x[n] // span * span
    top = worlds.agent_y[n] // span * span
    if x < left or x > left + span or y < top or y > top + span:
        return False
    right, down = x - worlds.agent_x[n], y - worlds.agent_y[n]
    forward_x, forward_y = step_x(worlds.agent_dir[n]), step_y(worlds.agent_dir[n])
    if location in (LEFT, RIGHT):
        sideways = down * forward_x - right * forward_y
        return sideways < 0 if location == LEFT else sideways > 0
    forward = right * forward_x + down * forward_y
    return forward > 0 if location == AHEAD else forward < 0


@pure
def set_part(
    worlds: Worlds,
    rules: Rules,
    tables: Tables,
    n: int,
    part: int,
    action: int,
    what: int,
    where: int,
) -> None:
    """Write a part of the mission; `where` matters to PUT_NEXT only."""
    slot = part_slot(part)
    worlds.slots[n, slot + ACTION] = action
    worlds.slots[n, slot + WHAT] = what
    worlds.slots[n, slot + WHAT_SET] = matching(worlds, rules, tables, n, what)
    worlds.slots[n, slot + WHERE] = where
    members = 0
    if action & 3 == PUT_NEXT:
        members = matching(worlds, rules, tables, n, where)
    worlds.slots[n, slot + WHERE_SET] = members


@pure
def has_part(shape: int, part: int) -> Any:
    """Whether a mission of this shape has a part."""
    if part & 1:
        return shape & (JOINED << (part >> 1)) != 0
    return part == 0 or shape & 3 != ONE


@pure
def near(rules: Rules, place: int, other: int) -> Any:
    """Whether two places share an edge."""
    distance = abs(place - other)
    one_row = distance == 1
    return one_row or distance == rules.stride


@pure
def any_near(worlds: Worlds, rules: Rules, n: int, place: int, slot: int) -> Any:
    """Whether a member of the WHERE of the part at `slot` was last seen beside a place."""
    members = worlds.slots[n, slot + WHERE_SET]
    first, count = places_of(worlds, n, worlds.slots[n, slot + WHERE])
    for i in range(count):
        if members >> i & 1 and near(rules, place, worlds.slots[n, first + i]):
            return True
    return False


@pure
def makes_sense(worlds: Worlds, rules: Rules, n: int, shape: int, keys: int) -> Any:
    """Whether no part is fulfilled from the start or in doubt, as minigrid's `validate_instrs`.

    `keys` is the set of colours whose keys must not be spoken of.
    """
    for part in range(4):
        if has_part(shape, part) and not _part_makes_sense(worlds, rules, n, part, keys):
            return False
    return True


@pure
def _part_makes_sense(worlds: Worlds, rules: Rules, n: int, part: int, keys: int) -> Any:
    slot = part_slot(part)
    what, where = worlds.slots[n, slot + WHAT], worlds.slots[n, slot + WHERE]
    if worlds.slots[n, slot + ACTION] & 3 == PUT_NEXT:
        members = worlds.slots[n, slot + WHAT_SET]
        of_doors = kind_in(where) == cells.DOOR
        if not of_doors and members & worlds.slots[n, slot + WHERE_SET]:
            return False
        for i in range(worlds.slots[n, THING_COUNT]):
            if members >> i & 1 and any_near(worlds, rules, n, worlds.slots[n, THINGS + i], slot):
                return False
        if kind_in(where) == cells.KEY and keys >> color_in(where) & 1:
            return False
    return not (kind_in(what) == cells.KEY and keys >> color_in(what) & 1)
