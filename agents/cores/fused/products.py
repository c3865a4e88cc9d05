"""Small matrix products inside kernels, on one thread. Knows no core and no layout but rows.

    product(out [M, N], left [M, D], right [D, N], start, bias [M])

    start = ZERO      out = left @ right
    start = ADD       out += left @ right
    start = BIAS      out = bias + left @ right

Rows of `out` are contiguous; all else may have any strides, so that a transposed matrix costs
nothing. At the sizes of a recurrent step (tens of rows, tens to hundreds of columns) a call of a
library costs as much as its work. Columns are taken a tile at a time: that part of `right` is
copied side by side once and stays in the nearest cache while all rows pass by.

The product is compiled once for each precision, with C's convention, and kernels call it by name:
compiled into each of them it would take them most of a minute.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils as untyped_cgutils
from numba.core.ccallback import CFunc
from numba.extending import intrinsic

from s2lab.agents.cores.fused.elementary import FLAGS, Kept, borrowing, kernel
from s2lab.agents.cores.fused.tiles import (
    ADD,
    BIAS,
    VECTOR_BYTES,
    ZERO,
    block_of,
    copy_of,
    turn,
)

__all__ = ["ADD", "BIAS", "ZERO", "add_sums", "compile_products", "product"]

cgutils: Any = untyped_cgutils
carray: Any = vars(numba)["carray"]
block8, block4, block2, block1 = (block_of(rows, 2) for rows in (8, 4, 2, 1))
half8, half4, half2, half1 = (block_of(rows, 1) for rows in (8, 4, 2, 1))
copy2, copy1 = copy_of(2), copy_of(1)


@borrowing
def gather(
    panel: Any, right: Any, at: int, row: int, column: int, depth: int, width: int, vectors: int
) -> None:
    """`width` columns of `right`, which begin at place `at`, into `panel` [depth, vectors * lanes];
    the rest of the panel is zeros."""
    lanes = VECTOR_BYTES // panel.itemsize
    across = vectors * lanes
    flat = panel.reshape(-1)
    if column == 1 and width == across:
        for d in range(depth):
            if vectors == 2:
                copy2(panel, d * across, right, at + d * row)
            else:
                copy1(panel, d * across, right, at + d * row)
        return
    done, whole = 0, width // lanes
    if row == 1:
        while done + lanes <= depth:
            for part in range(whole):
                source = at + done + part * lanes * column
                turn(panel, done * across + part * lanes, across, right, source, column)
            done += lanes
    for d in range(depth):
        for j in range(whole * lanes if d < done else 0, width):
            flat[d * across + j] = right[at + d * row + j * column]
        for j in range(width, across):
            flat[d * across + j] = 0


@borrowing
def pass_rows(
    out: Any,
    at: int,
    down: int,
    rows: int,
    left: Any,
    row: int,
    column: int,
    panel: Any,
    vectors: int,
    depth: int,
    start: int,
    bias: Any,
    step: int,
) -> None:
    """All rows of one or two vectors of columns, which begin at place `at`."""
    m = 0
    while m < rows:
        here, there = m * row, at + m * down
        more = (panel, depth, start, bias, m * step, step)
        if vectors == 2:
            if m + 8 <= rows:
                block8(out, there, down, left, here, row, column, *more)
                m += 8
            elif m + 4 <= rows:
                block4(out, there, down, left, here, row, column, *more)
                m += 4
            elif m + 2 <= rows:
                block2(out, there, down, left, here, row, column, *more)
                m += 2
            else:
                block1(out, there, down, left, here, row, column, *more)
                m += 1
        elif m + 8 <= rows:
            half8(out, there, down, left, here, row, column, *more)
            m += 8
        elif m + 4 <= rows:
            half4(out, there, down, left, here, row, column, *more)
            m += 4
        elif m + 2 <= rows:
            half2(out, there, down, left, here, row, column, *more)
            m += 2
        else:
            half1(out, there, down, left, here, row, column, *more)
            m += 1


def strided_product(
    out: Any,
    down: int,
    rows: int,
    columns: int,
    left: Any,
    row: int,
    column: int,
    depth: int,
    right: Any,
    right_row: int,
    right_column: int,
    start: int,
    bias: Any,
    step: int,
) -> None:
    """`product` of addresses; strides in elements."""
    first = carray(out, 1)
    lanes = VECTOR_BYTES // first.itemsize
    panel = np.empty((depth, 2 * lanes), first.dtype)
    spare = np.empty((rows, lanes), panel.dtype)
    n = 0
    while n < columns:
        vectors = 2 if n + 2 * lanes <= columns else 1
        width = min(vectors * lanes, columns - n)
        at = n * right_column
        gather(panel, right, at, right_row, right_column, depth, width, vectors)
        if width == vectors * lanes:
            pass_rows(
                out, n, down, rows, left, row, column, panel, vectors, depth, start, bias, step
            )
        else:
            for m in range(rows):
                for j in range(lanes):
                    spare[m, j] = out[m * down + n + j] if start == ADD and j < width else 0
            pass_rows(spare, 0, lanes, rows, left, row, column, panel, 1, depth, start, bias, step)
            for m in range(rows):
                for j in range(width):
                    out[m * down + n + j] = spare[m, j]
        n += width


def product_call(typing: Any, out: Any, left: Any, right: Any, start: Any, bias: Any) -> Any:
    """See the module docstring; `bias` is any vector where it is not used."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        matrices = {}
        for name, kind, value in zip(
            ("out", "left", "right", "start", "bias"), signature.args, arguments, strict=True
        ):
            if name != "start":
                matrices[name] = context.make_array(kind)(context, builder, value)
        item = ir.Constant(ir.IntType(64), out.dtype.bitwidth // 8)

        def strides(name: str) -> list[Any]:
            found = cgutils.unpack_tuple(builder, matrices[name].strides)
            return [builder.sdiv(stride, item) for stride in found]

        rows, columns = cgutils.unpack_tuple(builder, matrices["out"].shape)
        depth = cgutils.unpack_tuple(builder, matrices["left"].shape)[1]
        given = [matrices["out"].data, strides("out")[0], rows, columns]
        given += [matrices["left"].data, *strides("left"), depth]
        given += [matrices["right"].data, *strides("right"), arguments[3]]
        given += [matrices["bias"].data, *strides("bias")]
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in given])
        name = symbol(out.dtype)
        builder.call(cgutils.get_or_insert_function(builder.module, kind, name), given)
        return context.get_dummy_value()

    return types.void(out, left, right, types.intp, bias), generate


product: Callable[..., None] = intrinsic(product_call)


def symbol(dtype: Any) -> str:
    """What the product of one precision is called."""
    return f"s2lab_product_{dtype}"


@cache
def compile_products(dtype: str) -> Any:
    """Make `product` ready for float32 or float64; before any kernel that calls it is loaded."""
    pointer: Any = types.CPointer
    number, place = pointer(getattr(types, dtype)), types.intp
    signature = types.void(
        *(number, place, place, place, number, place, place, place),
        *(number, place, place, place, number, place),
    )
    made: Any = CFunc(strided_product, (signature.args, types.void), {}, FLAGS)
    made._cache = Kept(strided_product)
    made.compile()
    binding.add_symbol(symbol(dtype), made.address)
    return made  # kept alive by the cache of this function


@kernel
def add_sums(out: Any, values: Any) -> None:
    """out [M] += the sum of each row of values [M, N], whose rows are contiguous."""
    rows, columns = values.shape
    for m in range(rows):
        total = values[m, 0]
        for n in range(1, columns):
            total += values[m, n]
        out[m] += total
