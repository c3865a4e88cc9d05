"""A view of 7 x 7 cells in vector registers: gathered, masked and written by few instructions.

Cell (i, j) of a view is word 8 * i + j of a register of 64 words, and bit 8 * i + j of a set of
cells; words and bits whose i or j is 7 mean nothing. The code is LLVM's, which makes of it what the
processor has. These functions exist on the CPU only, and only compiled. Knows no worlds and no
occlusion.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

SIDE = 7
LANES = 8
OWN = 8 * (SIDE // 2) + SIDE - 1  # the agent's cell

_BIT, _BYTE, _HALF, _WORD = (ir.IntType(bits) for bits in (1, 8, 16, 64))
_CELLS = ir.VectorType(_HALF, 64)
_LANE = ir.VectorType(_HALF, LANES)
_SET = ir.VectorType(_BIT, 64)
_primitive: Callable[[Callable[..., Any]], Any] = intrinsic
_codegen: Any = cgutils


def _pick(builder: Any, first: Any, second: Any, indices: list[int]) -> Any:
    """Elements of two vectors, those of the second one numbered after those of the first."""
    kind = ir.VectorType(ir.IntType(32), len(indices))
    return builder.shuffle_vector(first, second, ir.Constant(kind, indices))


def _all(number: int, kind: Any = _CELLS) -> Any:
    return ir.Constant(kind, [number] * kind.count)


def _as_set(builder: Any, condition: Any) -> Any:
    """Every cell or none, for a choice without a branch."""
    return builder.bitcast(builder.sext(condition, _WORD), _SET)


def _address(context: Any, builder: Any, kind: Any, array: Any, indices: list[Any]) -> Any:
    made = context.make_array(kind)(context, builder, array)
    return _codegen.get_item_pointer(context, builder, kind, made, indices, wraparound=False)


def _gather(context: Any, builder: Any, signature: Any, given: Any) -> Any:
    """The cells of a view, from `cells, n, start, step, direction`.

    Seven runs of cells lie `step` apart from `start` on: columns of the view where the agent looks
    right or left, rows where it looks down or up, and in the order of the view but for the cells of
    a run when the agent looks right or down.
    """
    cells, n, start, step, direction = given[:5]
    place, runs = start, []
    for _ in range(SIDE):
        pointer = _address(context, builder, signature.args[0], cells, [n, place])
        runs.append(builder.load(builder.bitcast(pointer, _LANE.as_pointer()), align=2))
        place = builder.add(place, step)
    runs.append(_all(0, _LANE))
    while len(runs) > 1:
        count = 2 * runs[0].type.count
        pairs = zip(runs[::2], runs[1::2], strict=True)
        runs = [_pick(builder, one, other, list(range(count))) for one, other in pairs]
    (found,) = runs
    lanes = range(LANES)
    backwards = [8 * i + (SIDE - 1 - j) % LANES for i in lanes for j in lanes]
    turned = _pick(builder, found, found, backwards)
    first_two = builder.icmp_unsigned("<", direction, ir.Constant(_WORD, 2))
    found = builder.select(_as_set(builder, first_two), turned, found)
    across = _pick(builder, found, found, [8 * j + i for i in lanes for j in lanes])
    odd = builder.trunc(direction, _BIT)
    return builder.select(_as_set(builder, odd), across, found)


@_primitive
def cells_without(
    context: Any, cells: Any, n: Any, start: Any, step: Any, direction: Any, bit: Any
) -> Any:
    """The set of a view's cells that lack a bit; the view is where `_gather` says."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        found = _gather(context, builder, signature, given)
        kept = builder.and_(found, _spread(builder, builder.trunc(given[5], _HALF)))
        return builder.bitcast(builder.icmp_unsigned("==", kept, _all(0)), _WORD)

    return types.int64(cells, *[types.int64] * 5), generate


def _spread(builder: Any, number: Any) -> Any:
    one = builder.insert_element(ir.Constant(_CELLS, ir.Undefined), number, ir.Constant(_WORD, 0))
    return _pick(builder, one, one, [0] * 64)


@_primitive
def show(
    context: Any,
    cells: Any,
    n: Any,
    start: Any,
    step: Any,
    direction: Any,
    visible: Any,
    held: Any,
    image: Any,
) -> Any:
    """Write the visible cells of a view, and the carried cell in the agent's place, to `image[n]`.

    The set of the types that are visible, bit `1 << type`, without the agent's place.
    """

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        found = _gather(context, builder, signature, given)
        others = builder.and_(given[5], ir.Constant(_WORD, ~(1 << OWN)))
        found = builder.select(builder.bitcast(others, _SET), found, _all(0))
        own = ir.Constant(ir.IntType(32), OWN)
        meant = [int(k // 8 < SIDE and k % 8 < SIDE and k != OWN) for k in range(64)]
        kinds = builder.shl(ir.Constant(_CELLS, meant), builder.and_(found, _all(15)))
        kind, name = ir.FunctionType(_HALF, [_CELLS]), "llvm.vector.reduce.or.v64i16"
        reduce = _codegen.get_or_insert_function(builder.module, kind, name)
        kinds = builder.zext(builder.call(reduce, [kinds]), _WORD)
        found = builder.insert_element(found, builder.trunc(given[6], _HALF), own)
        image = signature.args[7]
        zero = ir.Constant(_WORD, 0)
        target = _address(context, builder, image, given[7], [given[1], zero, zero, zero])
        _store(builder, found, target)
        return kinds

    return types.int64(cells, *[types.int64] * 6, image), generate


def _store(builder: Any, found: Any, target: Any) -> None:
    """Write cells as bytes of type, colour and state, 3 * 7 * 7 in all."""
    small = ir.VectorType(_BYTE, 64)
    channels = [
        builder.trunc(builder.and_(builder.lshr(found, _all(shift)), _all(mask)), small)
        for shift, mask in ((0, 15), (4, 7), (7, 3))
    ]
    order = [(c, 8 * i + j) for i in range(SIDE) for j in range(SIDE) for c in range(3)]
    begin = 0
    for count in (64, 64, 16, 2, 1):
        wanted = order[begin : begin + count]
        two = [64 * c + k if c < 2 else 0 for c, k in wanted]
        mixed = _pick(builder, channels[0], channels[1], two)
        if count < 64:
            mixed = _pick(builder, mixed, mixed, [min(k, count - 1) for k in range(64)])
        third = [64 + k if c == 2 else at for at, (c, k) in enumerate(wanted)]
        mixed = _pick(builder, mixed, channels[2], third)
        place = builder.gep(target, [ir.Constant(_WORD, begin)])
        builder.store(mixed, builder.bitcast(place, mixed.type.as_pointer()), align=1)
        begin += count


@_primitive
def reverse_bytes(context: Any, word: Any) -> Any:
    """The eight bytes of a word in the opposite order."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.bswap(given[0])

    return types.int64(types.int64), generate
