"""One step of competing LSTM modules, forward and backward, between matrix products.

The equations are those of `lstm_modules.py`. Layout: H units, K modules, B rows, M = K * B;
`active` is 1 or 0 in the precision of the rest. Knows no torch and no time.
"""

from typing import Any

from s2lab.agents.cores.fused.elementary import kernel, one_minus, sigmoid, tangent


@kernel
def compete(query: Any, key: Any, active_count: int, attention: Any, active: Any) -> None:
    """Scores, who is active, and input attention.

    Args:
        query: [d, K, B].
        key: [d, B], scaled.
        active_count: how many modules are active in each row.
        attention: [K, B], written: sigmoid of the score.
        active: [K, B], written: 1 for the active modules; of equal scores the lower module wins.
    """
    width, count, rows = query.shape
    for k in range(count):
        for n in range(rows):
            attention[k, n] = query[0, k, n] * key[0, n]
    for j in range(1, width):
        for k in range(count):
            for n in range(rows):
                attention[k, n] += query[j, k, n] * key[j, n]
    for k in range(count):
        for n in range(rows):
            active[k, n] = 0
        for rival in range(count):
            for n in range(rows):
                better = attention[rival, n] > attention[k, n]
                tied = attention[rival, n] == attention[k, n] and rival < k
                active[k, n] += better | tied
        for n in range(rows):
            active[k, n] = active[k, n] < active_count
    for k in range(count):
        for n in range(rows):
            attention[k, n] = sigmoid(attention[k, n])


@kernel
def compete_backward(
    query: Any, key: Any, attention: Any, d_attention: Any, d_query: Any, d_key: Any
) -> None:
    """Gradient of the scores. `d_attention` [K, B] is overwritten; `d_key` [d, B] is written."""
    width, count, rows = query.shape
    for k in range(count):
        for n in range(rows):
            a = attention[k, n]
            d_attention[k, n] *= a * one_minus(a)
    for j in range(width):
        for n in range(rows):
            d_key[j, n] = 0
        for k in range(count):
            for n in range(rows):
                d_query[j, k, n] = d_attention[k, n] * key[j, n]
                d_key[j, n] += d_attention[k, n] * query[j, k, n]


@kernel
def cell(
    gates: Any,
    drive: Any,
    attention: Any,
    active: Any,
    cell_before: Any,
    candidate: Any,
    squashed: Any,
    cell_after: Any,
) -> None:
    """Gates [4H, M] (i f g o) are overwritten by their values; candidate h, tanh of the candidate c
    and kept c [H, M] are written."""
    size, rows = cell_before.shape
    for j in range(size):
        for m in range(rows):
            a = attention[m]
            i = sigmoid(gates[j, m] + a * drive[j, m])
            f = sigmoid(gates[size + j, m] + a * drive[size + j, m])
            g = tangent(gates[2 * size + j, m] + a * drive[2 * size + j, m])
            o = sigmoid(gates[3 * size + j, m] + a * drive[3 * size + j, m])
            gates[j, m] = i
            gates[size + j, m] = f
            gates[2 * size + j, m] = g
            gates[3 * size + j, m] = o
            before = cell_before[j, m]
            new = f * before + i * g
            t = tangent(new)
            squashed[j, m] = t
            candidate[j, m] = o * t
            cell_after[j, m] = new if active[m] > 0 else before


@kernel
def cell_backward(
    gates: Any,
    drive: Any,
    attention: Any,
    active: Any,
    cell_before: Any,
    squashed: Any,
    d_candidate: Any,
    d_cell: Any,
    d_gates: Any,
    d_drive: Any,
    d_attention: Any,
) -> None:
    """Gradients of `cell`.

    `d_candidate` [H, M] is zero where inactive. `d_cell` [H, M] comes in for the cell after and
    goes out for the cell before: unchanged where inactive. `d_gates`, `d_drive` [4H, M] and
    `d_attention` [M] are written.
    """
    size, rows = cell_before.shape
    for j in range(size):  # several short loops: LLVM vectorises none with too many arrays
        for m in range(rows):
            o, d_h, t = gates[3 * size + j, m], d_candidate[j, m], squashed[j, m]
            d_gates[3 * size + j, m] = d_h * t * o * one_minus(o)
            d_gates[j, m] = d_h * o * one_minus(t * t)
        for m in range(rows):
            f, d_kept = gates[size + j, m], d_cell[j, m]
            d_mine = d_kept * active[m]
            d_new = d_mine + d_gates[j, m]
            d_gates[j, m] = d_new
            d_gates[size + j, m] = d_new * cell_before[j, m] * f * one_minus(f)
            d_cell[j, m] = (d_kept - d_mine) + d_new * f
        for m in range(rows):
            i, g, d_new = gates[j, m], gates[2 * size + j, m], d_gates[j, m]
            d_gates[j, m] = d_new * g * i * one_minus(i)
            d_gates[2 * size + j, m] = d_new * i * one_minus(g * g)
    for m in range(rows):
        d_attention[m] = 0
    for j in range(4 * size):
        for m in range(rows):
            d_attention[m] += d_gates[j, m] * drive[j, m]
            d_drive[j, m] = attention[m] * d_gates[j, m]


@kernel
def update(message: Any, active: Any, candidate: Any, before: Any, after: Any) -> None:
    """h' = candidate + sigmoid(gate) * tanh(content) where active, else h, all [H, M].

    `message` [2H, M] is gate then content, overwritten by sigmoid(gate) and tanh(content).
    """
    size, rows = before.shape
    for j in range(size):
        for m in range(rows):
            s, t = sigmoid(message[j, m]), tangent(message[size + j, m])
            message[j, m] = s
            message[size + j, m] = t
            after[j, m] = candidate[j, m] + s * t if active[m] > 0 else before[j, m]


@kernel
def update_backward(
    message: Any, active: Any, d_hidden: Any, d_candidate: Any, d_message: Any
) -> None:
    """`d_hidden` [H, M] comes in for h' and goes out for the h that was kept."""
    size, rows = d_hidden.shape
    for j in range(size):
        for m in range(rows):
            s, t = message[j, m], message[size + j, m]
            d = d_hidden[j, m] * active[m]
            d_hidden[j, m] -= d
            d_candidate[j, m] = d
            d_message[j, m] = d * t * s * one_minus(s)
            d_message[size + j, m] = d * s * one_minus(t * t)


@kernel
def keep(active: Any, candidate: Any, before: Any, after: Any) -> None:
    """h' without communication: the candidate where active, else h, all [H, M]."""
    size, rows = before.shape
    for j in range(size):
        for m in range(rows):
            after[j, m] = candidate[j, m] if active[m] > 0 else before[j, m]


@kernel
def keep_backward(active: Any, d_hidden: Any, d_candidate: Any) -> None:
    """Gradient of `keep`; `d_hidden` as in `update_backward`."""
    size, rows = d_hidden.shape
    for j in range(size):
        for m in range(rows):
            d = d_hidden[j, m] * active[m]
            d_hidden[j, m] -= d
            d_candidate[j, m] = d
