"""What a batch shows several times is read once. Knows no network and no time.

Of seven actions of a gridworld three move, and a view stays as it is after most of the others: of
512 frames of DoorKey early in training a third are distinct. A function of single rows gives equal
rows for equal rows, and the gradient of a repeated row is the sum over its repetitions, so nothing
changes but the order of summation.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2lab.agents.cores.contract import use_fused
from s2lab.agents.cores.fused.elementary import kernel
from s2lab.agents.encoders.field import Observation
from s2lab.agents.hashing import hashed, packed

FEWEST = 128  # rows of a batch for which looking pays
MOST = 0.75  # of the rows: with more distinct ones, putting them in place costs what it saves


def each_once(
    read: Callable[[Observation], tuple[Tensor, ...]],
    shown: Observation,
    names: Iterable[str],
    like: Tensor,
) -> tuple[Tensor, ...]:
    """`read(shown)`, every distinct row read once where that pays.

    Args:
        read: fields [N, ...] -> tensors [N, ...], row by row
        shown: fields [N, ...]
        names: of the fields that `read` reads
        like: a weight of `read`; on the CPU in full precision, uncompiled, repetitions are used
    """
    if len(like) and use_fused("auto", like):
        rows, places = first_of_each([shown[name] for name in names])
        if len(rows) < len(places):
            index = torch.from_numpy(rows)
            parts = read({name: field.index_select(0, index) for name, field in shown.items()})
            return tuple(_Placed.apply(part, places) for part in parts)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return read(shown)


def first_of_each(fields: list[Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Where each distinct row stands first, by its bytes.

    Args:
        fields: tensors [N, ...] on the CPU

    Returns:
        rows: int64 [n], ascending
        places: int64 [N], which of them equals each row; all N rows where N is below FEWEST, or n
            above MOST of it
    """
    count = len(fields[0])
    everything = np.arange(count)
    if count < FEWEST:
        return everything, everything
    rows, places, found = everything.copy(), np.empty_like(everything), np.zeros(1, np.int64)
    slots = np.full(1 << (2 * count - 1).bit_length(), -1)
    number_rows(packed(fields), slots, rows, places, found)
    if found[0] > MOST * count:
        return everything, everything
    return rows[: found[0]], places


class _Placed(torch.autograd.Function):
    """values [n, ...], places int64 [N] -> values[places] [N, ...]."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, places: np.ndarray) -> Tensor:
        ctx.places, ctx.shape = places, values.shape
        return values.index_select(0, torch.from_numpy(places))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        total = slope.new_zeros(ctx.shape)
        count, rows = len(ctx.places), len(total)
        flat = slope.reshape(count, -1)  # [N, F]
        add_rows(flat.numpy(), ctx.places, total.view(rows, -1).numpy())
        return total, None


@kernel
def number_rows(words: Any, slots: Any, rows: Any, places: Any, found: Any) -> None:
    """Number distinct rows in the order in which they appear.

    Args:
        words: uint64 [N, W].
        slots: int64, a power of two above N of them, all -1: a hash table of numbers.
        rows: int64 [N]; its first entries become where each number stands first.
        places: int64 [N], written: each row's number.
        found: int64 [1], written: how many there are.
    """
    mask = np.uint64(len(slots) - 1)
    count = 0
    for i in range(words.shape[0]):
        slot = hashed(words, i) & mask
        while True:
            number = slots[slot]
            if number < 0:
                slots[slot] = number = count
                rows[count] = i
                count += 1
                break
            other, w = rows[number], 0
            while w < words.shape[1] and words[i, w] == words[other, w]:
                w += 1
            if w == words.shape[1]:
                break
            slot = (slot + np.uint64(1)) & mask
        places[i] = number
    found[0] = count


@kernel
def add_rows(values: Any, places: Any, total: Any) -> None:
    """total[places[i]] += values[i]; values [N, F], total [n, F]."""
    for i in range(values.shape[0]):
        for f in range(values.shape[1]):
            total[places[i], f] += values[i, f]
