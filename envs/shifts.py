"""Named shifts from a distribution of training worlds to one of test worlds, and mission filters.

A shift changes the numbers of a level or the missions it may have, never how a layout is drawn:
`make_vec("BabyAI-GoToLocal-v0", 256, shift="held_out_pairs", split="train")`. Every split of every
world of a shift also has an id of its own, such as `BabyAI-GoToLocal-held_out_pairs-train-v0`.
Knows no agents.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from typing import Literal

from s2lab.envs.grid import cells, filters, instructions
from s2lab.envs.grid.endings import DECLARED, INSTRUCTED
from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.levels.babyai import composed, local, maze, moving
from s2lab.envs.grid.levels.babyai.sizing import resized

World = tuple[Family, Level]
Change = Callable[[Family, Level], World]

SPLITS = ("train", "test")
KINDS = ("door", "key", "ball", "box")  # in the order of `cells.py`
ACTIONS = {
    "go to": instructions.GO_TO,
    "pick up": instructions.PICK_UP,
    "open": instructions.OPEN,
    "put next": instructions.PUT_NEXT,
}
LOCATIONS = {
    "left": instructions.LEFT,
    "right": instructions.RIGHT,
    "front": instructions.AHEAD,
    "behind": instructions.BEHIND,
}


@dataclass(frozen=True)
class MissionFilter:
    """Missions to keep out of a BabyAI world, or to have alone; at least one set must name some.

    A mission contains what any of the three sets names.
    """

    keep: Literal["avoid", "require"]
    """avoid: missions that contain none of it; require: missions that contain some of it."""
    pairs: frozenset[tuple[str, str]] = frozenset()
    """Colours and types, such as ("red", "box"): contained when a description of the mission
    matches such a thing as the episode begins; other things in the world are free."""
    actions: frozenset[str] = frozenset()
    """Of `go to`, `pick up`, `open`, `put next`."""
    locations: frozenset[str] = frozenset()
    """Of `left`, `right`, `front`, `behind`."""

    def __post_init__(self) -> None:
        if self.keep not in ("avoid", "require"):
            raise ValueError(f"keep is {self.keep!r}; give 'avoid' or 'require'")
        if not (self.pairs or self.actions or self.locations):
            raise ValueError("a mission filter names nothing; give pairs, actions or locations")
        for color, kind in self.pairs:
            _known("colour", color, cells.COLOR_NAMES)
            _known("type", kind, KINDS)
        for action in self.actions:
            _known("action", action, ACTIONS)
        for location in self.locations:
            _known("location", location, LOCATIONS)

    def words(self, most_layouts: int = 0) -> tuple[int, ...]:
        """The filter as the end of a level's `params`, see `grid/filters.py`."""
        pairs = sum(
            1 << KINDS.index(kind) * cells.COLOR_COUNT + cells.COLOR_NAMES.index(color)
            for color, kind in self.pairs
        )
        actions = sum(1 << ACTIONS[action] for action in self.actions)
        locations = sum(1 << LOCATIONS[location] for location in self.locations)
        return (int(self.keep == "require"), pairs, actions, locations, most_layouts)


def _known(what: str, given: str, allowed: Mapping[str, int] | tuple[str, ...]) -> None:
    if given not in allowed:
        names = ", ".join(map(repr, allowed))
        raise ValueError(f"a mission filter's {what} is {given!r}; give one of {names}")


def restrict(family: Family, level: Level, missions: MissionFilter) -> World:
    """The world whose missions the filter lets through.

    Raises:
        ValueError: it is no world of BabyAI's, or no mission of its is let through.
    """
    if level.ending not in (INSTRUCTED, DECLARED):
        raise ValueError("a mission filter needs one of BabyAI's worlds")
    chosen = filters.filtered(family), replace(level, params=(*level.params, *missions.words()))
    _try(chosen[0], replace(level, params=(*level.params, *missions.words(_MOST_LAYOUTS))))
    return chosen


_MOST_LAYOUTS = 20_000  # without a mission that will do, before a filter is refused


def _try(family: Family, level: Level) -> None:
    from s2lab.envs.grid.cpu import GridBatch

    batch = GridBatch(family, level, 1)
    batch.seed([0])
    batch.reset()
    if batch.worlds.template[0] == filters.GAVE_UP:
        raise ValueError(
            f"the mission filter let none of {_MOST_LAYOUTS} missions through; ask for what this "
            "world's missions can contain"
        )


HELD_OUT = frozenset(
    {
        ("red", "box"),
        ("green", "ball"),
        ("purple", "key"),
        ("yellow", "box"),
        ("blue", "ball"),
        ("grey", "key"),
    }
)


def _filtered(keep: Literal["avoid", "require"], family: Family, level: Level) -> World:
    words = MissionFilter(keep, HELD_OUT).words()
    return filters.filtered(family), replace(level, params=(*level.params, *words))


def _same(family: Family, level: Level) -> World:
    return family, level


# Where a family's params say how many things there are at least, and how many more at most.
_COUNT = {
    "babyai_local": local.COUNT,
    "babyai_moving": moving.COUNT,
    "babyai_composed": composed.COUNT,
    "babyai_maze": maze.COUNT,
}
_SPREAD = {
    "babyai_local": local.SPREAD,
    "babyai_moving": moving.SPREAD,
    "babyai_composed": composed.SPREAD,
}


