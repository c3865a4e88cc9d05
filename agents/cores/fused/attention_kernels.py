"""Multi-head attention among a handful of things, forward and backward. Knows no torch, no time.

Layout: D = heads * width features, N queries, M keys, B rows: query [D, N, B], key and value
[D, M, B], weights [heads, N, M, B].
"""

from typing import Any

import numpy as np

from s2lab.agents.cores.fused.elementary import exponential, inlined, kernel


@inlined
def dots(out: Any, i: int, j: int, a: Any, b: Any, first: int, last: int) -> None:
    """out[i, j, n] = sum over features first <= d < last of a[d, i, n] * b[d, j, n]."""
    rows = out.shape[2]
    start = first + (last - first) % 4
    for n in range(rows):
        out[i, j, n] = 0
    for d in range(first, start):
        for n in range(rows):
            out[i, j, n] += a[d, i, n] * b[d, j, n]
    for d in range(start, last, 4):
        for n in range(rows):
            out[i, j, n] += (
                a[d, i, n] * b[d, j, n]
                + a[d + 1, i, n] * b[d + 1, j, n]
                + a[d + 2, i, n] * b[d + 2, j, n]
                + a[d + 3, i, n] * b[d + 3, j, n]
            )


@inlined
def mix(out: Any, d: int, i: int, weights: Any, values: Any) -> None:
    """out[d, i, n] = sum over j of weights[i, j, n] * values[d, j, n]."""
    keys, rows = weights.shape[1:]
    start = 1 + (keys - 1) % 3
    for n in range(rows):
        out[d, i, n] = weights[i, 0, n] * values[d, 0, n]
    for j in range(1, start):
        for n in range(rows):
            out[d, i, n] += weights[i, j, n] * values[d, j, n]
    for j in range(start, keys, 3):
        for n in range(rows):
            out[d, i, n] += (
                weights[i, j, n] * values[d, j, n]
                + weights[i, j + 1, n] * values[d, j + 1, n]
                + weights[i, j + 2, n] * values[d, j + 2, n]
            )


@inlined
def mix_back(out: Any, d: int, j: int, weights: Any, values: Any) -> None:
    """out[d, j, n] = sum over i of weights[i, j, n] * values[d, i, n]."""
    queries, rows = weights.shape[0], weights.shape[2]
    start = 1 + (queries - 1) % 3
    for n in range(rows):
        out[d, j, n] = weights[0, j, n] * values[d, 0, n]
    for i in range(1, start):
        for n in range(rows):
            out[d, j, n] += weights[i, j, n] * values[d, i, n]
    for i in range(start, queries, 3):
        for n in range(rows):
            out[d, j, n] += (
                weights[i, j, n] * values[d, i, n]
                + weights[i + 1, j, n] * values[d, i + 1, n]
                + weights[i + 2, j, n] * values[d, i + 2, n]
            )


@kernel
def attend(
    query: Any, key: Any, value: Any, scale: Any, writers: int, weights: Any, out: Any
) -> None:
    """Attention weights and output [D, N, B].

    With `writers` < M each query attends only to its `writers` best keys by the score summed over
    heads; of equal scores the lower key wins.
    """
    heads, queries, keys, rows = weights.shape
    width = query.shape[0] // heads
    for e in range(heads):
        for i in range(queries):
            for j in range(keys):
                dots(weights[e], i, j, query, key, e * width, (e + 1) * width)
                for n in range(rows):
                    weights[e, i, j, n] *= scale
    if writers < keys:
        exclude(weights, writers)
    softmax(weights)
    for e in range(heads):
        for d in range(e * width, (e + 1) * width):
            for i in range(queries):
                mix(out, d, i, weights[e], value)


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
        first, last = e * width, (e + 1) * width
        for i in range(queries):
            for n in range(rows):
                mean[n] = 0
            for j in range(keys):
                dots(slope, i, j, d_out, value, first, last)
                for n in range(rows):
                    mean[n] += weights[e, i, j, n] * slope[i, j, n]
            for j in range(keys):
                for n in range(rows):
                    slope[i, j, n] = weights[e, i, j, n] * (slope[i, j, n] - mean[n]) * scale
        for d in range(first, last):
            for i in range(queries):
                mix(d_query, d, i, slope, key)
        for i in range(queries):
            for j in range(keys):
                for n in range(rows):
                    slope[i, j, n] *= pass_through[j, n]
                    through[i, j, n] = weights[e, i, j, n] * pass_through[j, n]
        for d in range(first, last):
            for j in range(keys):
                mix_back(d_key, d, j, slope, query)
                mix_back(d_value, d, j, through, d_out)
