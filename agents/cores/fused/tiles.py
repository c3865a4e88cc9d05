"""The innermost piece of a matrix product, as vector instructions that any processor has.

numba's loops cannot keep a block of sums in registers, so the block is written in LLVM's own terms:
`block` adds ROWS x (1 or 2 vectors) of a product, `turn` transposes a square of one vector's width.
LLVM makes them AVX-512, AVX2 or NEON. Knows no matrix: only addresses and strides in elements.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

ZERO, ADD, BIAS = 0, 1, 2  # what a product begins with: nothing, what is there, one value per row
_HOST = binding.get_host_cpu_features()
cgutils: Any = untyped_cgutils
VECTOR_BYTES = 64 if _HOST.get("avx512f") else 32 if _HOST.get("avx2") else 16
FUSE = ("contract", "nsz", "reassoc")


class _Code:
    """Instructions of one precision, at the place where `builder` stands."""

    def __init__(self, context: Any, builder: Any, dtype: Any) -> None:
        self.context, self.builder = context, builder
        self.scalar = ir.FloatType() if dtype == types.float32 else ir.DoubleType()
        self.item_bytes = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.item_bytes
        self.vector = ir.VectorType(self.scalar, self.lanes)
        self.undefined = ir.Constant(self.vector, ir.Undefined)

    def pointer(self, kind: Any, value: Any, offset: Any) -> Any:
        """Address of the element `offset` places after that of a pointer, or an array's first."""
        if isinstance(kind, types.Array):
            value = self.context.make_array(kind)(self.context, self.builder, value).data
        return self.builder.gep(value, [offset])

    def ahead(self, pointer: Any, elements: Any) -> Any:
        """An address further on by a number or a value."""
        if isinstance(elements, int):
            elements = ir.Constant(ir.IntType(64), elements)
        return self.builder.gep(pointer, [elements])

    def times(self, stride: Any, count: int) -> Any:
        """stride * count."""
        return self.builder.mul(stride, ir.Constant(stride.type, count))

    def load(self, pointer: Any) -> Any:
        """One vector, from any address."""
        found = self.builder.load(self.builder.bitcast(pointer, self.vector.as_pointer()))
        found.align = self.item_bytes
        return found

    def store(self, vector: Any, pointer: Any) -> None:
        """One vector, to any address."""
        done = self.builder.store(vector, self.builder.bitcast(pointer, self.vector.as_pointer()))
        done.align = self.item_bytes

    def shuffle(self, first: Any, second: Any, lanes: list[int]) -> Any:
        """Lanes of two vectors, numbered through."""
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), lanes)
        return self.builder.shuffle_vector(first, second, mask)

    def splat(self, pointer: Any) -> Any:
        """The number at an address in all lanes."""
        return self.spread(self.builder.load(pointer))

    def spread(self, number: Any) -> Any:
        """One number in all lanes."""
        first = self.builder.insert_element(self.undefined, number, ir.Constant(ir.IntType(32), 0))
        return self.shuffle(first, self.undefined, [0] * self.lanes)


def block_of(rows: int, vectors: int) -> Callable[..., None]:
    """A function that makes `rows` x `vectors` of a product: see `block` below."""

    def block(
        typing: Any,
        out: Any,
        at: Any,
        out_row: Any,
        left: Any,
        left_at: Any,
        left_row: Any,
        left_column: Any,
        panel: Any,
        depth: Any,
        start: Any,
        bias: Any,
        bias_at: Any,
        bias_step: Any,
    ) -> Any:
        """out[r, v] = (0, out[r, v] or bias[r]) + sum over d of left[r, d] * panel[d, v].

        Places and strides in elements; `panel` [depth, 2 vectors] is contiguous, or [depth, 1].
        """
        place = types.intp
        signature = types.void(
            *(out, place, place, left, place, place, place, panel, place, place),
            *(bias, place, place),
        )

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            code = _Code(context, builder, signature.args[0].dtype)
            given = list(zip(signature.args, arguments, strict=True))
            (_, at), (_, out_row), (_, left_row), (_, left_column) = (
                given[k] for k in (1, 2, 5, 6)
            )
            depth, start, bias_step = arguments[8], arguments[9], arguments[12]
            here = code.pointer(*given[0], at)
            outs = [code.ahead(here, code.times(out_row, r)) for r in range(rows)]
            first = code.pointer(*given[3], arguments[4])
            lefts = [code.ahead(first, code.times(left_row, r)) for r in range(rows)]
            right = code.pointer(*given[7], ir.Constant(at.type, 0))
            offset = code.pointer(*given[10], arguments[11])
            cells = [(r, v) for r in range(rows) for v in range(vectors)]
            sums = {cell: cgutils.alloca_once(builder, code.vector) for cell in cells}
            for cell in cells:
                builder.store(ir.Constant(code.vector, [0.0] * code.lanes), sums[cell])
            begins: list[tuple[int, Callable[[int, int], Any]]] = [
                (ADD, lambda r, v: code.load(code.ahead(outs[r], v * code.lanes))),
                (BIAS, lambda r, v: code.splat(code.ahead(offset, code.times(bias_step, r)))),
            ]
            for value, found in begins:
                chosen = builder.icmp_signed("==", start, ir.Constant(start.type, value))
                with builder.if_then(chosen):
                    for cell in cells:
                        builder.store(found(*cell), sums[cell])
            with cgutils.for_range(builder, depth) as loop:
                line = code.ahead(right, code.times(loop.index, vectors * code.lanes))
                across = [code.load(code.ahead(line, v * code.lanes)) for v in range(vectors)]
                along = builder.mul(loop.index, left_column)
                for r in range(rows):
                    number = code.splat(code.ahead(lefts[r], along))
                    for v in range(vectors):
                        product = builder.fmul(number, across[v], flags=FUSE)
                        total = builder.fadd(builder.load(sums[r, v]), product, flags=FUSE)
                        builder.store(total, sums[r, v])
            for r, v in cells:
                code.store(builder.load(sums[r, v]), code.ahead(outs[r], v * code.lanes))
            return context.get_dummy_value()

        return signature, generate

    made: Callable[..., None] = intrinsic(block)
    return made


