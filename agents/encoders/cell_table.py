"""A symbolic grid as one linear layer of its one-hot codes, without the one-hot vector.

    output[b] = sum over cells p of  W[p, type] + W[p, 11 + colour] + W[p, 22 + state]

and, where the floor is bare, less the same sum for a view of empty cells.

A partial view holds few distinct cells: the three summands of each are added up once a batch, and
one row per cell is gathered and summed (backward: scattered). Knows no other field.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from s2lab.agents.cores.contract import use_fused
from s2lab.agents.cores.fused.elementary import kernel
from s2lab.agents.encoders.field import SummedEncoder

CODES = 11  # types; colours and states are fewer
FLOOR = (1, CODES, 2 * CODES)  # columns of an empty cell: type 1, colour 0, state 0
CHUNK = 32  # rows of the batch whose features stay in the first-level cache


class CellTable(SummedEncoder):
    """Codes of cells -> a summand of the features.

    Initialised normal so that the sum over all cells has unit variance.

    Args:
        shape: of the image, [X, Y, 3]
        feature_size: F
        bare_floor: whether empty cells add nothing
    """

    def __init__(
        self, shape: tuple[int, ...], feature_size: int, *, bare_floor: bool = False
    ) -> None:
        super().__init__()
        self.bare_floor = bare_floor
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
        if not use_fused("auto", self.weight) or codes.device.type != "cpu":
            return self.by_one_hot(codes)
        cells = distinct_cells(codes.to(torch.uint8).contiguous())
        floor = np.array(FLOOR if self.bare_floor else [], np.int64)
        summed: Tensor = _SumOfRows.apply(self.weight, *cells, floor)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return summed

    def by_one_hot(self, codes: Tensor) -> Tensor:  # [B, P, 3] -> [B, F]
        """The same as a product with the one-hot vector: for GPUs and torch.compile."""
        one_hot = functional.one_hot(codes.long(), CODES).flatten(1).to(self.weight.dtype)
        summed = one_hot @ self.weight.flatten(0, 1)
        return summed - self.weight[:, FLOOR].sum((0, 1)) if self.bare_floor else summed


def distinct_cells(codes: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The cells that occur, each once.

    Args:
        codes: uint8 [B, P, 3]

    Returns:
        kinds: int64 [n, 3], the three columns of the table's rows for each
        which: int16 [B, P], the number of each cell

    Raises:
        ValueError: a code above 10.
    """
    which = np.empty(codes.shape[:2], np.int16)
    kinds, count = np.empty((CODES**3, 3), np.int64), np.zeros(1, np.int64)
    number_cells(codes.numpy(), which, kinds, count)
    if count[0] < 0:
        raise ValueError(f"the image holds code {int(codes.max())}; 0 to {CODES - 1} are known")
    return kinds[: count[0]], which


class _SumOfRows(torch.autograd.Function):
    """weight [P, 33, F], kinds [n, 3], which [B, P], floor [0 or 3] -> sums of rows [B, F]."""

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, kinds: np.ndarray, which: np.ndarray, floor: np.ndarray
    ) -> Tensor:
        rows = weight.new_empty(len(weight), len(kinds), weight.shape[2])
        summed = weight.new_empty(len(which), weight.shape[2])
        gather_rows(weight.detach().numpy(), kinds, which, floor, rows.numpy(), summed.numpy())
        ctx.cells, ctx.shape = (kinds, which, floor), weight.shape
        return summed

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None, None]:
        kinds, which, floor = ctx.cells
        rows = slope.new_empty(ctx.shape[0], len(kinds), ctx.shape[2])
        d_weight, slopes = slope.new_zeros(ctx.shape), slope.contiguous().numpy()
        scatter_rows(slopes, kinds, which, floor, rows.numpy(), d_weight.numpy())
        return d_weight, None, None, None


@kernel
def number_cells(codes: Any, which: Any, kinds: Any, count: Any) -> None:
    """Number the distinct cells of a batch in the order in which they appear.

    Args:
        codes: uint8 [B, P, 3].
        which: int16 [B, P], written: the number of each cell.
        kinds: int64 [11^3, 3]; its first rows become the columns of each number.
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
                kinds[found, 0] = kind
                kinds[found, 1] = CODES + np.int64(colour)
                kinds[found, 2] = 2 * CODES + np.int64(state)
                found += 1
            which[b, p] = numbers[code]
    count[0] = found


@kernel
def gather_rows(weight: Any, kinds: Any, which: Any, floor: Any, rows: Any, summed: Any) -> None:
    """summed[b] = sum over p of rows[p, which[b, p]].

    rows[p, n] = sum of weight[p, kinds[n]] less that of weight[p, floor].

    weight [P, 33, F]; rows [P, n, F] and summed [B, F] are written.
    """
    for p in range(rows.shape[0]):
        for n in range(rows.shape[1]):
            x, y, z = kinds[n, 0], kinds[n, 1], kinds[n, 2]
            for f in range(rows.shape[2]):
                rows[p, n, f] = weight[p, x, f] + weight[p, y, f] + weight[p, z, f]
            for k in range(len(floor)):
                column = floor[k]
                for f in range(rows.shape[2]):
                    rows[p, n, f] -= weight[p, column, f]
    for first in range(0, summed.shape[0], CHUNK):
        last = min(first + CHUNK, summed.shape[0])
        for b in range(first, last):
            row = which[b, 0]
            for f in range(rows.shape[2]):
                summed[b, f] = rows[0, row, f]
        for p in range(1, rows.shape[0]):
            for b in range(first, last):
                row = which[b, p]
                for f in range(rows.shape[2]):
                    summed[b, f] += rows[p, row, f]


@kernel
def scatter_rows(slope: Any, kinds: Any, which: Any, floor: Any, rows: Any, d_weight: Any) -> None:
    """The transpose of `gather_rows`: slope [B, F]; rows are written, d_weight is added to."""
    for p in range(rows.shape[0]):
        for n in range(rows.shape[1]):
            for f in range(rows.shape[2]):
                rows[p, n, f] = 0
    for first in range(0, slope.shape[0], CHUNK):
        last = min(first + CHUNK, slope.shape[0])
        for p in range(rows.shape[0]):
            for b in range(first, last):
                row = which[b, p]
                for f in range(rows.shape[2]):
                    rows[p, row, f] += slope[b, f]
    for p in range(rows.shape[0]):
        for n in range(rows.shape[1]):
            for k in range(3):
                column = kinds[n, k]
                for f in range(rows.shape[2]):
                    d_weight[p, column, f] += rows[p, n, f]
            for k in range(len(floor)):
                column = floor[k]
                for f in range(rows.shape[2]):
                    d_weight[p, column, f] -= rows[p, n, f]
