"""BabyAI's levels, one file per kind of layout."""

from s2lab.envs.grid.level import Family
from s2lab.envs.grid.levels.babyai import local, middle

FAMILIES: dict[str, Family] = {module.FAMILY.name: module.FAMILY for module in (local, middle)}