def contract_of(rows: int) -> Callable[..., None]:
    """A function that makes `rows` sums of products, lane by lane: see `contract` below."""

    def contract(
        typing: Any,
        out: Any,
        at: Any,
        out_row: Any,
        left: Any,
        left_at: Any,
        left_step: Any,
        right: Any,
        right_at: Any,
        right_row: Any,
        right_step: Any,
        depth: Any,
        scale: Any,
    ) -> Any:
        """out[r] = scale * sum over d of left[d] * right[r, d], each as wide as a vector.

        Places and strides in elements.
        """
        place = types.intp
        signature = types.void(
            *(out, place, place, left, place, place, right, place, place, place, place, scale)
        )

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            code = _Code(context, builder, signature.args[0].dtype)
            kinds, (_, at, out_row, _, left_at, left_step, _, right_at, *rest) = (
                signature.args,
                arguments,
            )
            right_row, right_step, depth, scale = rest
            there = code.pointer(kinds[0], arguments[0], at)
            line = code.pointer(kinds[3], arguments[3], left_at)
            block = code.pointer(kinds[6], arguments[6], right_at)
            starts = [code.ahead(block, code.times(right_row, r)) for r in range(rows)]
            sums = [cgutils.alloca_once(builder, code.vector) for _ in range(rows)]
            for total in sums:
                builder.store(ir.Constant(code.vector, [0.0] * code.lanes), total)
            with cgutils.for_range(builder, depth) as loop:
                factor = code.load(code.ahead(line, builder.mul(loop.index, left_step)))
                along = builder.mul(loop.index, right_step)
                for start, total in zip(starts, sums, strict=True):
                    product = builder.fmul(factor, code.load(code.ahead(start, along)), flags=FUSE)
                    builder.store(builder.fadd(builder.load(total), product, flags=FUSE), total)
            factor = code.spread(scale)
            for r, total in enumerate(sums):
                scaled = builder.fmul(builder.load(total), factor)
                code.store(scaled, code.ahead(there, code.times(out_row, r)))
            return context.get_dummy_value()

        return signature, generate

    made: Callable[..., None] = intrinsic(contract)
    return made


def copy_of(vectors: int) -> Callable[..., None]:
    """A function that copies `vectors` vectors from one place to another."""

    def copy(typing: Any, out: Any, at: Any, source: Any, source_at: Any) -> Any:
        signature = types.void(out, types.intp, source, types.intp)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            code = _Code(context, builder, signature.args[0].dtype)
            there = code.pointer(signature.args[0], arguments[0], arguments[1])
            here = code.pointer(signature.args[2], arguments[2], arguments[3])
            for v in range(vectors):
                found = code.load(code.ahead(here, v * code.lanes))
                code.store(found, code.ahead(there, v * code.lanes))
            return context.get_dummy_value()

        return signature, generate

    made: Callable[..., None] = intrinsic(copy)
    return made


def turn_call(
    typing: Any, out: Any, at: Any, row: Any, source: Any, source_at: Any, step: Any
) -> Any:
    """Transpose a square as wide as a vector: rows `step` apart in, rows `row` apart out."""
    place = types.intp
    signature = types.void(out, place, place, source, place, place)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(context, builder, signature.args[0].dtype)
        there = code.pointer(signature.args[0], arguments[0], arguments[1])
        here = code.pointer(signature.args[3], arguments[3], arguments[4])
        lanes, row, step = code.lanes, arguments[2], arguments[5]
        rows = [code.load(code.ahead(here, code.times(step, r))) for r in range(lanes)]
        half = lanes // 2
        low = [k // 2 + lanes * (k % 2) for k in range(lanes)]
        high = [k + half for k in low]
        for _ in range(lanes.bit_length() - 1):  # each round deals both halves alternately
            pairs = [(rows[k], rows[k + half]) for k in range(half)]
            rows = [code.shuffle(a, b, deal) for a, b in pairs for deal in (low, high)]
        for r, vector in enumerate(rows):
            code.store(vector, code.ahead(there, code.times(row, r)))
        return context.get_dummy_value()

    return signature, generate


turn: Callable[..., None] = intrinsic(turn_call)
