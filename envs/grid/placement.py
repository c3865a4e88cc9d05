"""Putting things and the agent onto a grid, with minigrid's draws, rejections and retries.

Follows `MiniGridEnv.place_obj` (minigrid/minigrid_env.py): x and y are drawn, in this order, from a
rectangle cut at the grid's right and lower edges, until the cell is empty, is not the agent's, and
is not rejected. Knows no rooms and no missions.
"""

from typing import Any

from s2lab.envs.grid import cells, random
from s2lab.envs.grid.compiled import inlined, pure
from s2lab.envs.grid.worlds import Rules, Worlds

# What else a cell must satisfy.
ANYWHERE = 0
NOT_BESIDE_AGENT = 1  # roomgrid.py's reject_next_to
NOT_TOUCHING_OBJECTS = 2  # no key, ball or box among the eight neighbours

UNLIMITED = 1 << 30


@inlined
def index(rules: Rules, x: int, y: int) -> Any:
    """Index into `cells[n]` of cell (x, y)."""
    return rules.origin + y * rules.stride + x


@inlined
def x_of(rules: Rules, place: int) -> Any:
    """The x of an index into `cells[n]`."""
    return (place - rules.origin) % rules.stride


@inlined
def y_of(rules: Rules, place: int) -> Any:
    """The y of an index into `cells[n]`."""
    return (place - rules.origin) // rules.stride


@inlined
def put(worlds: Worlds, rules: Rules, n: int, x: int, y: int, cell: int) -> None:
    """Set cell (x, y)."""
    worlds.cells[n, index(rules, x, y)] = cell


@inlined
def horizontal(
    worlds: Worlds, rules: Rules, n: int, x: int, y: int, length: int, cell: int
) -> None:
    """Set `length` cells from (x, y) rightwards."""
    for i in range(length):
        put(worlds, rules, n, x + i, y, cell)


@inlined
def vertical(worlds: Worlds, rules: Rules, n: int, x: int, y: int, length: int, cell: int) -> None:
    """Set `length` cells from (x, y) downwards."""
    for i in range(length):
        put(worlds, rules, n, x, y + i, cell)


@pure
def surround(worlds: Worlds, rules: Rules, n: int, x: int, y: int, width: int, height: int) -> None:
    """Wall in the rectangle whose upper left corner is (x, y)."""
    horizontal(worlds, rules, n, x, y, width, cells.WALL_CELL)
    horizontal(worlds, rules, n, x, y + height - 1, width, cells.WALL_CELL)
    vertical(worlds, rules, n, x, y, height, cells.WALL_CELL)
    vertical(worlds, rules, n, x + width - 1, y, height, cells.WALL_CELL)


@pure
def clear(worlds: Worlds, rules: Rules, n: int) -> None:
    """Start a layout: an empty grid, no agent, nothing carried, no steps taken."""
    for y in range(rules.height):
        horizontal(worlds, rules, n, 0, y, rules.width, cells.EMPTY)
    worlds.carrying[n] = cells.EMPTY
    worlds.step_count[n] = 0
    worlds.budget[n] = 0
    set_agent(worlds, n, -1, -1, -1)


@inlined
def set_agent(worlds: Worlds, n: int, x: int, y: int, direction: int) -> None:
    """Set the agent's position and direction."""
    worlds.agent_x[n] = x
    worlds.agent_y[n] = y
    worlds.agent_dir[n] = direction


@inlined
def touches_objects(worlds: Worlds, rules: Rules, n: int, x: int, y: int) -> Any:
    """Whether one of the nine cells around an inner cell holds a key, ball or box."""
    for j in range(-1, 2):
        for i in range(-1, 2):
            if cells.can_carry(worlds.cells[n, index(rules, x + i, y + j)]):
                return True
    return False


