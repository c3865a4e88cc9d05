"""How much modules and schemata specialise, from what `core.trace` returns. Knows no core.

Usage says how often each is used, collapse how far from evenly, mutual information how much its
use tells about an event (a door opening, a key in view). After Mittal et al. 2022, "Is a modular
architecture enough?" (arXiv 2206.02713), section 4.
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


def specialisation(used: Tensor, events: Tensor | None = None) -> Specialisation:
    """Measures of who was used when.

    Args:
        used: bool [T, B, K]: a trace's "active", or `chosen(trace["schema"], J)`.
        events: bool [T, B, E]: what happened at each step.

    Raises:
        ValueError: events of other steps or rows.
    """
    if events is not None and events.shape[:2] != used.shape[:2]:
        raise ValueError(
            f"events are {list(events.shape)} and uses {list(used.shape)}; "
            "give one row of events per step and row of the trace"
        )
    flat = used.flatten(0, 1).double()  # [T * B, K]
    usage = flat.mean(0)
    information = None
    if events is not None:
        information = mutual_information(flat, events.flatten(0, 1).double())
    return Specialisation(usage, collapse(usage), information)


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
