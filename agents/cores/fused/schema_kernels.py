"""One step of object files that choose among schemata, forward and backward.

The equations are those of `schemata.py`. Layout: J schemata, H units, K files, B rows, M = K * B;
what a schema proposes for a file is [J, H, M]. Knows no torch and no time.
"""

from typing import Any

from s2lab.agents.cores.fused.elementary import exponential, kernel, one_minus, sigmoid, tangent


@kernel
def propose(own: Any, drive: Any, attention: Any, hidden: Any, new: Any, candidates: Any) -> None:
    """Every schema's GRU for every file.

    Args:
        own: [J, 3H, M], products of the hidden state: r, z, n; r and z are overwritten by their
            values, n is kept.
        drive: [J, 3H, B], products of the input, the same for all files.
        attention: [K, B].
        hidden: [H, M].
        new: [J, H, M], written: tanh(...).
        candidates: [J, H, M], written: (1 - z) * new + z * hidden.
    """
    schemata, size = new.shape[:2]
    files, rows = attention.shape
    own_of = own.reshape((schemata, 3 * size, files, rows))
    new_of = new.reshape((schemata, size, files, rows))
    for s in range(schemata):
        for j in range(size):
            for k in range(files):
                for n in range(rows):  # short loops: LLVM vectorises none with too many arrays
                    driven = attention[k, n] * drive[s, j, n]
                    own_of[s, j, k, n] = sigmoid(own_of[s, j, k, n] + driven)
                for n in range(rows):
                    driven = attention[k, n] * drive[s, size + j, n]
                    own_of[s, size + j, k, n] = sigmoid(own_of[s, size + j, k, n] + driven)
                for n in range(rows):
                    recalled = own_of[s, j, k, n] * own_of[s, 2 * size + j, k, n]
                    driven = attention[k, n] * drive[s, 2 * size + j, n]
                    new_of[s, j, k, n] = tangent(driven + recalled)
            for m in range(files * rows):
                z = own[s, size + j, m]
                candidates[s, j, m] = one_minus(z) * new[s, j, m] + z * hidden[j, m]


@kernel
def choose(
    read: Any,
    write: Any,
    noise: Any,
    temperature: Any,
    candidates: Any,
    soft: Any,
    hard: Any,
    chosen: Any,
) -> None:
    """Pick one schema per file; of equal scores the lower schema wins.

    Args:
        read: [C, M].
        write: [J, C, M].
        noise: [J, M], added to the logits.
        temperature: of the softmax, in the arrays' precision.
        candidates: [J, H, M].
        soft, hard: [J, M], written: softmax(logits / temperature) and the one-hot choice.
        chosen: [H, M], written.
    """
    schemata, width, count = write.shape
    size = chosen.shape[0]
    for s in range(schemata):
        for m in range(count):
            soft[s, m] = noise[s, m]
        for c in range(width):
            for m in range(count):
                soft[s, m] += read[c, m] * write[s, c, m]
    for s in range(schemata):
        for m in range(count):
            hard[s, m] = 0
        for rival in range(schemata):
            for m in range(count):
                above = soft[rival, m] > soft[s, m]
                tied = soft[rival, m] == soft[s, m] and rival < s
                hard[s, m] += above | tied
        for m in range(count):
            hard[s, m] = hard[s, m] < 1
    for m in range(count):
        top, total = soft[0, m], soft[0, m] - soft[0, m]
        for s in range(1, schemata):
            top = max(top, soft[s, m])
        for s in range(schemata):
            soft[s, m] = exponential((soft[s, m] - top) / temperature)
            total += soft[s, m]
        for s in range(schemata):
            soft[s, m] /= total
    for j in range(size):
        for m in range(count):
            chosen[j, m] = hard[0, m] * candidates[0, j, m]
        for s in range(1, schemata):
            for m in range(count):
                chosen[j, m] += hard[s, m] * candidates[s, j, m]


