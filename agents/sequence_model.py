"""Training a core on supervised sequences. Knows no task, no file and no command line.

A batch is a function of its number, so a trainer that is stopped between two updates and restored
from `state_dict` goes on exactly as if it had not been: same batches, same noise, same weights.
The model that is judged is the one with the best in-distribution validation error seen in training;
nothing here ever looks at a shifted distribution.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from s2lab.agents.cores import make_core
from s2lab.agents.ppo_adam import FlatAdam
from s2lab.envs.sequences import Sequences

Loss = Literal["squared", "classes", "pixels"]
Batches = Callable[[int], Sequences]


@dataclass(frozen=True)
class SequenceConfig:
    """One contestant on a sequence task."""

    core: str = "lstm"
    """Name in `s2lab.agents.cores.CORES`."""
    core_options: Mapping[str, Any] = field(default_factory=dict)
    """The core's options."""
    loss: Loss = "squared"
    """squared: mean squared error; classes: cross-entropy in nats; pixels: binary cross-entropy."""
    updates: int = 1000
    """Gradient steps; 0 leaves only `seconds` as a limit."""
    seconds: float = math.inf
    """Processor seconds of training after which no further update starts."""
    lr: float = 1e-3
    """Adam's learning rate at the start; falls to a tenth of it along a cosine over `updates`."""
    max_grad_norm: float = 1.0
    """Gradients are scaled down to this 2-norm."""
    output_bias: bool = False
    """Bias of the linear head; a control, as at a fixed length it can hide a leak per step."""
    validate_every: int = 100
    """Updates between two validations."""
    seed: int = 0
    """Seed of the initial weights and of the noise."""

    def __post_init__(self) -> None:
        for name in ("lr", "max_grad_norm", "validate_every", "seconds"):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name} is {value}; it must be positive")
        if self.updates < 0 or (self.updates == 0 and math.isinf(self.seconds)):
            raise ValueError(f"updates is {self.updates}; give updates, or seconds, or both")


