"""One learner in several processes (torchrun, gloo or nccl). Without a process group, one alone.

Each process collects from worlds of its own; gradients and the statistics of advantages are
averaged, so that all take the step that one process with all the worlds would take. Knows no
learning algorithm.
"""

import torch
from torch import Tensor, distributed, nn


def processes() -> int:
    """How many learn together."""
    together = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if together else 1


def rank() -> int:
    """Which of them this process is, from 0."""
    return distributed.get_rank() if processes() > 1 else 0


def average(values: Tensor) -> None:
    """Replace gradients or losses by their mean over the processes, in one message."""
    if processes() > 1:
        distributed.all_reduce(values)
        values /= processes()


def share_weights(model: nn.Module) -> None:
    """Every process takes the weights of the first."""
    if processes() > 1:
        for part in (*model.parameters(), *model.buffers()):
            distributed.broadcast(part.detach(), 0)


def across(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (with Bessel's correction) of the values of all processes."""
    if processes() == 1:
        return values.mean(), values.std()
    sums = torch.stack([values.sum(), values.new_tensor(values.numel())]).double()
    distributed.all_reduce(sums)
    mean = sums[0] / sums[1]
    squares = ((values.double() - mean) ** 2).sum()
    distributed.all_reduce(squares)
    return mean.to(values.dtype), (squares / (sums[1] - 1)).sqrt().to(values.dtype)


def any_of(flag: bool) -> bool:
    """Whether it is true in any of the processes."""
    if processes() == 1:
        return flag
    found = torch.tensor(float(flag))
    distributed.all_reduce(found)
    return bool(found > 0)
