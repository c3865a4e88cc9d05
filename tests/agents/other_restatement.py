"""RMC, transformer, production system and accumulator restated one step, slot and head at a time.

Autograd differentiates them, in double precision.
"""

from typing import Any

import torch
from torch import Tensor

from s2lab.agents.cores.contract import State

Parameters = dict[str, Tensor]


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-x))


def linear(p: Parameters, name: str, x: Tensor) -> Tensor:
    y = p[name + ".weight"] @ x
    return y + p[name + ".bias"] if name + ".bias" in p else y


def layer_norm(p: Parameters, name: str, x: Tensor) -> Tensor:
    mean = x.sum() / len(x)
    variance = ((x - mean) ** 2).sum() / len(x)
    return (x - mean) / (variance + 1e-5) ** 0.5 * p[name + ".weight"] + p[name + ".bias"]


def attended(
    query: Tensor, keys: list[Tensor], values: list[Tensor], biases: list[Tensor], heads: int
) -> Tensor:
    """One query over all keys, head by head; biases [heads] per key are added to the scores."""
    width = len(query) // heads
    pieces = []
    for e in range(heads):
        part = slice(e * width, (e + 1) * width)
        powers = [
            torch.exp(query[part] @ key[part] / width**0.5 + bias[e])
            for key, bias in zip(keys, biases, strict=True)
        ]
        total = sum(powers[1:], powers[0])
        pieces.append(sum(w / total * v[part] for w, v in zip(powers, values, strict=True)))
    return torch.cat(pieces)


def slow_rmc(core: Any, x: list[Tensor], state: State, reset: list[bool]) -> Tensor:
    p = dict(core.named_parameters())
    heads, size = core.config.heads, core.config.slot_size
    memory = list(state[0])
    outputs = []
    for x_t, clear in zip(x, reset, strict=True):
        if clear:
            memory = list(torch.eye(core.config.slots, size, dtype=x_t.dtype))
        row = linear(p, "embed", x_t)
        both = [linear(p, "key_value", m) for m in [*memory, row]]
        new = []
        for m in memory:
            update = attended(
                linear(p, "query", m),
                [kv[:size] for kv in both],
                [kv[size:] for kv in both],
                [torch.zeros(heads)] * len(both),
                heads,
            )
            proposal = layer_norm(p, "after_attention", m + update)
            hidden = torch.clamp(linear(p, "think.0", proposal), min=0)
            proposal = layer_norm(p, "after_think", proposal + linear(p, "think.2", hidden))
            gates = linear(p, "gate.from_memory", torch.tanh(m)) + linear(
                p, "gate.from_inputs", row
            )
            new.append(sigmoid(gates[:size]) * torch.tanh(proposal) + sigmoid(gates[size:]) * m)
        memory = new
        outputs.append(torch.cat(memory))
    return torch.stack(outputs)


def gru_gate(p: Parameters, name: str, x: Tensor, y: Tensor) -> Tensor:
    size = len(x)
    of_y, of_x = linear(p, name + ".from_branch", y), linear(p, name + ".from_stream", x)
    r = sigmoid(of_y[:size] + of_x[:size])
    z = sigmoid(of_y[size : 2 * size] + of_x[size:] - p[name + ".bias"])
    c = torch.tanh(of_y[2 * size :] + linear(p, name + ".from_reset", r * x))
    return (1 - z) * x + z * c


def slow_transformer(core: Any, x: list[Tensor], state: State, reset: list[bool]) -> Tensor:
    p = dict(core.named_parameters())
    config = core.config
    age = int(state[1].item())
    remembered = [
        list(state[0][n, config.memory - age :]) for n in range(config.layers)
    ]  # per layer, oldest first
    outputs = []
    for x_t, clear in zip(x, reset, strict=True):
        if clear:
            remembered = [[] for _ in range(config.layers)]
        stream = linear(p, "embed", x_t)
        for n in range(config.layers):
            name = f"layers.{n}."
            remembered[n] = [*remembered[n], stream][-config.memory - 1 :]
            normed = [layer_norm(p, name + "before_attention", m) for m in remembered[n]]
            both = [linear(p, name + "key_value", m) for m in normed]
            count = len(normed)
            update = attended(
                linear(p, name + "query", normed[-1]),
                [kv[: config.size] for kv in both],
                [kv[config.size :] for kv in both],
                [p[name + "distance_bias"][:, count - 1 - i] for i in range(count)],
                config.heads,
            )
            update = torch.clamp(linear(p, name + "merge", update), min=0)
            stream = gru_gate(p, name + "gate_attention", stream, update)
            hidden = linear(p, name + "mlp.0", layer_norm(p, name + "before_mlp", stream))
            update = linear(p, name + "mlp.2", torch.clamp(hidden, min=0))
            stream = gru_gate(p, name + "gate_mlp", stream, torch.clamp(update, min=0))
        outputs.append(stream)
    return torch.stack(outputs)


def straight_through(hard: list[bool], soft: list[Tensor]) -> list[Tensor]:
    return [float(b) + s - s.detach() for b, s in zip(hard, soft, strict=True)]


def hard(logits: list[Tensor], tau: float) -> list[Tensor]:
    top = max(logit.item() for logit in logits)
    powers = [torch.exp((logit - top) / tau) for logit in logits]
    total = sum(powers[1:], powers[0])
    winner = max(range(len(logits)), key=lambda n: (logits[n].item(), -n))
    return straight_through([n == winner for n in range(len(powers))], [p / total for p in powers])


def slow_production(core: Any, x: list[Tensor], state: State, reset: list[bool]) -> Tensor:
    p = dict(core.named_parameters())
    slots = list(state[0])
    outputs = []
    for x_t, clear in zip(x, reset, strict=True):
        if clear:
            slots = [torch.zeros_like(slot) for slot in slots]
        context = linear(p, "embed", x_t)
        query = linear(p, "rule_query", context)
        rule = hard([query @ key for key in p["rule_key"]], core.config.temperature)
        query = linear(p, "slot_query", context)
        scores = [query @ linear(p, "slot_key", slot) for slot in slots]
        primary = hard(scores, core.config.temperature)
        value = sum(w * slot for w, slot in zip(primary, slots, strict=True))
        change = sum(
            weight
            * (
                torch.clamp(torch.cat([value, context]) @ p["first"][r] + p["first_bias"][r], min=0)
                @ p["second"][r]
                + p["second_bias"][r]
            )
            for r, weight in enumerate(rule)
        )
        slots = [slot + w * change for w, slot in zip(primary, slots, strict=True)]
        outputs.append(torch.cat(slots))
    return torch.stack(outputs)


def slow_accumulator(core: Any, x: list[Tensor], state: State, reset: list[bool]) -> Tensor:
    p = dict(core.named_parameters())
    total, outputs = state[0], []
    for x_t, clear in zip(x, reset, strict=True):
        both = linear(p, "gate_value", torch.clamp(linear(p, "features", x_t), min=0))
        half = len(both) // 2
        total = (torch.zeros_like(total) if clear else total) + sigmoid(both[:half]) * both[half:]
        outputs.append(total)
    return torch.stack(outputs)
