"""What every BabyAI level has in common: equal rooms, instructions, and a limit per walk."""

from dataclasses import replace

from s2lab.envs.grid import inventory, reach, rooms
from s2lab.envs.grid.endings import DECLARED, INSTRUCTED
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
    assert width <= reach.WIDEST, "wider than `reach.py` can search"
    return Level(
        width=width,
        height=height,
        max_steps=max_steps or walks * room_size**2 * rows * columns,
        params=(room_size, rows, columns, *params),
        ending=INSTRUCTED,
        budgets=budgets,
        sentence=sentence,
        slots=max(SLOTS, reach.slots_for(height)),
        scratch=inventory.scratch_words(rows, columns),
    )


def resized(level: Level, room_size: int, rows: int, columns: int) -> Level:
    """A level of `rooms_level` with other rooms; the limit grows with the number of places."""
    old_size, old_rows, old_columns, *params = level.params
    return rooms_level(
        room_size,
        rows,
        columns,
        tuple(params),
        sentence=level.sentence,
        walks=level.max_steps // (old_size**2 * old_rows * old_columns),
        budgets=level.budgets,
    )


def declared(level: Level) -> Level:
    """The level where a part of the mission counts once the agent says `done`.

    Raises:
        ValueError: it is no level of BabyAI's.
    """
    if level.ending != INSTRUCTED:
        raise ValueError("done_actions is an option of BabyAI's worlds; leave it out")
    return replace(level, ending=DECLARED)
