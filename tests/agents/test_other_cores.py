"""RMC, transformer, production system and accumulator against their equations in loops."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from s2lab.agents.cores import make_core
from s2lab.agents.cores.contract import Core, State

F = 5
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


def hard(logits: list[Tensor], tau: float) -> list[Tensor]:
    top = max(logit.item() for logit in logits)
    powers = [torch.exp((logit - top) / tau) for logit in logits]
    total = sum(powers[1:], powers[0])
    winner = max(range(len(logits)), key=lambda n: (logits[n].item(), -n))
    return [
        float(n == winner) + power / total - (power / total).detach()
        for n, power in enumerate(powers)
    ]


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


Slow = Callable[[Any, list[Tensor], State, list[bool]], Tensor]
CASES: dict[str, tuple[str, dict[str, Any], Slow]] = {
    "rmc": ("rmc", {"slots": 3, "heads": 2, "head_size": 3}, slow_rmc),
    "rmc, one slot": ("rmc", {"slots": 1, "heads": 1, "head_size": 4}, slow_rmc),
    "transformer": (
        "transformer",
        {"size": 6, "heads": 2, "memory": 3, "layers": 2},
        slow_transformer,
    ),
    "transformer, long memory": (
        "transformer",
        {"size": 4, "heads": 1, "memory": 20, "layers": 1},
        slow_transformer,
    ),
    "production": ("production", {"slots": 3, "slot_size": 4, "hidden_size": 5}, slow_production),
    "production, one rule": (
        "production",
        {"slots": 1, "slot_size": 3, "hidden_size": 5, "rule_count": 1},
        slow_production,
    ),
    "accumulator": ("accumulator", {"hidden_size": 4}, slow_accumulator),
}
FUSED = ("rmc", "transformer")  # those with kernels; each must be taken where it is demanded
ALL = [
    (case, kernel)
    for case, (name, _, _) in CASES.items()
    for kernel in (("torch", "fused") if name in FUSED else (None,))
]


def build(case: str, kernel: str | None = None) -> tuple[Core, Slow]:
    name, options, slow = CASES[case]
    torch.manual_seed(0)
    core = make_core(name, F, options | ({"kernel": kernel} if kernel else {})).double().eval()
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return core, slow


@pytest.mark.parametrize(("steps", "rows"), [(8, 3), (1, 1)], ids=["T=8 B=3", "T=1 B=1"])
@pytest.mark.parametrize(("case", "kernel"), ALL)
def test_core_equals_the_papers_equations_with_all_gradients(
    case: str, kernel: str | None, steps: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    core, slow = build(case, kernel)
    if kernel == "fused":  # not by the plain form
        monkeypatch.setattr("s2lab.agents.cores.rmc.RMCCore.run", None)
        monkeypatch.setattr("s2lab.agents.cores.transformer.plain_look", None)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(steps, rows, F, generator=generator, dtype=torch.float64)
    inputs[steps // 2, 0] = 0
    reset = torch.rand(steps, rows, generator=generator) < 0.2
    _, state = core(inputs, core.initial_state(rows, dtype=torch.float64), reset)
    state = tuple(part.detach() for part in state)
    results = []
    for fast in (True, False):
        x = inputs.clone().requires_grad_()
        s = tuple(part.clone().requires_grad_(part.dim() > 2) for part in state)
        if fast:
            outputs, _ = core(x, s, reset)
        else:
            columns = [
                slow(core, list(x[:, b]), tuple(part[b] for part in s), reset[:, b].tolist())
                for b in range(rows)
            ]
            outputs = torch.stack(columns, dim=1)
        mixture = torch.randn(
            outputs.shape, generator=torch.Generator().manual_seed(3), dtype=outputs.dtype
        )
        leaves = [x, *(part for part in s if part.requires_grad), *core.parameters()]
        found = torch.autograd.grad((outputs * mixture).sum(), leaves, allow_unused=True)
        results.append(
            [outputs.detach()]
            + [
                torch.zeros_like(leaf) if gradient is None else gradient
                for leaf, gradient in zip(leaves, found, strict=True)
            ]
        )
    for mine, other in zip(*results, strict=True):
        floor = 1e-3 * other.abs().max() + 1e-7  # where a gradient is zero, rounding is not
        assert ((mine - other).abs() / (other.abs() + floor)).max() < 1e-6


def test_the_transformer_sees_no_further_back_than_its_memory() -> None:
    core, _ = build("transformer")  # two layers, so a change reaches at most 2 * 3 steps ahead
    inputs = torch.randn(12, 1, F, dtype=torch.float64)
    changed = inputs.clone()
    changed[2] += 1
    reset = torch.zeros(12, 1, dtype=torch.bool)
    start = core.initial_state(1, dtype=torch.float64)
    moved = (core(inputs, start, reset)[0] != core(changed, start, reset)[0]).any(-1).flatten()
    assert moved.tolist() == [False] * 2 + [True] * 7 + [False] * 3


def test_only_the_primary_slot_changes() -> None:
    core, _ = build("production")
    inputs = torch.randn(1, 20, F, dtype=torch.float64)
    state = (torch.randn(20, 3, 4, dtype=torch.float64),)
    reset = torch.zeros(1, 20, dtype=torch.bool)
    primary = core.trace(inputs, state, reset)["primary"][0]
    _, (after,) = core(inputs, state, reset)
    changed = (after != state[0]).any(-1)  # [B, S]
    assert torch.equal(changed, torch.nn.functional.one_hot(primary, 3).bool())
    assert len(primary.unique()) > 1
