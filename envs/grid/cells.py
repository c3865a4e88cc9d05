"""What one cell of a grid holds, packed into 16 bits.

bits 0-3 type · 4-6 colour · 7-8 state of a door · 9 opaque (walls and doors that are not open) ·
10-15 tag. The tag of a box whose bit 15 is set names what the box contains (type and colour);
otherwise the tag is free to tell apart objects that look the same. Types, colours and states
are numbered as minigrid's observations number them (minigrid/core/constants.py).
Knows no worlds.
"""

from typing import Any

import numpy as np

from s2lab.envs.grid.compiled import pure

UNSEEN, EMPTY, WALL, FLOOR, DOOR, KEY, BALL, BOX, GOAL, LAVA, AGENT = range(11)
RED, GREEN, BLUE, PURPLE, YELLOW, GREY = range(6)
OPEN, CLOSED, LOCKED = range(3)

TYPE_NAMES = (
    *("unseen", "empty", "wall", "floor", "door", "key"),
    *("ball", "box", "goal", "lava", "agent"),
)
COLOR_NAMES = ("red", "green", "blue", "purple", "yellow", "grey")
COLOR_COUNT = len(COLOR_NAMES)

# minigrid draws colours from the sorted names, whose order is not the order of the numbers.
SORTED_COLORS = np.array([BLUE, GREEN, GREY, PURPLE, RED, YELLOW], np.int32)
# ... and kinds of objects from ["key", "ball", "box"].
OBJECT_KINDS = np.array([KEY, BALL, BOX], np.int32)

OPAQUE = 1 << 9
LOOK_MASK = 0x7F  # type and colour
SEEN_MASK = 0x1FF  # type, colour and state: what an observation shows
CONTAINS = 1 << 15
WALL_CELL = WALL | GREY << 4 | OPAQUE
GOAL_CELL = GOAL | GREEN << 4
LAVA_CELL = LAVA | RED << 4

# On one's way: types that the agent may stand on, whatever their state; and those it can carry.
_STANDABLE = 1 << EMPTY | 1 << FLOOR | 1 << GOAL | 1 << LAVA
_CARRIABLE = 1 << KEY | 1 << BALL | 1 << BOX


@pure
def unpack(raw: Any) -> Any:
    """A stored cell as a number to reckon with."""
    return np.int32(raw)


@pure
def type_of(cell: int) -> Any:
    """The type of what is in a cell."""
    return cell & 15


@pure
def color_of(cell: int) -> Any:
    """The colour of what is in a cell."""
    return cell >> 4 & 7


@pure
def state_of(cell: int) -> Any:
    """Whether a door is open, closed or locked; 0 for everything else."""
    return cell >> 7 & 3


@pure
def thing(kind: int, color: int) -> Any:
    """A cell that holds a key, ball, box, floor, wall, goal or lava; no door."""
    return kind | color << 4 | (OPAQUE if kind == WALL else 0)


@pure
def door(color: int, state: int) -> Any:
    """A cell that holds a door."""
    return DOOR | color << 4 | state << 7 | (0 if state == OPEN else OPAQUE)


@pure
def box_with(color: int, content: int) -> Any:
    """A box that holds a key, ball or box; `content` is that thing's own cell."""
    return BOX | color << 4 | CONTAINS | (content >> 4 & 7) << 10 | (content & 3) << 13


@pure
def content_of(box: int) -> Any:
    """The cell that a box leaves behind when it is opened: its content, or nothing."""
    if box & CONTAINS == 0:
        return EMPTY
    return 4 | (box >> 13 & 3) | (box >> 10 & 7) << 4  # keys, balls and boxes are 5, 6 and 7


@pure
def can_stand(cell: int) -> Any:
    """Whether the agent can step onto a cell."""
    return (_STANDABLE >> (cell & 15)) & 1 != 0 or (cell & 15 == DOOR and cell & OPAQUE == 0)


@pure
def can_carry(cell: int) -> Any:
    """Whether the agent can pick up what is in a cell."""
    return (_CARRIABLE >> (cell & 15)) & 1 != 0