def _named_things(family: Family, level: Level) -> int:
    """How many of the things that `params` count are not distractors."""
    if family.name == "babyai_moving":
        return 2
    beside = (local.RED_BALL, local.RED_BALL_GREY)  # the ball is put beside those counted
    return int(family.name != "babyai_local" or level.params[local.THEME] not in beside)


def _distractors(least: int, spread: int, family: Family, level: Level) -> World:
    params = list(level.params)
    params[_COUNT[family.name]] = least + _named_things(family, level)
    params[_SPREAD[family.name]] = spread
    return family, replace(level, params=tuple(params))


def _larger(family: Family, level: Level) -> World:
    if family.name == "fourrooms":
        steps = round(level.max_steps * 25**2 / level.width**2)
        return family, replace(level, width=25, height=25, max_steps=steps)
    _, rows, columns = level.params[:3]
    return family, resized(level, 12, rows, columns)


def _walking(change: Change, family: Family, level: Level) -> World:
    """Left, right and forward are all there is to do."""
    family, level = change(family, level)
    return family, replace(level, actions=3)


def _fewer(family: Family, level: Level) -> World:
    """Two by two rooms with as many things in each; of MultiRoom's six rooms in a row, two."""
    if family.name == "multiroom":
        rooms, _, largest = level.params
        steps = level.max_steps * 2 // rooms
        return family, replace(level, params=(2, 2, largest), max_steps=steps)
    size, rows, columns = level.params[:3]
    smaller = resized(level, size, 2, 2)
    params = list(smaller.params)
    count = _COUNT[family.name]
    params[count] = max(1, params[count] * 4 // (rows * columns))
    return family, replace(smaller, params=tuple(params))


@dataclass(frozen=True)
class Shift:
    """What differs between training and test, and in which worlds that can be asked for."""

    summary: str
    """In a few words."""
    worlds: tuple[str, ...]
    """Ids of the worlds as they are."""
    train: Change
    """What the world becomes for training."""
    test: Change
    """What it becomes for the test."""


def _babyai(*names: str) -> tuple[str, ...]:
    return tuple(f"BabyAI-{name}-v0" for name in names)


_ONE_ROOM = ("GoToRedBallGrey", "GoToRedBall", "GoToLocal", "PickupLoc", "PutNextLocal")
_MANY_ROOMS = ("GoTo", "GoToObjMaze", "Pickup", "Open", "GoToSeq", "SynthLoc", "BossLevel")

SHIFTS: dict[str, Shift] = {
    "held_out_pairs": Shift(
        "missions about pairs of colour and type that training never asks for",
        _babyai("GoToLocal", "PickupLoc", "PutNextLocal", "GoToSeq"),
        partial(_filtered, "avoid"),
        partial(_filtered, "require"),
    ),
    "more_distractors": Shift(
        "0 to 2 distractors in training, 11 in the test",
        _babyai(*_ONE_ROOM),
        partial(_distractors, 0, 2),
        partial(_distractors, 11, 0),
    ),
    "larger_rooms": Shift(
        "rooms of 12 x 12 places after 8 x 8; four rooms in 25 x 25 after 19 x 19",
        (*_babyai(*_ONE_ROOM, *_MANY_ROOMS), "MiniGrid-FourRooms-v0"),
        _same,
        _larger,
    ),
    "walking": Shift(
        "three actions, left, right and forward; four rooms in 25 x 25 after 19 x 19",
        ("MiniGrid-FourRooms-v0",),
        partial(_walking, _same),
        partial(_walking, _larger),
    ),
    "more_rooms": Shift(
        "3 x 3 rooms after 2 x 2; six rooms in a row after two",
        (*_babyai(*_MANY_ROOMS), "MiniGrid-MultiRoom-N6-v0"),
        _fewer,
        _same,
    ),
}


def shifted_id(world_id: str, shift: str, split: str) -> str:
    """The id of one split of one world of a shift.

    Raises:
        ValueError: no such shift or split, or the shift is not defined for the world.
    """
    if shift not in SHIFTS:
        (nearest,) = get_close_matches(shift, SHIFTS, n=1, cutoff=0.0)
        raise ValueError(f"unknown shift {shift!r}; did you mean {nearest!r}?  (s2lab list shifts)")
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; give 'train' or 'test'")
    if world_id not in SHIFTS[shift].worlds:
        worlds = ", ".join(SHIFTS[shift].worlds)
        raise ValueError(f"shift {shift!r} is not defined for {world_id!r}; it is for {worlds}")
    name, _, version = world_id.rpartition("-")
    return f"{name}-{shift}-{split}-{version}"


def unshifted_id(world_id: str) -> str:
    """The id of the world that a split was made of; of any other world, its own."""
    for shift, entry in SHIFTS.items():
        for base in entry.worlds:
            if world_id in (shifted_id(base, shift, split) for split in SPLITS):
                return base
    return world_id


def shifted_worlds(worlds: Mapping[str, World]) -> dict[str, World]:
    """Every split of every world of every shift, by its id."""
    return {
        shifted_id(world_id, name, split): change(*worlds[world_id])
        for name, shift in SHIFTS.items()
        for world_id in shift.worlds
        for split, change in zip(SPLITS, (shift.train, shift.test), strict=True)
    }
