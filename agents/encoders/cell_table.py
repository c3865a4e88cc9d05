"""A symbolic grid as one linear layer of its one-hot codes, without the one-hot vector.

    output[b] = sum over cells p of  W[p, type] + W[p, 11 + colour] + W[p, 22 + state]

A partial view holds few distinct cells: the three summands of each are added up once a batch, and
one row per cell is gathered and summed (backward: scattered). Knows no other field.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from s2lab.agents.cores.fused.elementary import kernel
from s2lab.agents.encoders.field import SummedEncoder

CODES = 11  # types; colours and states are fewer


class CellTable(SummedEncoder):
    """Codes of cells -> a summand of the features.

    Initialised normal so that the sum over all cells has unit variance.

    Args:
        shape: of the image, [X, Y, 3]
        feature_size: F
    """

    def __init__(self, shape: tuple[int, ...], feature_size: int) -> None:
        super().__init__()
        width, height, channels = shape
        cells = width * height
        self.output_size = feature_size
        self.weight = nn.Parameter(torch.empty(cells, channels * CODES, feature_size))  # [P, 33, F]
        nn.init.normal_(self.weight, std=1 / math.sqrt(channels * cells))

    def forward(self, image: Tensor) -> Tensor:  # uint8 [B, X, Y, 3] -> [B, F]
        """Look every cell up and add.

        Raises:
            ValueError: a code above 10, on the CPU.
        """
        codes = image.reshape(len(image), -1, 3)  # [B, P, 3]
        if image.device.type != "cpu" or torch.compiler.is_compiling():
            return self.by_one_hot(codes)
        codes = codes.to(torch.uint8).contiguous()
        which = torch.empty(codes.shape[:2], dtype=torch.int16)  # [B, P]
        kinds = np.full((CODES**3, 3), -1, np.int64)
        count = np.zeros(1, np.int64)
        number_cells(codes.numpy(), which.numpy(), kinds, count)
        if count[0] < 0:
            raise ValueError(f"the image holds code {int(codes.max())}; 0 to {CODES - 1} are known")
        columns = torch.from_numpy(kinds[: count[0]] + np.arange(3) * CODES)  # [n, 3]
        parts = self.weight.index_select(1, columns.flatten())  # [P, n * 3, F]
        rows = parts.view(len(parts), -1, 3, self.output_size).sum(2)  # [P, n, F]
        summed: Tensor = _SumOfRows.apply(rows, which)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return summed

    def by_one_hot(self, codes: Tensor) -> Tensor:  # [B, P, 3] -> [B, F]
        """The same as a product with the one-hot vector: for GPUs and torch.compile."""
        one_hot = functional.one_hot(codes.long(), CODES).flatten(1).to(self.weight.dtype)
        return one_hot @ self.weight.flatten(0, 1)


class _SumOfRows(torch.autograd.Function):
    """rows [P, n, F], which int16 [B, P] -> sum over p of rows[p, which[b, p]], [B, F]."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, which: Tensor) -> Tensor:
        summed = torch.zeros(len(which), rows.shape[2], dtype=rows.dtype)
        gather_rows(rows.detach().contiguous().numpy(), which.numpy(), summed.numpy())
        ctx.which, ctx.shape = which, rows.shape
        return summed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0].contiguous()  # [B, F]
        rows = torch.zeros(ctx.shape, dtype=gradient.dtype)
        scatter_rows(gradient.numpy(), ctx.which.numpy(), rows.numpy())
        return rows, None


@kernel
def number_cells(codes: Any, which: Any, kinds: Any, count: Any) -> None:
    """Number the distinct cells of a batch in the order in which they appear.

    Args:
        codes: uint8 [B, P, 3].
        which: int16 [B, P], written: the number of each cell.
        kinds: int64 [11^3, 3], -1 everywhere; its first rows become the codes of each number.
        count: int64 [1], written: how many there are, or -1 if a code is above 10.
    """
    numbers = np.full(CODES**3, -1, np.int16)
    found = 0
    for b in range(codes.shape[0]):
        for p in range(codes.shape[1]):
            kind, colour, state = codes[b, p, 0], codes[b, p, 1], codes[b, p, 2]
            if kind >= CODES or colour >= CODES or state >= CODES:
                count[0] = -1
                return
            code = (np.int64(kind) * CODES + colour) * CODES + state
            if numbers[code] < 0:
                numbers[code] = found
                kinds[found, 0], kinds[found, 1], kinds[found, 2] = kind, colour, state
                found += 1
            which[b, p] = numbers[code]
    count[0] = found


@kernel
def gather_rows(rows: Any, which: Any, summed: Any) -> None:
    """summed[b] += rows[p, which[b, p]] for every p."""
    for b in range(which.shape[0]):
        for p in range(which.shape[1]):
            row = which[b, p]
            for f in range(rows.shape[2]):
                summed[b, f] += rows[p, row, f]


@kernel
def scatter_rows(gradient: Any, which: Any, rows: Any) -> None:
    """rows[p, which[b, p]] += gradient[b] for every p."""
    for b in range(which.shape[0]):
        for p in range(which.shape[1]):
            row = which[b, p]
            for f in range(rows.shape[2]):
                rows[p, row, f] += gradient[b, f]