@pure
def find(
    worlds: Worlds,
    rules: Rules,
    n: int,
    left: int,
    top: int,
    width: int,
    height: int,
    rejects: int,
    most_tries: int,
) -> Any:
    """Draw a free cell of a rectangle; its index, or -1 once `most_tries` + 1 tries have failed."""
    # No min and max: numba's overloads of them do not compile for CUDA.
    left = left if left > 0 else 0
    top = top if top > 0 else 0
    right = left + width if left + width < rules.width else rules.width
    bottom = top + height if top + height < rules.height else rules.height
    tries = 0
    while tries <= most_tries:
        tries += 1
        x = random.integers(worlds.rng, n, left, right)
        y = random.integers(worlds.rng, n, top, bottom)
        place = index(rules, x, y)
        if worlds.cells[n, place] != cells.EMPTY:
            continue
        distance = abs(worlds.agent_x[n] - x) + abs(worlds.agent_y[n] - y)
        if distance == 0 or (rejects == NOT_BESIDE_AGENT and distance < 2):
            continue
        if rejects == NOT_TOUCHING_OBJECTS and touches_objects(worlds, rules, n, x, y):
            continue
        return place
    return -1


@pure
def place_thing(
    worlds: Worlds, rules: Rules, n: int, left: int, top: int, width: int, height: int, cell: int
) -> Any:
    """Put a thing onto a random free cell of a rectangle; return the cell's index."""
    place = find(worlds, rules, n, left, top, width, height, ANYWHERE, UNLIMITED)
    worlds.cells[n, place] = cell
    return place


@pure
def place_anywhere(worlds: Worlds, rules: Rules, n: int, cell: int) -> Any:
    """Put a thing onto a random free cell of the whole grid; return the cell's index."""
    return place_thing(worlds, rules, n, 0, 0, rules.width, rules.height, cell)


@pure
def place_agent(
    worlds: Worlds, rules: Rules, n: int, left: int, top: int, width: int, height: int
) -> Any:
    """Put the agent onto a random free cell of a rectangle, facing a random direction.

    Tries as often as `find` with 1,000 `most_tries` never needs to in minigrid's plain layouts.
    """
    return try_agent(worlds, rules, n, left, top, width, height, UNLIMITED)


@pure
def try_agent(
    worlds: Worlds,
    rules: Rules,
    n: int,
    left: int,
    top: int,
    width: int,
    height: int,
    most_tries: int,
) -> Any:
    """As `place_agent`, but False, with no agent, once `most_tries` + 1 tries have failed."""
    set_agent(worlds, n, -1, -1, -1)
    place = find(worlds, rules, n, left, top, width, height, ANYWHERE, most_tries)
    if place < 0:
        return False
    direction = random.integers(worlds.rng, n, 0, 4)
    set_agent(worlds, n, x_of(rules, place), y_of(rules, place), direction)
    return True


@pure
def random_color(worlds: Worlds, n: int) -> Any:
    """A colour, drawn from minigrid's sorted names."""
    return cells.SORTED_COLORS[random.integers(worlds.rng, n, 0, cells.COLOR_COUNT)]


@pure
def random_color_but(worlds: Worlds, n: int, excluded: int) -> Any:
    """A colour drawn from the sorted names that are not in `excluded`, bit `1 << colour`."""
    left = 0
    for i in range(cells.COLOR_COUNT):
        left += (excluded >> cells.SORTED_COLORS[i] & 1) ^ 1
    chosen = random.integers(worlds.rng, n, 0, left)
    for i in range(cells.COLOR_COUNT):
        color = cells.SORTED_COLORS[i]
        if excluded >> color & 1 == 0:
            if chosen == 0:
                return color
            chosen -= 1
    return cells.GREY


@pure
def random_kind(worlds: Worlds, n: int) -> Any:
    """A kind of object, drawn from key, ball, box."""
    return cells.OBJECT_KINDS[random.integers(worlds.rng, n, 0, 3)]


@pure
def place_unlike_things(worlds: Worlds, rules: Rules, n: int, count: int, rejects: int) -> None:
    """Put keys, balls and boxes of which no two look alike onto random free cells.

    Their indices are left in `scratch[n, :count]`.
    """
    added = 0
    while added < count:
        kind = random_kind(worlds, n)
        cell = cells.thing(kind, random_color(worlds, n))
        seen = False
        for i in range(added):
            seen = seen or worlds.cells[n, worlds.scratch[n, i]] == cell
        if seen:
            continue
        place = find(worlds, rules, n, 0, 0, rules.width, rules.height, rejects, UNLIMITED)
        worlds.cells[n, place] = cell
        worlds.scratch[n, added] = place
        added += 1
