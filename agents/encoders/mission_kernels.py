"""A GRU that reads few sentences, as one autograd node, CPU only.

    r, z = sigmoid(W_ir x + b_ir + W_hr h + b_hr), sigmoid(W_iz x + b_iz + W_hz h + b_hz)
    n    = tanh(W_in x + b_in + r * (W_hn h + b_hn))
    h'   = (1 - z) * n + z * h                                          torch.nn.GRU's equations

For a handful of sentences the calls of a general GRU cost far more than its arithmetic. Knows
nothing of words but their numbers.
"""

from typing import Any

import torch
from torch import Tensor

from s2lab.agents.cores.fused.elementary import kernel, sigmoid, tangent


class ReadSentences(torch.autograd.Function):
    """tokens int64 [M, L], lengths int64 [M], embedding [V, E], a GRU's weights -> [M, H]."""

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, lengths: Tensor, *weights: Tensor) -> Tensor:
        size = weights[2].shape[1]
        count, longest = tokens.shape
        gates = weights[0].new_empty(count, longest, 4 * size)  # r, z, n and W_hn h + b_hn
        hidden = weights[0].new_zeros(count, longest + 1, size)
        last = weights[0].new_empty(count, size)
        arrays: list[Any] = [part.detach().numpy() for part in (tokens, lengths, *weights)]
        written: list[Any] = [part.numpy() for part in (gates, hidden, last)]
        read(*(arrays + written))
        ctx.kept = arrays, gates, hidden
        return last

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> Any:
        arrays, gates, hidden = ctx.kept
        slopes = [torch.zeros(part.shape, dtype=slope.dtype) for part in arrays[2:]]
        d_hidden = slope.clone(memory_format=torch.contiguous_format)
        numbers = (gates, hidden, d_hidden, *slopes)
        read_backward(*arrays[:5], *(part.numpy() for part in numbers))
        return None, None, *slopes


@kernel
def read(
    tokens: Any, lengths: Any, embedding: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any,
    gates: Any, hidden: Any, last: Any,
) -> None:  # fmt: skip
    """gates [M, L, 4H], hidden [M, L + 1, H] and last [M, H] are written."""
    size = hidden.shape[2]
    for m in range(tokens.shape[0]):
        for t in range(lengths[m]):
            word = embedding[tokens[m, t]]
            for j in range(3 * size):
                from_word, from_state = b_ih[j], b_hh[j]
                for k in range(word.shape[0]):
                    from_word += w_ih[j, k] * word[k]
                for k in range(size):
                    from_state += w_hh[j, k] * hidden[m, t, k]
                if j < 2 * size:
                    gates[m, t, j] = sigmoid(from_word + from_state)
                else:
                    gates[m, t, j] = tangent(from_word + gates[m, t, j - 2 * size] * from_state)
                    gates[m, t, size + j] = from_state
            for j in range(size):
                z = gates[m, t, size + j]
                new = gates[m, t, 2 * size + j]
                hidden[m, t + 1, j] = new + z * (hidden[m, t, j] - new)
        for j in range(size):
            last[m, j] = hidden[m, lengths[m], j]


@kernel
def read_backward(
    tokens: Any, lengths: Any, embedding: Any, w_ih: Any, w_hh: Any,
    gates: Any, hidden: Any, d_hidden: Any,
    d_embedding: Any, d_w_ih: Any, d_w_hh: Any, d_b_ih: Any, d_b_hh: Any,
) -> None:  # fmt: skip
    """d_hidden [M, H] holds the slopes of the last states and is overwritten; others are added to.

    gates are overwritten: first [.., :3H] by the slopes of their sums with the word's, then
    [.., 3H:] by that of W_hn h + b_hn.
    """
    size = hidden.shape[2]
    for m in range(tokens.shape[0]):
        for t in range(lengths[m] - 1, -1, -1):
            for j in range(size):
                r, z = gates[m, t, j], gates[m, t, size + j]
                new, state = gates[m, t, 2 * size + j], gates[m, t, 3 * size + j]
                d_new = d_hidden[m, j] * (1 - z) * (1 - new * new)
                gates[m, t, size + j] = d_hidden[m, j] * (hidden[m, t, j] - new) * z * (1 - z)
                gates[m, t, j] = d_new * state * r * (1 - r)
                gates[m, t, 2 * size + j] = d_new
                gates[m, t, 3 * size + j] = d_new * r
                d_hidden[m, j] *= z
            word, d_word = embedding[tokens[m, t]], d_embedding[tokens[m, t]]
            for j in range(3 * size):
                from_word = gates[m, t, j]
                from_state = from_word if j < 2 * size else gates[m, t, size + j]
                d_b_ih[j] += from_word
                d_b_hh[j] += from_state
                for k in range(word.shape[0]):
                    d_w_ih[j, k] += from_word * word[k]
                    d_word[k] += from_word * w_ih[j, k]
                for k in range(size):
                    d_w_hh[j, k] += from_state * hidden[m, t, k]
                    d_hidden[m, k] += from_state * w_hh[j, k]
