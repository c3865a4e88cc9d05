"""BabyAI's levels, one file per kind of layout."""

from s2lab.envs.grid.level import Family
from s2lab.envs.grid.levels.babyai import behind_doors, composed, doors, local, maze, middle, moving

FAMILIES: dict[str, Family] = {
    module.FAMILY.name: module.FAMILY
    for module in (behind_doors, composed, doors, local, maze, middle, moving)
}
