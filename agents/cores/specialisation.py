"""How much modules and schemata specialise, from what `core.trace` returns. Knows no core.

Usage says how often each is used, collapse how far from evenly, mutual information how much its
use tells about an event (a door opening, a key in view). After Mittal et al. 2022, "Is a modular
architecture enough?" (arXiv 2206.02713), section 4.

Both use and events last for several steps, so that two that have nothing to do with each other
share information by chance, more than if steps were independent. The control keeps both as they
are and shifts one against the other in time.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Specialisation:
    """Measures over all steps and rows of a trace."""

    usage: Tensor
    """[K] share of steps at which each module is active, or each schema chosen."""
    collapse: float
    """0 when all are used alike, 1 when one does everything."""
    information: Tensor | None
    """[K, E] mutual information in bits between the use of each and each event; None without
    events."""


@dataclass(frozen=True)
class Control:
    """What use tells about events, beside what it tells about events shifted in time."""

    bits: Tensor
    """[K, E] mutual information, as in `Specialisation`."""
    by_chance: Tensor
    """[K, E] its mean over the shifts."""
    best: Tensor
    """[E] of the module that tells most."""
    best_by_chance: Tensor
    """[E] mean over the shifts of what the module that tells most under the shift tells."""
    p_value: Tensor
    """[E] share of shifts whose best tells at least as much as the best, the data counted once."""


def specialisation(used: Tensor, events: Tensor | None = None) -> Specialisation:
    """Measures of who was used when.

    Args:
        used: bool [T, B, K]: a trace's "active", or `chosen(trace["schema"], J)`.
        events: bool [T, B, E]: what happened at each step.

    Raises:
        ValueError: events of other steps or rows.
    """
    if events is not None:
        _check(used, events, 1)
    flat = used.flatten(0, 1).double()  # [T * B, K]
    usage = flat.mean(0)
    information = None
    if events is not None:
        information = mutual_information(flat, events.flatten(0, 1).double())
    return Specialisation(usage, collapse(usage), information)


def beside_chance(
    used: Tensor,
    events: Tensor,
    generator: torch.Generator,
    *,
    shifts: int = 200,
    rows_per_world: int = 1,
) -> Control:
    """Mutual information beside that under circular shifts of the events against the use.

    A shift moves the events of every world by a number of steps of its own, between a tenth and
    nine tenths of T, so that each keeps its own rhythm and frequency.

    Args:
        used: bool [T, B * R, K], R rows for each world, row after row within a world.
        events: bool [T, B, E].
        generator: draws the shifts.
        shifts: how many.
        rows_per_world: R, 1 for modules, the number of object files for schemata.

    Raises:
        ValueError: events of other steps or rows, or fewer than ten steps.
    """
    _check(used, events, rows_per_world)
    steps, worlds = events.shape[:2]
    if steps < 10:
        raise ValueError(f"a trace of {steps} steps is too short to shift; give ten or more")
    flat = used.flatten(0, 1).double()

    def bits(of: Tensor) -> Tensor:  # bool [T, B, E] -> [K, E]
        rows = of.repeat_interleave(rows_per_world, 1)
        return mutual_information(flat, rows.flatten(0, 1).double())

    found, least = bits(events), max(1, steps // 10)
    total, best_total = torch.zeros_like(found), found.new_zeros(events.shape[2])
    reached = torch.ones_like(best_total)
    time = torch.arange(steps)[:, None]  # [T, 1]
    for _ in range(shifts):
        moved = torch.randint(least, steps - least + 1, (worlds,), generator=generator)
        index = (time + moved) % steps  # [T, B]
        chance = bits(events.gather(0, index[:, :, None].expand_as(events)))
        total += chance
        best = chance.max(0).values
        best_total += best
        reached += best >= found.max(0).values - 1e-12
    return Control(
        found, total / shifts, found.max(0).values, best_total / shifts, reached / (shifts + 1)
    )


def _check(used: Tensor, events: Tensor, rows_per_world: int) -> None:
    if (used.shape[0], used.shape[1]) != (events.shape[0], events.shape[1] * rows_per_world):
        raise ValueError(
            f"events are {list(events.shape)} and uses {list(used.shape)}; "
            "give one row of events per step and row of the trace"
        )


def chosen(schema: Tensor, count: int) -> Tensor:
    """A trace's "schema" [T, B, K] as use: bool [T, B * K, J], one row per object file."""
    return torch.nn.functional.one_hot(schema.flatten(1), count).bool()


def collapse(usage: Tensor) -> float:
    """1 - entropy of the shares of use / log K; 0 for a single module."""
    if len(usage) == 1 or usage.sum() == 0:
        return 0.0
    share = usage / usage.sum()
    entropy = -torch.special.xlogy(share, share).sum()
    return float(1 - entropy / torch.log(torch.tensor(float(len(usage)))))


def mutual_information(used: Tensor, events: Tensor) -> Tensor:
    """[N, K] and [N, E] of 0 and 1 -> [K, E] plug-in estimates in bits."""
    total = torch.zeros(used.shape[1], events.shape[1], dtype=used.dtype)
    for u in (used, 1 - used):
        for e in (events, 1 - events):
            joint = u.t() @ e / len(used)  # [K, E]
            apart = u.mean(0)[:, None] * e.mean(0)[None]
            total += torch.where(joint > 0, joint * torch.log2(joint / apart), 0)
    return total
