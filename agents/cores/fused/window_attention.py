"""Attention of T steps to what a window of the past shows them, as one autograd node, CPU only.

    weights = softmax over j of  query_i . key_j / sqrt(width) + bias[distance from j to i]

Layout: D = heads * width features, T queries, P + T keys (what is remembered, then the steps
themselves), B rows; the innermost loop runs over a contiguous batch. Step i stands at place P + i;
a key is seen from its own place on, at most M places later, and by a row only from `start` on.
Knows no layer and no episode.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from s2lab.agents.cores.fused.attention_kernels import contract
from s2lab.agents.cores.fused.elementary import exponential, kernel
from s2lab.agents.cores.fused.sequence import padded, with_rows


class Window(NamedTuple):
    """Who sees whom."""

    start: np.ndarray
    """int32 [T, B], the first place that a row sees at each step."""
    low: np.ndarray
    """[T], the first place that any row sees: the lowest start, or M before the step."""
    high: np.ndarray
    """[P + T], the last step at which any row sees this place."""


def window_of(start: np.ndarray, past: int, memory: int) -> Window:
    """From the rows' starts [T, B], which never fall with time."""
    own = past + np.arange(len(start))  # [T] places of the steps
    low = np.maximum(own - memory, start.min(1))
    high = np.searchsorted(low, np.arange(past + len(start)), side="right") - 1
    return Window(start.astype(np.int32), low, high)


@kernel
def settle(scores: Any, bias: Any, start: Any, first: int) -> None:
    """Softmax over keys in place, scores [keys, B]; key 0 is at place `first`.

    `bias` [keys] is in the order of distance, so its last belongs to key 0.
    """
    keys, rows = scores.shape
    hidden = scores.dtype.type(-np.inf)
    top, total = np.empty(rows, scores.dtype), np.empty(rows, scores.dtype)
    for n in range(rows):
        top[n] = hidden
        total[n] = 0
    for j in range(keys):
        b = bias[keys - 1 - j]
        for n in range(rows):
            score = scores[j, n] + b
            score = score if first + j >= start[n] else hidden
            scores[j, n] = score
            top[n] = max(top[n], score)
    for j in range(keys):
        for n in range(rows):
            score = scores[j, n]
            power = exponential(score - top[n])
            power = power if score > hidden else power - power
            scores[j, n] = power
            total[n] += power
    for n in range(rows):
        total[n] = 1 / total[n]
    for j in range(keys):
        for n in range(rows):
            scores[j, n] *= total[n]


@kernel
def forward(
    query: Any, key: Any, value: Any, bias: Any, window: Any, scale: Any, weights: Any, out: Any
) -> None:
    """query and out [D, T, B], key and value [D, P + T, B], bias [heads, M + 1]; weights
    [heads, T, P + T, B] are written where a key is seen."""
    heads, steps, places, rows = weights.shape
    width, past = len(query) // heads, places - steps
    q, k, v, w, o = (
        query.reshape(-1),
        key.reshape(-1),
        value.reshape(-1),
        weights.reshape(-1),
        out.reshape(-1),
    )
    for e in range(heads):
        for i in range(steps):
            first = window.low[i]
            count = past + i + 1 - first
            mine, theirs = (e * width * steps + i) * rows, (e * width * places + first) * rows
            here = ((e * steps + i) * places + first) * rows
            contract(
                *(count, rows, w, here, rows, q, mine, steps * rows),
                *(k, theirs, rows, places * rows, width, scale),
            )
            settle(weights[e, i, first : first + count], bias[e], window.start[i], first)
            contract(
                *(width, rows, o, mine, steps * rows, w, here, rows),
                *(v, theirs, places * rows, rows, count, query.dtype.type(1)),
            )


@kernel
def settle_backward(weights: Any, slope: Any, scale: Any, d_bias: Any) -> None:
    """slope [keys, B] comes in for the weights and goes out for the products, scale included;
    adds to `d_bias` [keys], in the order of distance."""
    keys, rows = weights.shape
    mean = np.zeros(rows, weights.dtype)
    for j in range(keys):
        for n in range(rows):
            mean[n] += weights[j, n] * slope[j, n]
    for j in range(keys):
        total = slope[j, 0] - slope[j, 0]
        for n in range(rows):
            d = weights[j, n] * (slope[j, n] - mean[n])
            total += d
            slope[j, n] = d * scale
        d_bias[keys - 1 - j] += total


