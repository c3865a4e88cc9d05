"""What a fused modular step is made of, and the names its stages answer to inside kernels.

A step has up to three stages: the modules propose (`lstm_stage.py`, `schema_stage.py`), they talk
(`pairwise_stage.py`, `workspace_stage.py`) and the active ones are updated (`update_stage.py`). A
stage is two named tuples of arrays, its room (buffers of T steps, scratch of the backward pass) and
its weights, and functions of them; the functions below find a stage's own by the type of its room.
A stage's gradients are a tuple like its weights.

Layout: [features, modules K, batch B], rows contiguous. Gradients of weights are products over the
batch; they are taken for `chunk` steps at a time, so that a large matrix of sums is not fetched
again for every step: slot s of a chunk that begins at step `first` belongs to step first + s.
Knows no autograd and no equations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numba import types
from numba.extending import overload
from torch import Tensor

from s2lab.agents.cores.fused.elementary import FLAGS

Parts = tuple[Tensor, ...]
Answer = TypeVar("Answer", bound=Callable[..., None])
CHUNK_COLUMNS = 512


@dataclass(frozen=True)
class Sizes:
    """T steps, B rows, K modules of H units, k_A of them active, query width d.

    Buffers have rows up to the next multiple of a vector's width; those that nobody asked for begin
    as zeros and get no gradient.
    """

    steps: int
    rows: int
    modules: int
    units: int
    active: int
    key: int

    @property
    def chunk(self) -> int:
        """Steps whose gradients of weights are taken together.

        Sums of small modules stay in a near cache beside the slopes of few steps.
        """
        columns = CHUNK_COLUMNS if self.units >= 64 else CHUNK_COLUMNS // 4
        return min(self.steps, max(1, columns // self.rows))


class Slopes(NamedTuple):
    """Gradients that travel backward through time, changed in place at every step."""

    hidden: np.ndarray
    """[H, K, B]"""
    cell: np.ndarray
    """[H, K, B]; empty where modules have none."""
    memory: np.ndarray
    """[D, S, B]; empty where there is none."""
    candidate: np.ndarray
    """[H, K, B], of this step's candidate."""
    message: np.ndarray
    """[D, K, B], of this step's messages."""


def begin(room: Any, weights: Any, inputs: Any) -> None:
    """What does not depend on time, from inputs [T, B, I]."""


def propose(t: int, room: Any, weights: Any, hidden: Any) -> None:
    """Candidates and who is active, from hidden [H, K, B]."""


def propose_backward(t: int, slot: int, room: Any, weights: Any, hidden: Any, slopes: Any) -> None:
    """From the slope of the candidate; adds to the hidden state's, renews the cell's."""


def propose_gradients(
    first: int, count: int, room: Any, inputs: Any, hidden: Any, gradients: Any
) -> None:
    """Adds one chunk to the gradients of the weights; hidden [T + 1, H, K, B]."""


def inputs_backward(first: int, count: int, room: Any, weights: Any, d_inputs: Any) -> None:
    """Writes the gradients of one chunk's inputs [T, B, I]."""


def exchange(t: int, room: Any, weights: Any, candidate: Any, active: Any) -> None:
    """Messages, from candidates [H, K, B] and active [K, B]."""


def exchange_backward(
    t: int, slot: int, room: Any, weights: Any, candidate: Any, active: Any, slopes: Any
) -> None:
    """From the slope of the message; adds to that of the candidate, renews that of the memory."""


def exchange_gradients(first: int, count: int, room: Any, candidates: Any, gradients: Any) -> None:
    """Adds one chunk to the gradients of the weights; candidates [T, H, K, B]."""


def answers(name: Callable[..., None], room: type) -> Callable[[Answer], Answer]:
    """Mark a function as what `name` does, inside kernels, with a room of this type."""

    def register(function: Answer) -> Answer:
        def choose(*arguments: Any) -> Any:
            first = next(kind for kind in arguments if isinstance(kind, types.NamedTuple))
            return function if first.instance_class is room else None

        overload(name, cast(Any, FLAGS), strict=False, inline="always")(choose)
        return function

    return register
