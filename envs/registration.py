"""World ids and what they stand for; importing this registers them with gymnasium.

`MiniGrid-X` is registered as `s2lab/MiniGrid-X`, because minigrid itself owns the bare id. All 96
`BabyAI-` worlds of minigrid 3.2.0 and all 76 `MiniGrid-` worlds that can be made are here;
`ELSEWHERE` names the other six.
"""

from difflib import get_close_matches

import gymnasium

from s2lab.envs.grid.level import Family, Level
from s2lab.envs.grid.levels import FAMILIES
from s2lab.envs.grid.levels.babyai.sizing import declared
from s2lab.envs.shifts import MissionFilter, restrict, shifted_id, shifted_worlds

NAMESPACE = "s2lab"

WORLDS: dict[str, tuple[Family, Level]] = {
    world_id: (family, level)
    for family in FAMILIES.values()
    for world_id, level in family.levels.items()
}

# Splits of shifts, under ids of their own.
SHIFTED: dict[str, tuple[Family, Level]] = shifted_worlds(WORLDS)

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


def find_world(
    world_id: str,
    *,
    shift: str | None = None,
    split: str | None = None,
    missions: MissionFilter | None = None,
    done_actions: bool = False,
) -> tuple[Family, Level]:
    """The family and level of a world id, with or without `s2lab/` before it, and its variants.

    Args:
        shift: a named shift (s2lab list shifts)
        split: "train" or "test", which side of the shift
        missions: which missions a BabyAI world may have
        done_actions: whether a part of a BabyAI mission counts once the agent says `done`

    Raises:
        ValueError: there is no such world here, or no such variant of it.
    """
    bare = world_id.removeprefix(f"{NAMESPACE}/")
    if (shift is None) != (split is None):
        raise ValueError(f"shift is {shift!r} and split is {split!r}; give both or none")
    if shift is not None and split is not None:
        bare = shifted_id(bare, shift, split)
    family, level = _find(bare, world_id)
    if done_actions:
        level = declared(level)
    return (family, level) if missions is None else restrict(family, level, missions)


def _find(bare: str, world_id: str) -> tuple[Family, Level]:
    if bare in SHIFTED:
        return SHIFTED[bare]
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
    for world_id in SHIFTED:
        if world_id not in gymnasium.registry:
            gymnasium.register(
                world_id,
                entry_point="s2lab.envs.single:GridEnv",
                vector_entry_point="s2lab.envs.vector:make_vec",
                kwargs={"world_id": world_id},
            )


register_worlds()