@kernel
def choose_backward(
    read: Any,
    write: Any,
    temperature: Any,
    candidates: Any,
    soft: Any,
    d_chosen: Any,
    d_logits: Any,
    d_read: Any,
    d_write: Any,
) -> None:
    """Straight through: `d_logits` [J, M], `d_read` [C, M], `d_write` [J, C, M] are written."""
    schemata, width, count = write.shape
    size = d_chosen.shape[0]
    for s in range(schemata):
        for m in range(count):
            d_logits[s, m] = 0
        for j in range(size):
            for m in range(count):
                d_logits[s, m] += d_chosen[j, m] * candidates[s, j, m]
    for m in range(count):
        mean = soft[0, m] * d_logits[0, m]
        for s in range(1, schemata):
            mean += soft[s, m] * d_logits[s, m]
        for s in range(schemata):
            d_logits[s, m] = soft[s, m] * (d_logits[s, m] - mean) / temperature
    for c in range(width):
        for m in range(count):
            d_read[c, m] = 0
        for s in range(schemata):
            for m in range(count):
                d_read[c, m] += d_logits[s, m] * write[s, c, m]
                d_write[s, c, m] = d_logits[s, m] * read[c, m]


@kernel
def propose_backward(
    own: Any,
    drive: Any,
    attention: Any,
    hidden: Any,
    new: Any,
    hard: Any,
    d_chosen: Any,
    d_candidates: Any,
    d_hidden: Any,
    d_own: Any,
    d_drive: Any,
    d_attention: Any,
) -> None:
    """Gradients of `propose`.

    `d_candidates` [J, H, M] holds what came through the logits; the chosen schema's share of
    `d_chosen` [H, M] is added here. Adds to `d_hidden` [H, M]; writes `d_own` [J, 3H, M],
    `d_drive` [J, 3H, B] and `d_attention` [K, B].
    """
    schemata, size = new.shape[:2]
    files, rows = attention.shape
    own_of = own.reshape((schemata, 3 * size, files, rows))
    d_own_of = d_own.reshape((schemata, 3 * size, files, rows))
    for k in range(files):
        for n in range(rows):
            d_attention[k, n] = 0
    for s in range(schemata):
        for j in range(size):
            for n in range(rows):
                d_drive[s, j, n] = 0
                d_drive[s, size + j, n] = 0
                d_drive[s, 2 * size + j, n] = 0
            for m in range(files * rows):
                d_candidates[s, j, m] += hard[s, m] * d_chosen[j, m]
            for m in range(files * rows):
                d, z = d_candidates[s, j, m], own[s, size + j, m]
                d_hidden[j, m] += d * z
                d_own[s, size + j, m] = d * (hidden[j, m] - new[s, j, m]) * z * one_minus(z)
            for m in range(files * rows):
                d, z, t = d_candidates[s, j, m], own[s, size + j, m], new[s, j, m]
                d_own[s, 2 * size + j, m] = d * one_minus(z) * one_minus(t * t)
            for m in range(files * rows):
                r, d_new = own[s, j, m], d_own[s, 2 * size + j, m]
                d_own[s, j, m] = d_new * own[s, 2 * size + j, m] * r * one_minus(r)
            for k in range(files):
                for n in range(rows):
                    d_new = d_own_of[s, 2 * size + j, k, n]
                    d_drive[s, 2 * size + j, n] += attention[k, n] * d_new
                    d_attention[k, n] += d_new * drive[s, 2 * size + j, n]
                for n in range(rows):
                    d_own_of[s, 2 * size + j, k, n] *= own_of[s, j, k, n]
                for n in range(rows):
                    d_r = d_own_of[s, j, k, n]
                    d_drive[s, j, n] += attention[k, n] * d_r
                    d_attention[k, n] += d_r * drive[s, j, n]
                for n in range(rows):
                    d_z = d_own_of[s, size + j, k, n]
                    d_drive[s, size + j, n] += attention[k, n] * d_z
                    d_attention[k, n] += d_z * drive[s, size + j, n]
