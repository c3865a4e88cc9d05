"""World ids and what they stand for; importing this registers them with gymnasium.

`MiniGrid-X` is registered as `s2lab/MiniGrid-X`, because minigrid itself owns the bare id. All 96
`BabyAI-` worlds of minigrid 3.2.0 and all 76 `MiniGrid-` worlds that can be made are here;
`ELSEWHERE` names the other six.
"""

from difflib import get_close_matches

import gymnasium

from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.levels import FAMILIES

NAMESPACE = "s2lab"

WORLDS: dict[str, tuple[Family, Level]] = {
    world_id: (family, level)
    for family in FAMILIES.values()
    for world_id, level in family.levels.items()
}

# Ids without a world here, by their beginning, and why.
ELSEWHERE = {
    "MiniGrid-WFC-": (
        "minigrid 3.2.0 was released without the pattern images that these worlds are learned from "
        "(patterns/*.png beside minigrid/envs/wfc/config.py), so that they do not run there either"
    )
}


def why_elsewhere(world_id: str) -> str | None:
    """Why a bare id is left to its own package; None where nothing is said about it."""
    reasons = (reason for start, reason in ELSEWHERE.items() if world_id.startswith(start))
    return next(reasons, None)


def find_world(world_id: str) -> tuple[Family, Level]:
    """The family and level of a world id, with or without `s2lab/` before it.

    Raises:
        ValueError: there is no such world here.
    """
    bare = world_id.removeprefix(f"{NAMESPACE}/")
    reason = why_elsewhere(bare)
    if reason is not None:
        raise ValueError(f"{world_id!r} is left to the minigrid package: {reason}")
    if bare not in WORLDS:
        nearest = get_close_matches(bare, WORLDS, n=1, cutoff=0.0)
        raise ValueError(
            f"unknown world {world_id!r}; did you mean {nearest[0]!r}?  (s2lab list envs)"
        )
    return WORLDS[bare]


def register_worlds() -> None:
    """Register every world with gymnasium under `s2lab/`, once."""
    for world_id in WORLDS:
        name = f"{NAMESPACE}/{world_id}"
        if name not in gymnasium.registry:
            gymnasium.register(
                name,
                entry_point="s2lab.envs.single:GridEnv",
                vector_entry_point="s2lab.envs.vector:make_vec",
                kwargs={"world_id": world_id},
            )


register_worlds()
