"""One room of things, one to go to or to pick up (minigrid/envs/babyai/goto.py, pickup.py).

Other kinds of layout are in the files beside this one; all missions are BabyAI's.
"""

from typing import Any

from s2lab.envs.grid import cells, inventory, random
from s2lab.envs.grid.cells import BALL, BLUE, GREY, RED
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.instructions import (
    ANY_COLOR,
    ANY_TYPE,
    ANYWHERE,
    GO_TO,
    PICK_UP,
    STRICT,
    describe,
)
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.levels.babyai.single_part import ask, kind_of, look, random_entry
from s2lab.envs.grid.levels.babyai.sizing import rooms_level
from s2lab.envs.grid.reach import all_reachable
from s2lab.envs.grid.rooms import ANY, place_agent_in_room
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

# Of params, after the rooms: what is in the room, how many random things at least, how many more at
# most.
THEME, COUNT, SPREAD = range(3, 6)

RED_BALL, RED_BALL_GREY, RED_OR_BLUE_BALL, ONE_THING, THINGS, BALL_TO_TAKE = range(6)
BY_LOOK, BY_LOOK_STRICT = 6, 7  # one of five unlike things, by type, colour or both


@pure
def layout(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
    """A room, until one is found that minigrid accepts."""
    while not _attempt(worlds, rules, tables, n):
        pass


@pure
def _attempt(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    inventory.begin(worlds, rules, tables, n)
    theme = tables.params[THEME]
    count = inventory.draw_count(worlds, n, tables.params[COUNT], tables.params[SPREAD])
    if theme == BALL_TO_TAKE:
        if not inventory.add_object(worlds, rules, tables, n, 0, 0, BALL, ANY):
            return False
        if not place_agent_in_room(worlds, rules, tables, n, 0, 0):
            return False
        ask(worlds, rules, tables, n, PICK_UP, describe(BALL, ANY_COLOR, ANYWHERE))
        return True
    if theme in (BY_LOOK, BY_LOOK_STRICT):
        return _attempt_by_look(worlds, rules, tables, n, count)
    if not place_agent_in_room(worlds, rules, tables, n, 0, 0):
        return False
    if not _scatter(worlds, rules, tables, n, count):
        return False
    target = describe(BALL, RED, ANYWHERE)
    if theme == RED_BALL_GREY:
        _turn_grey(worlds, tables, n)
    elif theme == RED_OR_BLUE_BALL:
        color = _single_ball(worlds, rules, tables, n)
        if color == ANY:
            return False
        target = describe(BALL, color, ANYWHERE)
    if theme != ONE_THING and not all_reachable(worlds, rules, n):
        return False
    if theme in (ONE_THING, THINGS):
        target = look(random_entry(worlds, tables, n, 0))
    ask(worlds, rules, tables, n, GO_TO, target)
    return True


@pure
def _scatter(worlds: Worlds, rules: Rules, tables: Tables, n: int, count: int) -> Any:
    theme = tables.params[THEME]
    done = True
    if theme in (RED_BALL, RED_BALL_GREY):
        done = inventory.add_object(worlds, rules, tables, n, 0, 0, BALL, RED)
    return done and inventory.add_distractors(worlds, rules, tables, n, 0, 0, count, False)


@pure
def _turn_grey(worlds: Worlds, tables: Tables, n: int) -> None:
    """Take the colour from everything but the ball that was put first."""
    for i in range(1, inventory.count(worlds, tables, n)):
        grey = cells.thing(cells.type_of(inventory.cell(worlds, tables, n, i)), GREY)
        worlds.cells[n, inventory.place(worlds, tables, n, i)] = grey


@pure
def _single_ball(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> Any:
    """Add a red or blue ball where there is none yet; its colour, or ANY if that fails."""
    for i in range(inventory.count(worlds, tables, n)):
        thing = inventory.cell(worlds, tables, n, i)
        if cells.type_of(thing) == BALL and cells.color_of(thing) in (RED, BLUE):
            return ANY
    color = RED if random.integers(worlds.rng, n, 0, 2) == 0 else BLUE
    if not inventory.add_object(worlds, rules, tables, n, 0, 0, BALL, color):
        return ANY
    return color


@pure
def _attempt_by_look(worlds: Worlds, rules: Rules, tables: Tables, n: int, count: int) -> Any:
    if not inventory.add_distractors(worlds, rules, tables, n, 0, 0, count, True):
        return False
    if not place_agent_in_room(worlds, rules, tables, n, 0, 0):
        return False
    target = random_entry(worlds, tables, n, 0)
    chosen_by = random.integers(worlds.rng, n, 0, 3)
    what = look(target)
    if chosen_by == 0:
        what = kind_of(target)
    elif chosen_by == 1:
        what = describe(ANY_TYPE, cells.color_of(target), ANYWHERE)
    strict = STRICT if tables.params[THEME] == BY_LOOK_STRICT else 0
    ask(worlds, rules, tables, n, PICK_UP | strict, what)
    return True


def _room(room_size: int, theme: int, count: int = 0) -> Level:
    words = 4 if theme == BALL_TO_TAKE else 5
    return rooms_level(room_size, 1, 1, (theme, count, 0), sentence=words)


FAMILY = Family(
    name="babyai_local",
    layout=layout,
    levels={
        "BabyAI-GoToRedBallGrey-v0": _room(8, RED_BALL_GREY, 7),
        "BabyAI-GoToRedBall-v0": _room(8, RED_BALL, 7),
        "BabyAI-GoToRedBallNoDists-v0": _room(8, RED_BALL),
        "BabyAI-GoToRedBlueBall-v0": _room(8, RED_OR_BLUE_BALL, 7),
        "BabyAI-GoToObj-v0": _room(8, ONE_THING, 1),
        "BabyAI-GoToObjS4-v0": _room(4, ONE_THING, 1),
        "BabyAI-GoToObjS6-v1": _room(6, ONE_THING, 1),
        "BabyAI-GoToLocal-v0": _room(8, THINGS, 8),
        **{
            f"BabyAI-GoToLocalS{size}N{count}-v0": _room(size, THINGS, count)
            for size, counts in ((5, (2,)), (6, (2, 3, 4)), (7, (4, 5)), (8, range(2, 8)))
            for count in counts
        },
        "BabyAI-PickupDist-v0": _room(7, BY_LOOK, 5),
        "BabyAI-PickupDistDebug-v0": _room(7, BY_LOOK_STRICT, 5),
        **{f"BabyAI-OneRoomS{size}-v0": _room(size, BALL_TO_TAKE) for size in (8, 12, 16, 20)},
    },
)
