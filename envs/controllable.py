"""The worlds whose controllable factors are known, by name. Loads one only when it is asked for."""

from typing import Any

# Name -> what there is to control, and what there is besides.
CONTROLLABLE = {
    "square": "a square, four moves",
    "two-squares": "two squares, four moves each, and one that moves by itself",
    "toggle-square": "a square, four moves, and its brightness",
    "doorkey-5x5": "DoorKey-5x5 on the grid engine: place, direction, key and door",
    "doorkey-8x8": "DoorKey-8x8 on the grid engine: place, direction, key and door",
}


def make_controllable(name: str) -> Any:
    """The world of a name: a `Squares` or a `GridFactors`.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in CONTROLLABLE:
        raise ValueError(f"unknown world {name!r}; known: {', '.join(CONTROLLABLE)}")
    if name.startswith("doorkey-"):
        from s2lab.envs.grid_factors import GridFactors

        return GridFactors(f"s2lab/DoorKeyFactors-{name.removeprefix('doorkey-')}-v0")
    from s2lab.envs.squares import WORLDS

    return WORLDS[name]
