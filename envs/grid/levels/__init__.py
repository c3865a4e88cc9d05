"""Families of layouts, one file each, and the registry that names them all."""

from s2lab.envs.grid.level import Family
from s2lab.envs.grid.levels import (
    babyai,
    crossing,
    distshift,
    doorkey,
    empty,
    fetch,
    fourrooms,
    gotodoor,
    gotoobject,
    keycorridor,
    lavagap,
    lockedroom,
    memory,
    multiroom,
    obstacles,
    obstructedmaze,
    playground,
    putnear,
    redbluedoors,
    unlock,
)

FAMILIES: dict[str, Family] = {
    module.FAMILY.name: module.FAMILY
    for module in (
        crossing,
        distshift,
        doorkey,
        empty,
        fetch,
        fourrooms,
        gotodoor,
        gotoobject,
        keycorridor,
        lavagap,
        lockedroom,
        memory,
        multiroom,
        obstacles,
        obstructedmaze,
        playground,
        putnear,
        redbluedoors,
        unlock,
    )
} | babyai.FAMILIES
