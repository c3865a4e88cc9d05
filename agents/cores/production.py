"""Neural production systems: rules that fire one at a time on slots.

Goyal, Didolkar et al. 2021 (arXiv 2103.01937), algorithm 1, sequential form. S slots of
memory V and one slot V_in that holds the input; each step one rule fires on one (primary) slot,
with the input slot as its context:

    V_in = We x + be
    rule    = hard choice over i of  (V_in Wq) . K_i              K_i the rules' learnt keys
    primary = hard choice over s of  (V_in Wp) . (V_s Wk)
    V_primary += W2_rule relu(W1_rule [V_primary; V_in] + b1_rule) + b2_rule

Choices are straight-through Gumbel-softmax in training from a given generator, argmax without noise
otherwise (as in `schemata.py`); of equal scores the lower index wins. All other slots keep their
values bit for bit. Departure: the rule is chosen by the slot that holds the input, which carries
the operation in the arithmetic task, and not jointly with the primary slot; the context is always
the input. Knows no task and no trainer.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2lab.agents.attention import top_k_mask
from s2lab.agents.cores.contract import Core, State, check_inputs, require, steps_with_reset


@dataclass(frozen=True)
class ProductionConfig:
    """Sizes of a production system; defaults are those of the paper's arithmetic task."""

    rule_count: int = 3
    """Rules; 3 in the arithmetic task, one per operation."""
    slots: int = 1
    """S, slots of memory."""
    slot_size: int = 32
    """D, width of a slot."""
    hidden_size: int = 64
    """Width of a rule's hidden layer; 64 in the paper."""
    key_size: int = 16
    """Width of the keys by which rules and slots are chosen."""
    temperature: float = 1.0
    """tau of the Gumbel-softmax."""
    noise: bool = True
    """Gumbel noise while training from a generator; otherwise there never is any."""

    def __post_init__(self) -> None:
        for name in ("rule_count", "slots", "slot_size", "hidden_size", "key_size"):
            value = getattr(self, name)
            require(value >= 1, f"{name} is {value}; it must be at least 1")
        require(self.temperature > 0, f"temperature is {self.temperature}; it must be positive")


class ProductionCore(Core):
    """State: slots [B, S, D]; outputs are all slots [T, B, S * D].

    `generator` is the source of the Gumbel noise in training; None means no noise.
    """

    def __init__(self, input_size: int, config: ProductionConfig) -> None:
        super().__init__(input_size, output_size=config.slots * config.slot_size)
        self.config = config
        self.generator: torch.Generator | None = None
        rules, size, hidden = config.rule_count, config.slot_size, config.hidden_size
        self.embed = nn.Linear(input_size, size)
        self.rule_query = nn.Linear(size, config.key_size)
        self.rule_key = nn.Parameter(torch.randn(rules, config.key_size))
        self.slot_query = nn.Linear(size, config.key_size)
        self.slot_key = nn.Linear(size, config.key_size)
        self.first = nn.Parameter(torch.randn(rules, 2 * size, hidden) * (2 * size) ** -0.5)
        self.first_bias = nn.Parameter(torch.zeros(rules, hidden))
        self.second = nn.Parameter(torch.randn(rules, hidden, size) * hidden**-0.5)
        self.second_bias = nn.Parameter(torch.zeros(rules, size))

    def initial_state(
        self,
        batch_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> State:
        shape = (batch_size, self.config.slots, self.config.slot_size)
        return (torch.zeros(shape, device=device, dtype=dtype),)

    def forward(self, inputs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        check_inputs(self, inputs, state, reset)
        return self.run(inputs, state, reset, records=None)

    @torch.no_grad()
    def trace(self, inputs: Tensor, state: State, reset: Tensor) -> dict[str, Tensor]:
        """Records "rule" and "primary" [T, B]: which rule fired on which slot."""
        check_inputs(self, inputs, state, reset)
        records: list[tuple[Tensor, Tensor]] = []
        outputs, _ = self.run(inputs, state, reset, records)
        rules, primaries = (torch.stack(column) for column in zip(*records, strict=True))
        return {"outputs": outputs, "rule": rules, "primary": primaries}

    def run(
        self,
        inputs: Tensor,
        state: State,
        reset: Tensor,
        records: list[tuple[Tensor, Tensor]] | None,
    ) -> tuple[Tensor, State]:
        """The loop over time. The rule does not depend on the slots, so it is chosen for all T."""
        size = self.config.slot_size
        context = self.embed(inputs)  # [T, B, D]
        rule = self.choose(self.rule_query(context) @ self.rule_key.t())  # [T, B, R]
        slot_query = self.slot_query(context).unsqueeze(2)  # [T, B, 1, key]
        slot_noise = self.gumbel(context.new_empty((*inputs.shape[:2], self.config.slots)))
        # What the rules make of the context alone, for all T: [T, B, R, hidden].
        driven = torch.einsum("tbd,rdh->tbrh", context, self.first[:, size:]) + self.first_bias
        (slots,) = state  # [B, S, D]
        outputs = []
        for t, any_reset in enumerate(steps_with_reset(reset)):
            if any_reset:
                slots = slots.masked_fill(reset[t].view(-1, 1, 1), 0)
            scores = (slot_query[t] * self.slot_key(slots)).sum(-1)  # [B, S]
            primary = straight_through(scores + slot_noise[t], self.config.temperature)
            value = torch.einsum("bs,bsd->bd", primary, slots)  # [B, D]
            hidden = torch.einsum("bd,rdh->brh", value, self.first[:, :size]) + driven[t]
            change = torch.einsum("brh,rhd->brd", torch.relu(hidden), self.second)
            change = torch.einsum("br,brd->bd", rule[t], change + self.second_bias)
            slots = slots + primary.unsqueeze(2) * change.unsqueeze(1)
            outputs.append(slots.flatten(1))
            if records is not None:
                records.append((rule[t].argmax(-1), primary.argmax(-1)))
        return torch.stack(outputs), (slots,)

    def gumbel(self, like: Tensor) -> Tensor:
        """Gumbel noise shaped as `like` in training with a generator; zeros otherwise."""
        if self.generator is None or not (self.training and self.config.noise):
            return torch.zeros_like(like)
        return -like.exponential_(generator=self.generator).clamp_min(1e-30).log()

    def choose(self, logits: Tensor) -> Tensor:
        """Hard choice [..., N] along the last dimension, with noise in training."""
        noise = self.gumbel(torch.empty_like(logits))
        return straight_through(logits + noise, self.config.temperature)


def straight_through(logits: Tensor, temperature: float) -> Tensor:
    """Exactly one-hot forward, softmax(logits / temperature) backward; [..., N]."""
    soft = torch.softmax(logits / temperature, dim=-1)
    hard = top_k_mask(logits, 1).to(soft.dtype)
    return hard + (soft - soft.detach())
