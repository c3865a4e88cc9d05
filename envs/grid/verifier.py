"""When BabyAI's instructions are fulfilled, over the action just done.

Follows minigrid/envs/babyai/core/verifier.py: things count by identity, not by look; where they are
is known from the start of the episode and from each drop, even one that fails, and is stale in
between; a part counts what is carried before its first verification as nothing. Knows no words.
"""

from typing import Any

from s2lab.envs.grid import cells
from s2lab.envs.grid.cells import EMPTY, unpack
from s2lab.envs.grid.compiled import inlined, pure
from s2lab.envs.grid.instructions import (
    ACTION,
    AFTER,
    ASKED,
    GO_TO,
    IN_HAND,
    JOINED,
    MATCHED,
    ONE,
    OPEN,
    PICK_UP,
    PROGRESS,
    SHAPE,
    SIDE_DONE,
    STRICT,
    THING_COUNT,
    THINGS,
    WHAT,
    WHAT_SET,
    any_near,
    number_of,
    part_slot,
    places_of,
)
from s2lab.envs.grid.outcomes import FAILS, GOES_ON, SUCCEEDS
from s2lab.envs.grid.physics import DONE, DROP, PICKUP, TOGGLE, front
from s2lab.envs.grid.worlds import Rules, Worlds


@inlined
def take_in_hand(worlds: Worlds, n: int) -> None:
    """Before the first action, let the agent take what it begins with.

    minigrid's PutNext...Carrying shows the thing still in its place when an episode begins.
    """
    if worlds.slots[n, IN_HAND] != 0:
        place = worlds.slots[n, IN_HAND]
        worlds.carrying[n] = worlds.cells[n, place]
        worlds.cells[n, place] = EMPTY
        worlds.slots[n, IN_HAND] = 0


@inlined
def verify(worlds: Worlds, rules: Rules, n: int, action: int, carried: int, declared: bool) -> Any:
    """The outcome of world `n` after `action`; `carried` is what the agent carried before it.

    With `declared`, a part is done when the agent says so (`done`) right after it has done it;
    saying so at any other time fails a side of one part, and so does the word that ends the first
    side a second side of one part, of which nothing can have been done yet: as in minigrid.
    """
    if action == DROP:
        _look_around(worlds, rules, n, carried)
    shape, progress = worlds.slots[n, SHAPE], worlds.slots[n, PROGRESS]
    side = 1 if shape & 3 == AFTER else 0
    if progress & SIDE_DONE:
        side = 1 - side
    says = declared and action == DONE
    # The parts that are asked, one after another: this side's, then perhaps the other side's.
    outcome, asking = GOES_ON, True
    while asking:
        held = carried if progress & ASKED else EMPTY
        joined = shape & (JOINED << side) != 0
        part = 2 * side
        last = part + 1 if joined else part
        while part <= last:
            if progress >> part & 1 == 0:
                outcome = _verify_part(worlds, rules, n, part, action, held)
                if declared:
                    done_before = progress & (MATCHED << part) != 0
                    done_now = outcome == SUCCEEDS
                    outcome = GOES_ON
                    if says:
                        outcome = SUCCEEDS if done_before else FAILS
                    elif done_now != done_before:
                        progress ^= MATCHED << part
                if outcome == SUCCEEDS:
                    progress |= 1 << part
            part += 1
        if not says:
            progress |= ASKED
        if joined:
            outcome = SUCCEEDS if progress >> 2 * side & 3 == 3 else GOES_ON
        asking = outcome == SUCCEEDS and shape & 3 != ONE and progress & SIDE_DONE == 0
        if asking:
            progress = (progress | SIDE_DONE) & ~ASKED
            side = 1 - side
    worlds.slots[n, PROGRESS] = progress
    return outcome


@pure
def _look_around(worlds: Worlds, rules: Rules, n: int, carried: int) -> None:
    """Learn where every thing is; one that was just dropped is before the agent."""
    for i in range(worlds.slots[n, THING_COUNT]):
        place = worlds.slots[n, THINGS + i]
        cell = unpack(worlds.cells[n, place])
        if place != 0 and not (cells.can_carry(cell) and number_of(cell) == i):
            worlds.slots[n, THINGS + i] = 0
    dropped = carried != EMPTY and worlds.carrying[n] == EMPTY and carried & cells.CONTAINS == 0
    if dropped and worlds.slots[n, THING_COUNT] > 0:
        worlds.slots[n, THINGS + number_of(carried)] = front(worlds, rules, n)


@inlined
def _verify_part(worlds: Worlds, rules: Rules, n: int, part: int, action: int, carried: int) -> Any:
    slot = part_slot(part)
    kind = worlds.slots[n, slot + ACTION] & 3
    strict = worlds.slots[n, slot + ACTION] & STRICT != 0
    members = worlds.slots[n, slot + WHAT_SET]
    holds = unpack(worlds.carrying[n])
    place = front(worlds, rules, n)
    if kind == GO_TO:
        return SUCCEEDS if _is_at(worlds, n, slot, place) else GOES_ON
    if kind == OPEN:
        ahead = unpack(worlds.cells[n, place])
        if action != TOGGLE or cells.type_of(ahead) != cells.DOOR:
            return GOES_ON
        if cells.state_of(ahead) == cells.OPEN and _is_at(worlds, n, slot, place):
            return SUCCEEDS
        return FAILS if strict else GOES_ON
    if action == PICKUP and holds != EMPTY:
        if kind == PICK_UP and carried == EMPTY and members >> number_of(holds) & 1:
            return SUCCEEDS
        return FAILS if strict else GOES_ON
    put_down = kind != PICK_UP and action == DROP and carried != EMPTY and holds == EMPTY
    if not put_down or members >> number_of(carried) & 1 == 0:
        return GOES_ON
    return SUCCEEDS if any_near(worlds, rules, n, place, slot) else GOES_ON


@inlined
def _is_at(worlds: Worlds, n: int, slot: int, place: int) -> Any:
    """Whether a member of the WHAT of the part at `slot` was last seen at a place."""
    members = worlds.slots[n, slot + WHAT_SET]
    first, count = places_of(worlds, n, worlds.slots[n, slot + WHAT])
    found = False
    for i in range(count):
        found |= members >> i & 1 != 0 and worlds.slots[n, first + i] == place
    return found
