"""What every BabyAI level has in common: equal rooms, instructions, and a limit per walk."""

from s2lab.envs.grid import inventory, rooms
from s2lab.envs.grid.endings import INSTRUCTED
from s2lab.envs.grid.instructions import SLOTS
from s2lab.envs.grid.level import Level


def rooms_level(
    room_size: int,
    rows: int,
    columns: int,
    params: tuple[int, ...],
    *,
    sentence: int,
    max_steps: int = 0,
    walks: int = 1,
    budgets: int = 1,
) -> Level:
    """A level of rooms whose longest mission has `sentence` words.

    An episode is cut off after `max_steps`, or, if that is 0, after as many steps as there are
    places in the rooms for each walk: `walks` of them, or 1 ... `budgets` as the mission says
    (`RoomGridLevel.reset` in minigrid/envs/babyai/core/roomgrid_level.py).
    """
    width, height = rooms.grid_side(room_size, columns), rooms.grid_side(room_size, rows)
    return Level(
        width=width,
        height=height,
        max_steps=max_steps or walks * room_size**2 * rows * columns,
        params=(room_size, rows, columns, *params),
        ending=INSTRUCTED,
        budgets=budgets,
        sentence=sentence,
        slots=SLOTS,
        scratch=inventory.scratch_words(rows, columns) + width * height,
    )