class SequenceModel(nn.Module):
    """A core and a linear head: inputs [T, B, F] -> predictions [S, B, G] of the last S steps."""

    def __init__(self, inputs: int, outputs: int, config: SequenceConfig) -> None:
        super().__init__()
        self.core = make_core(config.core, inputs, config.core_options)
        self.head = nn.Linear(self.core.output_size, outputs, bias=config.output_bias)

    def forward(self, inputs: Tensor, scored: int) -> Tensor:
        """Fresh state for every batch: unrelated sequences share no memory."""
        steps, rows = inputs.shape[:2]
        reset = torch.zeros(steps, rows, dtype=torch.bool, device=inputs.device)
        state = self.core.initial_state(rows, inputs.device, inputs.dtype)
        hidden, _ = self.core(inputs, state, reset)
        predictions: Tensor = self.head(hidden[steps - scored :])
        return predictions


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy that later training does not touch."""
    return {name: part.clone() for name, part in model.state_dict().items()}


@contextmanager
def noise(model: nn.Module, seed: int) -> Iterator[None]:
    """Cores that sample draw from one generator in here, and not at all outside."""
    drawing = [module for module in model.modules() if hasattr(module, "generator")]
    generator = torch.Generator().manual_seed(seed)
    for module in drawing:
        setattr(module, "generator", generator)  # noqa: B010
    try:
        yield
    finally:
        for module in drawing:
            setattr(module, "generator", None)  # noqa: B010


def loss_of(kind: Loss, predictions: Tensor, targets: Tensor) -> Tensor:
    """Mean loss over everything scored; predictions [S, B, G], targets as in `Sequences`."""
    if kind == "squared":
        return nn.functional.mse_loss(predictions, targets)
    if kind == "pixels":
        return nn.functional.binary_cross_entropy_with_logits(predictions, targets)
    return nn.functional.cross_entropy(predictions.flatten(0, 1), targets.flatten())


@dataclass(frozen=True)
class Score:
    """How well a model does on a set of sequences."""

    loss: float
    """Mean loss, as trained."""
    accuracy: float | None
    """Share of right classes; None where there are none."""


@torch.no_grad()
def score(model: SequenceModel, kind: Loss, batches: Sequence[Sequences]) -> Score:
    """Mean over `batches`, in evaluation mode (no sampling noise)."""
    was_training = model.training
    model.eval()
    total, right, count, answers = 0.0, 0, 0, 0
    for batch in batches:
        targets = torch.from_numpy(batch.targets)
        predictions = model(torch.from_numpy(batch.inputs), batch.scored)
        rows = targets.shape[1]
        total += loss_of(kind, predictions, targets).item() * rows
        count += rows
        if kind == "classes":
            right += int((predictions.argmax(-1) == targets).sum())
            answers += targets.numel()
    model.train(was_training)
    return Score(total / count, right / answers if answers else None)


class SequenceTrainer:
    """Trains one model; `state_dict` holds all there is to go on exactly."""

    def __init__(
        self, config: SequenceConfig, batches: Batches, validation: Sequence[Sequences]
    ) -> None:
        first = batches(0)
        outputs = (
            int(first.targets.max()) + 1 if config.loss == "classes" else first.targets.shape[2]
        )
        if config.loss == "classes":
            outputs = max(outputs, *(int(batch.targets.max()) + 1 for batch in validation))
        self.config, self.batches, self.validation = config, batches, validation
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.model = SequenceModel(first.inputs.shape[2], outputs, config)
        self.optimizer = FlatAdam(self.model.parameters(), 1e-8, config.max_grad_norm)
        self.update = 0
        self.spent_s = 0.0
        self.best_error = math.inf
        self.best = weights_of(self.model)
        self.history: list[tuple[int, float]] = []

    @property
    def finished(self) -> bool:
        """Whether the budget of updates or of seconds is spent."""
        limit = self.config.updates
        return (limit > 0 and self.update >= limit) or self.spent_s >= self.config.seconds

    def train(self, updates: int) -> None:
        """Up to `updates` more gradient steps, validating on the way."""
        start, before = time.process_time(), self.spent_s
        for _ in range(updates):
            if self.finished:
                break
            self.step()
            self.spent_s = before + time.process_time() - start
            if self.update % self.config.validate_every == 0 or self.finished:
                self.validate()

    def step(self) -> None:
        """One gradient step on the batch of this update's number."""
        config = self.config
        batch = self.batches(self.update)
        with noise(self.model, config.seed * 2**32 + self.update):
            predictions = self.model(torch.from_numpy(batch.inputs), batch.scored)
        loss = loss_of(config.loss, predictions, torch.from_numpy(batch.targets))
        self.optimizer.clear()
        torch.autograd.backward(loss)
        self.optimizer.step(config.lr * self.rate(), self.optimizer.norm())
        self.update += 1

    def rate(self) -> float:
        """Factor on the learning rate: from 1 to 0.1 along a cosine."""
        if self.config.updates == 0:
            done = self.spent_s / self.config.seconds
        else:
            done = self.update / self.config.updates
        return 0.1 + 0.45 * (1 + math.cos(math.pi * min(1.0, done)))

    def validate(self) -> None:
        """Keep the weights if no validation error was lower."""
        error = score(self.model, self.config.loss, self.validation).loss
        self.history.append((self.update, error))
        if error < self.best_error:
            self.best_error = error
            self.best = weights_of(self.model)

    def selected(self) -> SequenceModel:
        """The model with the best validation error so far."""
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.best)
        return model.eval()

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes in training: tensors, numbers and lists only."""
        return {
            "model": self.model.state_dict(),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "update": self.update,
            "spent_s": self.spent_s,
            "best_error": self.best_error,
            "history": [list(point) for point in self.history],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`.

        Raises:
            ValueError: a state of the optimiser that this trainer had before.
        """
        if "first" not in state["optimizer"]:
            raise ValueError(
                "this run's checkpoint holds torch's Adam, which is not used any more; "
                "remove the checkpoint's folder to train the run anew"
            )
        self.model.load_state_dict(state["model"])
        self.best = state["best"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.update = state["update"]
        self.spent_s = state["spent_s"]
        self.best_error = state["best_error"]
        self.history = [(int(update), float(error)) for update, error in state["history"]]