@kernel
def backward(
    query: Any,
    key: Any,
    value: Any,
    window: Any,
    scale: Any,
    weights: Any,
    d_out: Any,
    slope: Any,
    d_query: Any,
    d_key: Any,
    d_value: Any,
    d_bias: Any,
) -> None:
    """Gradients of `forward`, written; that of the bias is added to. `slope` [T, P + T, B]."""
    heads, steps, places, rows = weights.shape
    width, past, one = len(query) // heads, places - steps, query.dtype.type(1)
    q, k, v, w, g = (
        query.reshape(-1),
        key.reshape(-1),
        value.reshape(-1),
        weights.reshape(-1),
        d_out.reshape(-1),
    )
    s, d_q, d_k, d_v = (
        slope.reshape(-1),
        d_query.reshape(-1),
        d_key.reshape(-1),
        d_value.reshape(-1),
    )
    own, row = steps * rows, places * rows  # from feature to feature
    for e in range(heads):
        for i in range(steps):
            first = window.low[i]
            count = past + i + 1 - first
            mine, theirs = (e * width * steps + i) * rows, (e * width * places + first) * rows
            here = (i * places + first) * rows
            contract(*(count, rows, s, here, rows, g, mine, own, v, theirs, rows, row, width, one))
            settle_backward(
                weights[e, i, first : first + count],
                slope[i, first : first + count],
                scale,
                d_bias[e],
            )
            contract(
                *(width, rows, d_q, mine, own, s, here, rows, k, theirs, row, rows, count, one)
            )
        for j in range(places):
            first = max(0, j - past)
            count = window.high[j] + 1 - first
            mine, theirs = (e * width * places + j) * rows, (e * width * steps + first) * rows
            here = (first * places + j) * rows
            contract(*(width, rows, d_k, mine, row, s, here, row, q, theirs, own, rows, count, one))
            here += e * steps * row
            contract(*(width, rows, d_v, mine, row, w, here, row, g, theirs, own, rows, count, one))


class WindowAttention(torch.autograd.Function):
    """query [D, T, B], key | value [2D, P + T, B], bias [heads, M + 1] -> [D, T, B].

    `start` int64 [T, B]: the first place that a row sees at each step; its own place at most.
    """

    @staticmethod
    def forward(ctx: Any, start: Tensor, query: Tensor, key_value: Tensor, bias: Tensor) -> Any:
        ctx.save_for_backward(query, key_value, bias)
        (size, steps, batch), places = query.shape, key_value.shape[1]
        heads, reach = bias.shape
        rows = padded(batch, query.dtype.itemsize)
        asked, both = (
            with_rows(part.detach().contiguous().numpy(), rows, 2) for part in (query, key_value)
        )
        kind = asked.dtype
        starts = np.pad(start.numpy(), ((0, 0), (0, rows - batch)), mode="edge")
        window = window_of(starts, places - steps, reach - 1)
        weights = np.empty((heads, steps, places, rows), kind)
        out = np.empty((size, steps, rows), kind)
        clock = (asked, both[:size], both[size:])
        scale = kind.type((size // heads) ** -0.5)
        forward(*clock, bias.detach().contiguous().numpy(), window, scale, weights, out)
        ctx.clock, ctx.window, ctx.scale, ctx.weights = clock, window, scale, weights
        return torch.from_numpy(out[:, :, :batch])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> Any:
        *_, bias = ctx.saved_tensors  # complains where weights have changed since
        (asked, key, value), weights = ctx.clock, ctx.weights
        rows, batch = asked.shape[2], d_out.shape[2]
        arriving = with_rows(d_out.contiguous().numpy(), rows, 2)
        d_query, d_bias = np.empty_like(asked), np.zeros(bias.shape, asked.dtype)
        d_both = np.empty((2 * len(key), *key.shape[1:]), asked.dtype)
        backward(
            *(asked, key, value, ctx.window, ctx.scale, weights, arriving),
            *(np.empty(weights.shape[1:], asked.dtype), d_query, d_both[: len(key)]),
            *(d_both[len(key) :], d_bias),
        )
        found = (torch.from_numpy(part[:, :, :batch]) for part in (d_query, d_both))
        return None, *found, torch.from_numpy(d_bias)
