"""The elementwise parts of a shared workspace's write, forward and backward.

The equations are those of `shared_workspace.py`. Layout: D features, M = slots * B columns; K
modules, B rows, S slots. Knows no torch and no time.
"""

from math import sqrt
from typing import Any

import numpy as np

from s2lab.agents.cores.fused.elementary import kernel, one_minus, sigmoid, tangent


@kernel
def normalise(
    a: Any, b: Any, rectify: bool, weight: Any, bias: Any, scaled: Any, spread: Any, out: Any
) -> None:
    """Layer norm over features of a + b, or of a + relu(b).

    Args:
        a, b: [D, M].
        weight, bias: [D].
        scaled: [D, M], written: the normalised sum before weight and bias.
        spread: [M], written: 1 / standard deviation.
        out: [D, M], written.
    """
    size, columns = a.shape
    mean = np.zeros(columns, a.dtype)
    for m in range(columns):
        spread[m] = 0
    for j in range(size):
        if rectify:
            for m in range(columns):
                scaled[j, m] = a[j, m] + (b[j, m] if b[j, m] > 0 else b[j, m] - b[j, m])
        else:
            for m in range(columns):
                scaled[j, m] = a[j, m] + b[j, m]
        for m in range(columns):
            mean[m] += scaled[j, m]
    for m in range(columns):
        mean[m] /= size
    for j in range(size):
        for m in range(columns):
            scaled[j, m] -= mean[m]
            spread[m] += scaled[j, m] * scaled[j, m]
    for m in range(columns):
        spread[m] = 1 / sqrt(spread[m] / size + 1e-5)
    for j in range(size):
        w, c = weight[j], bias[j]
        for m in range(columns):
            scaled[j, m] *= spread[m]
            out[j, m] = scaled[j, m] * w + c


@kernel
def normalise_backward(
    d_out: Any, weight: Any, scaled: Any, spread: Any, d_sum: Any, d_weight: Any, d_bias: Any
) -> None:
    """Gradient of the sum [D, M], written; adds to `d_weight` and `d_bias` [D, M], summed later."""
    size, columns = d_out.shape
    mean, along = np.zeros(columns, d_out.dtype), np.zeros(columns, d_out.dtype)
    for j in range(size):
        w = weight[j]
        for m in range(columns):
            d_weight[j, m] += d_out[j, m] * scaled[j, m]
            d_bias[j, m] += d_out[j, m]
        for m in range(columns):
            d = d_out[j, m] * w
            mean[m] += d
            along[m] += d * scaled[j, m]
    for m in range(columns):
        mean[m] /= size
        along[m] /= size
    for j in range(size):
        w = weight[j]
        for m in range(columns):
            d_sum[j, m] = spread[m] * (d_out[j, m] * w - mean[m] - scaled[j, m] * along[m])


@kernel
def summarise(hidden: Any, summary: Any) -> None:
    """summary [H, B] = mean over modules of relu(hidden [H, K, B])."""
    size, count, rows = hidden.shape
    for j in range(size):
        for n in range(rows):
            summary[j, n] = 0
        for k in range(count):
            for n in range(rows):
                h = hidden[j, k, n]
                summary[j, n] += h if h > 0 else h - h
        for n in range(rows):
            summary[j, n] /= count


@kernel
def summarise_backward(d_summary: Any, hidden: Any, active: Any, d_hidden: Any) -> None:
    """Adds to `d_hidden` [H, K, B] of the active modules."""
    size, count, rows = hidden.shape
    for j in range(size):
        for n in range(rows):
            d_summary[j, n] /= count
        for k in range(count):
            for n in range(rows):
                d = d_summary[j, n] * active[k, n]
                d_hidden[j, k, n] += d if hidden[j, k, n] > 0 else d - d


@kernel
def squash(memory: Any, out: Any) -> None:
    """out = tanh(memory), [D, M]."""
    size, columns = memory.shape
    for j in range(size):
        for m in range(columns):
            out[j, m] = tangent(memory[j, m])


@kernel
def renew(gates: Any, driven: Any, proposal: Any, memory: Any, squashed: Any, new: Any) -> None:
    """M' = sigmoid(i) * tanh(proposal) + sigmoid(f) * M.

    `gates` [2D, S, B] holds the products of tanh(M) and is overwritten by the gates' values;
    `driven` [2D, B]; the others [D, S, B]; `squashed` is written: tanh(proposal).
    """
    size, slots, rows = memory.shape
    for j in range(2 * size):
        for s in range(slots):
            for n in range(rows):
                gates[j, s, n] = sigmoid(gates[j, s, n] + driven[j, n])
    for j in range(size):
        for s in range(slots):
            for n in range(rows):
                t = tangent(proposal[j, s, n])
                squashed[j, s, n] = t
                new[j, s, n] = gates[j, s, n] * t + gates[size + j, s, n] * memory[j, s, n]


@kernel
def renew_backward(
    gates: Any, memory: Any, squashed: Any, d_new: Any, d_gates: Any, d_driven: Any, d_proposal: Any
) -> None:
    """`d_new` [D, S, B] comes in for M' and goes out for M (through the kept share only)."""
    size, slots, rows = memory.shape
    for j in range(size):
        for s in range(slots):
            for n in range(rows):
                d, i, t = d_new[j, s, n], gates[j, s, n], squashed[j, s, n]
                d_gates[j, s, n] = d * t * i * one_minus(i)
                d_proposal[j, s, n] = d * i * one_minus(t * t)
            for n in range(rows):
                d, f = d_new[j, s, n], gates[size + j, s, n]
                d_gates[size + j, s, n] = d * memory[j, s, n] * f * one_minus(f)
                d_new[j, s, n] = d * f
    for j in range(2 * size):
        for n in range(rows):
            d_driven[j, n] = 0
        for s in range(slots):
            for n in range(rows):
                d_driven[j, n] += d_gates[j, s, n]


@kernel
def rectify(values: Any) -> None:
    """values = relu(values), [D, M]."""
    for j in range(len(values)):
        for m in range(values.shape[1]):
            v = values[j, m]
            values[j, m] = v if v > 0 else v - v


@kernel
def rectify_backward(d_sum: Any, before: Any, out: Any) -> None:
    """out = d_sum where before > 0, else 0, [D, M]."""
    size, columns = d_sum.shape
    for j in range(size):
        for m in range(columns):
            out[j, m] = d_sum[j, m] if before[j, m] > 0 else d_sum[j, m] - d_sum[j, m]


@kernel
def squash_backward(d_squashed: Any, squashed: Any, d_memory: Any) -> None:
    """d_memory += d_squashed * (1 - squashed^2), [D, M]."""
    size, columns = d_memory.shape
    for j in range(size):
        for m in range(columns):
            t = squashed[j, m]
            d_memory[j, m] += d_squashed[j, m] * one_minus(t * t)


@kernel
def add(total: Any, more: Any) -> None:
    """total += more, [D, M]."""
    for j in range(len(total)):
        for m in range(total.shape[1]):
            total[j, m] += more[j, m]
