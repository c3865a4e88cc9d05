"""Which missions a level may have: a predicate over a mission's data, by rejection.

A level whose family is `filtered` ends its `params` with the words below; a layout whose mission
they forbid is drawn again, from the same generator and without rewinding it, as if a caller had
reset minigrid's environment until a mission would do. Knows no words and no ids.
"""

from functools import cache
from typing import Any

from s2lab.envs.grid import cells
from s2lab.envs.grid.compiled import named_after, pure
from s2lab.envs.grid.instructions import (
    ACTION,
    PUT_NEXT,
    SHAPE,
    WHAT,
    has_part,
    location_in,
    part_slot,
    places_of,
)
from s2lab.envs.grid.level import Family, Layout
from s2lab.envs.grid.worlds import Rules, Tables, Worlds

# Of params, from their end, behind which the batch keeps a zero: whether a mission must contain any
# of what the sets name or none of it; the sets, of pairs of type and colour (bit `pair_bit`), of
# actions (bit `1 << action`) and of locations (bit `1 << location`); after how many layouts to give
# up and set the template to GAVE_UP, 0 for never.
WANTED, PAIRS, ACTIONS, LOCATIONS, MOST_LAYOUTS = range(-6, -1)
GAVE_UP = -1


@pure
def pair_bit(kind: int, color: int) -> Any:
    """The bit of things of a type (door, key, ball, box) and a colour in a set of pairs."""
    return 1 << (kind - cells.DOOR) * cells.COLOR_COUNT + color


@pure
def _any_pair(worlds: Worlds, n: int, description: int, members: int, pairs: int) -> Any:
    """Whether a thing that a description matches is of a pair in a set."""
    first, count = places_of(worlds, n, description)
    for i in range(count):
        if members >> i & 1:
            cell = cells.unpack(worlds.cells[n, worlds.slots[n, first + i]])
            if pairs & pair_bit(cells.type_of(cell), cells.color_of(cell)):
                return True
    return False


@pure
def contains(worlds: Worlds, tables: Tables, n: int) -> Any:
    """Whether the mission of world `n` contains anything that the sets name; at its start only."""
    pairs, actions = tables.params[PAIRS], tables.params[ACTIONS]
    locations = tables.params[LOCATIONS]
    for part in range(4):
        if not has_part(worlds.slots[n, SHAPE], part):
            continue
        slot = part_slot(part)
        action = worlds.slots[n, slot + ACTION] & 3
        if actions >> action & 1:
            return True
        for which in range(2 if action == PUT_NEXT else 1):
            description = worlds.slots[n, slot + WHAT + 2 * which]
            members = worlds.slots[n, slot + WHAT + 2 * which + 1]
            if locations >> location_in(description) & 1:
                return True
            if pairs != 0 and _any_pair(worlds, n, description, members, pairs):
                return True
    return False


def filtered(family: Family) -> Family:
    """The family whose levels reject missions as the end of their `params` says."""
    return Family(f"{family.name}_filtered", _layout_under_filter(family.layout), {})


@cache
def _layout_under_filter(layout: Layout) -> Layout:
    @pure
    @named_after(layout)
    def lay_out(worlds: Worlds, rules: Rules, tables: Tables, n: int) -> None:
        layout(worlds, rules, tables, n)
        layouts = 1
        while contains(worlds, tables, n) != (tables.params[WANTED] != 0):
            if layouts == tables.params[MOST_LAYOUTS]:
                worlds.template[n] = GAVE_UP
                break
            layout(worlds, rules, tables, n)
            layouts += 1

    return lay_out
