"""How a network's passes are computed: in which precision, eager or compiled. Knows no learning.

    passes = Passes(model, device, bf16=True, compiled=True)
    numbers, values, state = passes(observation, state, reset)     as model(...) would give them

bf16: matrix products in bfloat16 (torch.autocast), weights, states and losses in single precision.
compiled: torch.compile; on a GPU in its mode that captures passes as CUDA graphs, the rollout's
step as well as an update's forward and backward pass. What cannot be captured, reading missions,
runs between the graphs.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from s2lab.agents.actor_critic import State
from s2lab.agents.encoders.field import Observation
from s2lab.agents.towers import Network

BF16_TOLERANCE = 2e-2
"""bfloat16 keeps 8 bits of a mantissa: one rounding is 4e-3, and a loss is a mean over many."""
COMPILED_TOLERANCE = 1e-4
"""Single precision in another order of summation."""


class Disagrees(ArithmeticError):
    """Losses of the chosen execution that are not those of eager single precision."""


class Passes:
    """A model's forward pass.

    Args:
        model: lives on `device`
        device: cpu or cuda
        bf16: products in bfloat16
        compiled: by torch.compile
    """

    def __init__(
        self, model: Network, device: torch.device, *, bf16: bool = False, compiled: bool = False
    ) -> None:
        self.model, self.device, self.bf16, self.compiled = model, device, bf16, compiled
        self.plain = not (bf16 or compiled)
        self.captured = compiled and device.type == "cuda"
        self.tolerance = BF16_TOLERANCE if bf16 else COMPILED_TOLERANCE
        self._call = (
            torch.compile(model, mode="reduce-overhead" if self.captured else "default")
            if compiled
            else model
        )

    def __call__(
        self, observation: Observation, state: State, reset: Tensor
    ) -> tuple[Tensor, Tensor, State]:
        """See `ActorCritic.forward`; results are in single precision and stay as they are."""
        if self.plain:
            found: tuple[Tensor, Tensor, State] = self.model(observation, state, reset)
            return found
        if self.captured:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            numbers, values, state = self._call(observation, state, reset)
        parts = [part.float() for part in (numbers, values, *state)]
        if self.captured and not torch.is_grad_enabled():
            # The next replay of a graph writes over what this one gave.
            parts = [part.clone() for part in parts]
        return parts[0], parts[1], tuple(parts[2:])

    def check(self, names: Sequence[str], found: Tensor, eager: Tensor) -> None:
        """Compare terms of a loss with those of eager single precision.

        Args:
            names: of the terms
            found: [n], of this execution
            eager: [n], of the same batch and weights

        Raises:
            Disagrees: a term is further away than `tolerance * max(1, |eager|)`.
        """
        for name, mine, other in zip(names, found.tolist(), eager.tolist(), strict=True):
            if not abs(mine - other) <= self.tolerance * max(1.0, abs(other)):
                how = " and ".join(["bf16"] * self.bf16 + ["compile"] * self.compiled)
                raise Disagrees(
                    f"{name} is {mine:.6g} with {how} and {other:.6g} without, more than "
                    f"{self.tolerance:g} apart"
                )
