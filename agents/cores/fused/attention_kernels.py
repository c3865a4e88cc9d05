"""Multi-head attention among a handful of things, forward and backward. Knows no torch, no time.

Layout: D = heads * width features, N queries, M keys, B rows: query [D, N, B], key and value
[D, M, B], weights [heads, N, M, B]; B is a multiple of a vector's width.
"""

from typing import Any

import numpy as np

from s2lab.agents.cores.fused.elementary import borrowing, exponential, kernel
from s2lab.agents.cores.fused.tiles import VECTOR_BYTES, contract_of

contract8, contract4, contract2, contract1 = (contract_of(rows) for rows in (8, 4, 2, 1))


@borrowing
def contract(
    count: int,
    columns: int,
    out: Any,
    at: int,
    out_row: int,
    left: Any,
    left_at: int,
    left_step: int,
    right: Any,
    right_at: int,
    right_row: int,
    right_step: int,
    depth: int,
    scale: Any,
) -> None:
    """out[r, n] = scale * sum over d of left[d, n] * right[r, d, n], r < count, n < columns.

    Flat arrays; each of the three begins at a place of its own and has its own strides.
    """
    lanes = VECTOR_BYTES // out.itemsize
    for n in range(0, columns, lanes):
        more = (left, left_at + n, left_step, right)
        r = 0
        while r < count:
            there, here = at + n + r * out_row, right_at + n + r * right_row
            rest = (here, right_row, right_step, depth, scale)
            if r + 8 <= count:
                contract8(out, there, out_row, *more, *rest)
                r += 8
            elif r + 4 <= count:
                contract4(out, there, out_row, *more, *rest)
                r += 4
            elif r + 2 <= count:
                contract2(out, there, out_row, *more, *rest)
                r += 2
            else:
                contract1(out, there, out_row, *more, *rest)
                r += 1


@borrowing
def scores(a: Any, b: Any, e: int, width: int, scale: Any, out: Any) -> None:
    """out [N, M, B] = scale * sum over the features of head e of a [D, N, B] * b [D, M, B]."""
    queries, keys, rows = out.shape
    flat, a_flat, b_flat = out.reshape(-1), a.reshape(-1), b.reshape(-1)
    a_step, b_step, first = queries * rows, keys * rows, e * width
    for i in range(queries):
        contract(
            *(keys, rows, flat, i * b_step, rows, a_flat, first * a_step + i * rows, a_step),
            *(b_flat, first * b_step, rows, b_step, width, scale),
        )


@borrowing
def mix(weights: Any, values: Any, e: int, width: int, out: Any) -> None:
    """out[d, i] = sum over j of weights[i, j] * values[d, j] for the features d of head e."""
    queries, keys, rows = weights.shape
    flat, w_flat, v_flat = out.reshape(-1), weights.reshape(-1), values.reshape(-1)
    out_row, row, first = queries * rows, keys * rows, e * width
    for i in range(queries):
        contract(
            *(width, rows, flat, first * out_row + i * rows, out_row, w_flat, i * row, rows),
            *(v_flat, first * row, row, rows, keys, weights.dtype.type(1)),
        )


@borrowing
def mix_back(weights: Any, values: Any, e: int, width: int, out: Any) -> None:
    """out[d, j] = sum over i of weights[i, j] * values[d, i] for the features d of head e."""
    queries, keys, rows = weights.shape
    flat, w_flat, v_flat = out.reshape(-1), weights.reshape(-1), values.reshape(-1)
    out_row, row, first = keys * rows, queries * rows, e * width
    for j in range(keys):
        contract(
            *(width, rows, flat, first * out_row + j * rows, out_row, w_flat, j * rows, out_row),
            *(v_flat, first * row, row, rows, queries, weights.dtype.type(1)),
        )


@kernel
def attend(
    query: Any, key: Any, value: Any, scale: Any, writers: int, weights: Any, out: Any
) -> None:
    """Attention weights and output [D, N, B].

    With `writers` < M each query attends only to its `writers` best keys by the score summed over
    heads; of equal scores the lower key wins.
    """
    heads, _, keys, _ = weights.shape
    width = query.shape[0] // heads
    for e in range(heads):
        scores(query, key, e, width, scale, weights[e])
    if writers < keys:
        exclude(weights, writers)
    softmax(weights)
    for e in range(heads):
        mix(weights[e], value, e, width, out)


@kernel
def exclude(scores: Any, writers: int) -> None:
    """Set the scores of all but the `writers` best keys of each query to minus infinity."""
    heads, queries, keys, rows = scores.shape
    total = np.zeros((keys, rows), scores.dtype)
    better = np.zeros((keys, rows), scores.dtype)
    for i in range(queries):
        total[:] = 0
        better[:] = 0
        for e in range(heads):
            for j in range(keys):
                for n in range(rows):
                    total[j, n] += scores[e, i, j, n]
        for j in range(keys):
            for rival in range(keys):
                for n in range(rows):
                    above = total[rival, n] > total[j, n]
                    tied = total[rival, n] == total[j, n] and rival < j
                    better[j, n] += above | tied
        for e in range(heads):
            for j in range(keys):
                for n in range(rows):
                    if better[j, n] >= writers:
                        scores[e, i, j, n] = -np.inf


@kernel
def softmax(scores: Any) -> None:
    """Softmax over keys in place; a score of minus infinity becomes exactly zero."""
    heads, queries, keys, rows = scores.shape
    top = np.empty(rows, scores.dtype)
    total = np.empty(rows, scores.dtype)
    for e in range(heads):
        for i in range(queries):
            for n in range(rows):
                top[n] = scores[e, i, 0, n]
                total[n] = 0
            for j in range(1, keys):
                for n in range(rows):
                    top[n] = max(top[n], scores[e, i, j, n])
            for j in range(keys):
                for n in range(rows):
                    score = scores[e, i, j, n]
                    power = exponential(score - top[n])
                    power = power if score > -np.inf else power - power
                    scores[e, i, j, n] = power
                    total[n] += power
            for j in range(keys):
                for n in range(rows):
                    scores[e, i, j, n] /= total[n]


@kernel
def attend_backward(
    query: Any,
    key: Any,
    value: Any,
    scale: Any,
    weights: Any,
    pass_through: Any,
    d_out: Any,
    d_query: Any,
    d_key: Any,
    d_value: Any,
) -> None:
    """Gradients of `attend`, written; those of keys and values times `pass_through` [M, B]."""
    heads, queries, keys, rows = weights.shape
    width = query.shape[0] // heads
    slope = np.empty((queries, keys, rows), query.dtype)
    through = np.empty((queries, keys, rows), query.dtype)
    mean = np.empty(rows, query.dtype)
    for e in range(heads):
        scores(d_out, value, e, width, query.dtype.type(1), slope)
        for i in range(queries):
            for n in range(rows):
                mean[n] = 0
            for j in range(keys):
                for n in range(rows):
                    mean[n] += weights[e, i, j, n] * slope[i, j, n]
            for j in range(keys):
                for n in range(rows):
                    slope[i, j, n] = weights[e, i, j, n] * (slope[i, j, n] - mean[n]) * scale
        mix(slope, key, e, width, d_query)
        for i in range(queries):
            for j in range(keys):
                for n in range(rows):
                    slope[i, j, n] *= pass_through[j, n]
                    through[i, j, n] = weights[e, i, j, n] * pass_through[j, n]
        mix_back(slope, query, e, width, d_key)
        mix_back(through, d_out, e, width, d_value)
