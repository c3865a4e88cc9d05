"""Families of layouts, one file each, and the registry that names them all."""

from s2lab.envs.grid.level import Family
from s2lab.envs.grid.levels import doorkey, empty, fourrooms, keycorridor, multiroom

FAMILIES: dict[str, Family] = {
    module.FAMILY.name: module.FAMILY
    for module in (doorkey, empty, fourrooms, keycorridor, multiroom)
}
