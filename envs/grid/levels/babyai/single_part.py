"""Missions of one part, as most BabyAI levels have them. Knows no layouts."""

from typing import Any

from s2lab.envs.grid import cells, random
from s2lab.envs.grid.compiled import pure
from s2lab.envs.grid.instructions import (
    ANY_COLOR,
    ANYWHERE,
    ONE,
    describe,
    makes_sense,
    number_things,
    set_part,
)
from s2lab.envs.grid.inventory import cell, count
from s2lab.envs.grid.language import write_sentence
from s2lab.envs.grid.worlds import Rules, Tables, Worlds


@pure
def look(thing: int) -> Any:
    """The description of things of a cell's type and colour."""
    return describe(cells.type_of(thing), cells.color_of(thing), ANYWHERE)


@pure
def kind_of(thing: int) -> Any:
    """The description of things of a cell's type."""
    return describe(cells.type_of(thing), ANY_COLOR, ANYWHERE)


@pure
def random_entry(worlds: Worlds, tables: Tables, n: int, start: int) -> Any:
    """The cell of a thing drawn from the inventory, from the `start`-th thing on."""
    stop = count(worlds, tables, n)
    return cell(worlds, tables, n, random.integers(worlds.rng, n, start, stop))


@pure
def ask(worlds: Worlds, rules: Rules, tables: Tables, n: int, action: int, what: int) -> None:
    """Make one action on what a description matches the mission."""
    number_things(worlds, rules, n)
    set_part(worlds, rules, tables, n, 0, action, what, 0)
    write_sentence(worlds, tables, n, ONE)


@pure
def ask_to_put(
    worlds: Worlds, rules: Rules, tables: Tables, n: int, action: int, what: int, where: int
) -> Any:
    """Make putting one thing next to another the mission; False if minigrid rejects that."""
    number_things(worlds, rules, n)
    set_part(worlds, rules, tables, n, 0, action, what, where)
    if not makes_sense(worlds, rules, n, ONE, 0):
        return False
    write_sentence(worlds, tables, n, ONE)
    return True


@pure
def ask_twice(
    worlds: Worlds,
    rules: Rules,
    tables: Tables,
    n: int,
    shape: int,
    action: int,
    what: int,
    other_action: int,
    other: int,
) -> None:
    """Make two parts, one on each side, the mission; the shape is BEFORE or AFTER."""
    number_things(worlds, rules, n)
    set_part(worlds, rules, tables, n, 0, action, what, 0)
    set_part(worlds, rules, tables, n, 2, other_action, other, 0)
    write_sentence(worlds, tables, n, shape)
