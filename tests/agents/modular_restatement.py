"""The equations of RIMs, workspace and SCOFF restated one scalar loop at a time, and problems to
run them on. They read like the papers: loops over time, rows, modules, heads, slots and schemata,
explicit softmax and ranking, float64. Autograd differentiates them.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from s2lab.agents.cores import make_core
from s2lab.agents.cores.contract import Core, State
from s2lab.agents.cores.modular import ModularCore

F = 5
Parameters = dict[str, Tensor]
Messages = Callable[[list[Tensor], list[bool], State], tuple[list[Tensor], State]]


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-x))


def softmax(scores: list[Tensor]) -> list[Tensor]:
    powers = [torch.exp(score) for score in scores]
    total = sum(powers[1:], powers[0])
    return [power / total for power in powers]


def best(scores: list[Tensor], k: int) -> list[bool]:
    order = sorted(range(len(scores)), key=lambda n: (-scores[n].item(), n))
    return [n in order[:k] for n in range(len(scores))]


def straight_through(hard: list[bool], soft: list[Tensor]) -> list[Tensor]:
    """Worth the hard choice, with the slope of the soft one."""
    return [float(b) + s - s.detach() for b, s in zip(hard, soft, strict=True)]


def cut(vector: Tensor, head: int, heads: int) -> Tensor:
    width = len(vector) // heads
    return vector[head * width : (head + 1) * width]


def attention(
    queries: list[Tensor], keys: list[Tensor], values: list[Tensor], heads: int, k: int
) -> list[Tensor]:
    """Each query over its k best keys, the score summed over heads."""
    out = []
    for query in queries:
        root = (len(query) / heads) ** 0.5
        parts = [[(cut(query, e, heads), cut(key, e, heads)) for key in keys] for e in range(heads)]
        scores = [[q @ k_part / root for q, k_part in row] for row in parts]
        totals = [sum(scores[e][n] for e in range(heads)) for n in range(len(keys))]
        chosen = [n for n, keep in enumerate(best(totals, k)) if keep]
        pieces = []
        for e in range(heads):
            weights = softmax([scores[e][n] for n in chosen])
            pieces.append(
                sum(w * cut(values[n], e, heads) for w, n in zip(weights, chosen, strict=True))
            )
        out.append(torch.cat(pieces))
    return out


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    mean = x.sum() / len(x)
    variance = ((x - mean) ** 2).sum() / len(x)
    return (x - mean) / (variance + 1e-5) ** 0.5 * weight + bias


def keep_or_block(x: Tensor, active: bool) -> Tensor:
    return x if active else x.detach()


def pairwise(p: Parameters, heads: int) -> Messages:
    weights = p["communication.query_key_value"]
    size = weights.shape[2] // 3

    def exchange(
        hidden: list[Tensor], active: list[bool], memory: State
    ) -> tuple[list[Tensor], State]:
        queries = [h @ weights[k][:, :size] for k, h in enumerate(hidden)]
        both = [keep_or_block(h @ weights[k][:, size:], active[k]) for k, h in enumerate(hidden)]
        keys, values = [pair[:size] for pair in both], [pair[size:] for pair in both]
        return attention(queries, keys, values, heads, len(hidden)), memory

    return exchange


def workspace(p: Parameters, heads: int, writers: int) -> Messages:
    name = "communication."

    def exchange(
        hidden: list[Tensor], active: list[bool], memory: State
    ) -> tuple[list[Tensor], State]:
        old = list(memory[0])  # S slots [D]
        size = len(old[0])
        written = [p[name + "write_key_value.weight"] @ h for h in hidden]
        written = [keep_or_block(w, a) for w, a in zip(written, active, strict=True)]
        update = attention(
            [p[name + "write_query.weight"] @ slot for slot in old],
            [w[:size] for w in written],
            [w[size:] for w in written],
            heads,
            writers,
        )
        summary = sum(
            torch.clamp(keep_or_block(h, a), min=0) for h, a in zip(hidden, active, strict=True)
        ) / len(hidden)
        new = []
        for slot, u in zip(old, update, strict=True):
            m = layer_norm(slot + u, p[name + "after_write.weight"], p[name + "after_write.bias"])
            thought = torch.clamp(p[name + "think.weight"] @ m + p[name + "think.bias"], min=0)
            m = layer_norm(
                m + thought, p[name + "after_think.weight"], p[name + "after_think.bias"]
            )
            gates = (
                p[name + "gate.from_memory.weight"] @ torch.tanh(slot)
                + p[name + "gate.from_memory.bias"]
                + p[name + "gate.from_inputs.weight"] @ summary
            )
            new.append(sigmoid(gates[:size]) * torch.tanh(m) + sigmoid(gates[size:]) * slot)
        queries = [h @ p[name + "read_query"][k] for k, h in enumerate(hidden)]
        read = [p[name + "read_key_value.weight"] @ slot for slot in new]
        messages = attention(
            queries, [r[:size] for r in read], [r[size:] for r in read], heads, len(new)
        )
        return messages, (torch.stack(new),)

    return exchange


def lstm_candidates(
    p: Parameters, x: Tensor, k: int, attention_k: Tensor, own: State
) -> tuple[Tensor, ...]:
    h, c = own[0][k], own[1][k]
    size = len(h)
    drive = p["cells.drive.weight"] @ x + p["cells.drive.bias"]
    drive = drive[k * 4 * size : (k + 1) * 4 * size]
    gates = h @ p["cells.recurrent"][k][:, : 4 * size] + p["cells.bias"][k][: 4 * size]
    gates = gates + attention_k * drive
    i, f, g, o = (gates[n * size : (n + 1) * size] for n in range(4))
    c = sigmoid(f) * c + sigmoid(i) * torch.tanh(g)
    return sigmoid(o) * torch.tanh(c), c


def schema_candidates(
    p: Parameters, x: Tensor, k: int, attention_k: Tensor, own: State, noise: Tensor, tau: float
) -> tuple[Tensor, ...]:
    h = own[0][k]
    size = len(h)
    drive = p["cells.drive.weight"] @ x + p["cells.drive.bias"]
    proposals, logits = [], []
    for j in range(p["cells.choice_write"].shape[0]):
        part = slice(j * 3 * size, (j + 1) * 3 * size)
        driven = attention_k * drive[part]
        mine = h @ p["cells.recurrent"][:, part] + p["cells.bias"][part]
        r = sigmoid(driven[:size] + mine[:size])
        z = sigmoid(driven[size : 2 * size] + mine[size : 2 * size])
        n = torch.tanh(driven[2 * size :] + r * mine[2 * size :])
        proposals.append((1 - z) * n + z * h)
        read = h @ p["cells.choice_read"]
        logits.append(read @ (proposals[j] @ p["cells.choice_write"][j]) + noise[j])
    soft = softmax([logit / tau for logit in logits])
    hard = best(logits, 1)
    choice = straight_through(hard, soft)
    return (sum(w * c for w, c in zip(choice, proposals, strict=True)),)


def slow(
    core: ModularCore, inputs: Tensor, state: State, reset: Tensor, noise: Tensor | None = None
) -> Tensor:
    """The whole core, row by row and step by step: outputs [T, B, K * H]."""
    p = dict(core.named_parameters())
    config: Any = core.config
    parts = core.cells.parts
    communication = core.communication
    exchange: Messages | None = None
    if communication is not None and "communication.query_key_value" in p:
        exchange = pairwise(p, config.heads)
    elif communication is not None:
        soft = getattr(config, "competition", "hard") == "soft"
        exchange = workspace(p, config.heads, config.module_count if soft else config.writers)
    columns = []
    for b in range(inputs.shape[1]):
        row = [part[b] for part in state]
        steps = []
        for t in range(inputs.shape[0]):
            if reset[t, b]:
                row = [part[0] for part in core.initial_state(1, dtype=inputs.dtype)]
            own, memory = tuple(row[:parts]), tuple(row[parts:])
            x = inputs[t, b]
            key = p["cells.key.weight"] @ x + p["cells.key.bias"]
            scores, proposed = [], []
            for k in range(config.module_count):
                if "cells.query" in p:
                    query = own[0][k] @ p["cells.query"][k] + p["cells.query_bias"][k]
                else:
                    query = own[0][k] @ p["cells.recurrent"][k][:, 4 * config.module_size :]
                    query = query + p["cells.bias"][k][4 * config.module_size :]
                score = query @ key / config.key_size**0.5
                null = torch.zeros_like(score)  # the null slot's key is exactly zero
                scores.append(score)
                weight = softmax([null, score])[1]
                if "cells.choice_read" in p:
                    kick = torch.zeros(config.schema_count) if noise is None else noise[t, b, k]
                    proposed.append(
                        schema_candidates(p, x, k, weight, own, kick, config.temperature)
                    )
                else:
                    proposed.append(lstm_candidates(p, x, k, weight, own))
            active = best(scores, config.active_count)
            hidden = [candidate[0] for candidate in proposed]
            if exchange is not None:
                messages, memory = exchange(hidden, active, memory)
                for k, message in enumerate(messages):
                    both = p["gate.project.weight"] @ message + p["gate.project.bias"]
                    half = config.module_size
                    hidden[k] = hidden[k] + sigmoid(both[:half]) * torch.tanh(both[half:])
            after = [
                torch.stack(
                    [
                        (hidden[k] if n == 0 else proposed[k][n]) if active[k] else own[n][k]
                        for k in range(config.module_count)
                    ]
                )
                for n in range(parts)
            ]
            row = [*after, *memory]
            steps.append(after[0].flatten())
        columns.append(torch.stack(steps))
    return torch.stack(columns, dim=1)


SMALL = {"module_count": 4, "module_size": 3, "active_count": 2, "key_size": 3}
TALK = {"heads": 2, "head_size": 4}
ALONE = {"module_count": 1, "active_count": 1}
ONE_SCHEMA = {"schema_count": 1, "active_count": 4}
SLOTS = {"slots": 3, "writers": 2}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "rims": ("rims", SMALL | TALK),
    "rims, all active": ("rims", SMALL | TALK | {"active_count": 4}),
    "rims, one active": ("rims", SMALL | TALK | {"active_count": 1}),
    "rims, one module": ("rims", SMALL | TALK | ALONE),
    "rims, silent": ("rims", SMALL | {"communicate": False}),
    "workspace, hard": ("workspace", SMALL | TALK | SLOTS),
    "workspace, soft": ("workspace", SMALL | TALK | SLOTS | {"competition": "soft"}),
    "workspace, one writer, one slot": ("workspace", SMALL | TALK | {"slots": 1, "writers": 1}),
    "workspace, all active": ("workspace", SMALL | TALK | SLOTS | {"active_count": 4}),
    "workspace, one active": ("workspace", SMALL | TALK | SLOTS | {"active_count": 1}),
    "workspace, one module": ("workspace", SMALL | TALK | ALONE | {"slots": 3, "writers": 1}),
    "scoff": ("scoff", SMALL | TALK | {"schema_count": 3}),
    "scoff, all active": ("scoff", SMALL | TALK | {"schema_count": 2, "active_count": 4}),
    "scoff, one active": ("scoff", SMALL | TALK | {"schema_count": 3, "active_count": 1}),
    "scoff, one module": ("scoff", SMALL | TALK | ALONE | {"schema_count": 3}),
    "scoff, one schema, all active": ("scoff", SMALL | TALK | ONE_SCHEMA),
    "scoff, one schema": ("scoff", SMALL | TALK | {"schema_count": 1}),
    "scoff, silent": ("scoff", SMALL | {"schema_count": 3, "communication": "none"}),
    "scoff, workspace": ("scoff", SMALL | TALK | SLOTS | {"communication": "workspace"}),
}


def build(case: str, kernel: str = "auto") -> ModularCore:
    name, options = CASES[case]
    torch.manual_seed(0)
    core = make_core(name, F, options | {"kernel": kernel}).double().eval()
    assert isinstance(core, ModularCore)
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return core


def problem(core: Core, steps: int, rows: int, seed: int = 1) -> tuple[Tensor, State, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(steps, rows, F, generator=generator, dtype=torch.float64)
    inputs[steps // 2, 0] = 0  # a null input
    state = tuple(
        part + 0.5 * torch.randn(part.shape, generator=generator, dtype=torch.float64)
        for part in core.initial_state(rows, dtype=torch.float64)
    )
    reset = torch.rand(steps, rows, generator=generator) < 0.3
    return inputs, state, reset
