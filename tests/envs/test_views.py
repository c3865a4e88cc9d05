"""The view in vector registers beside the view cell by cell, which lockstep holds to minigrid."""

import numpy as np
import pytest
from numba import njit

from s2lab.envs.grid import registers, views
from s2lab.envs.grid.cells import BOX, CONTAINS, DOOR, EMPTY, GOAL, GREY, KEY, OPEN, WALL_CELL, door
from s2lab.envs.grid.worlds import (
    Array,
    Outputs,
    Rules,
    Worlds,
    make_outputs,
    make_rules,
    make_worlds,
)

COUNT, WIDTH, HEIGHT = 4096, 9, 12


@njit  # type: ignore[untyped-decorator]  # numba is not typed
def in_registers(worlds: Worlds, rules: Rules, image: Array, types: Array) -> None:
    for n in range(types.shape[0]):
        types[n] = views.observe_usual(worlds, rules, image, n)


@njit  # type: ignore[untyped-decorator]  # numba is not typed
def cell_by_cell(worlds: Worlds, rules: Rules, image: Array, types: Array, view: int) -> None:
    for n in range(types.shape[0]):
        types[n] = views._observe_part(worlds, rules, image, n, view)


def crowded_worlds(rng: np.random.Generator, rules: Rules, *, walls: float) -> Worlds:
    """Anything anywhere, the margin included; agents wherever a layout may put them."""
    worlds = make_worlds(COUNT, rules, slots=1, words=1, scratch=1)
    things = np.array(
        [EMPTY, GOAL, KEY, BOX | CONTAINS | 3 << 4, KEY | 31 << 10, door(GREY, OPEN), DOOR | 5 << 4]
    )
    worlds.cells[:] = rng.choice(things, worlds.cells.shape)
    worlds.cells[rng.random(worlds.cells.shape) < walls] = WALL_CELL
    worlds.carrying[:] = rng.choice(things, COUNT)
    worlds.agent_x[:] = rng.integers(1, WIDTH - 1, COUNT)
    worlds.agent_y[:] = rng.integers(1, HEIGHT - 1, COUNT)
    worlds.agent_dir[:] = rng.integers(0, 4, COUNT)
    return worlds


def outputs_of(rules: Rules) -> tuple[Outputs, Array]:
    outputs = make_outputs(COUNT, rules, 1)
    outputs.image[:] = 255
    return outputs, np.zeros(COUNT, np.int64)


@pytest.mark.slow
@pytest.mark.parametrize("walls", [0.0, 0.1, 0.3, 0.6])
@pytest.mark.parametrize("see_through", [False, True])
def test_registers_show_what_is_seen_cell_by_cell(walls: float, see_through: bool) -> None:
    rules = make_rules(
        WIDTH, HEIGHT, view_size=7, see_through_walls=see_through, full=False, ending=0
    )
    worlds = crowded_worlds(np.random.default_rng(0), rules, walls=walls)
    (ours, ours_types), (theirs, theirs_types) = outputs_of(rules), outputs_of(rules)
    in_registers(worlds, rules, ours.image, ours_types)
    cell_by_cell(worlds, rules, theirs.image, theirs_types, registers.SIDE)
    np.testing.assert_array_equal(ours.image, theirs.image)
    np.testing.assert_array_equal(ours_types, theirs_types)
    assert (ours.image < 255).all()
    assert len(np.unique(theirs_types)) > (1 if walls < 0.1 and see_through else 2)
