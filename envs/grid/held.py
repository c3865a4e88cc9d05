"""Groups of arrays that compiled functions know by one address, where `keep` has written them.

A function that is handed a dozen arrays is handed a hundred numbers, again and again, by whoever
calls it. Behind an address it looks like the group itself (`held.cells[n, i]`), so that the same
source takes either. What is held does not change while kernels run: the compiler may read it once.
Nothing here keeps arrays alive. These exist on the CPU only, and only compiled. Knows no worlds.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.datamodel import models
from numba.core.imputils import impl_ret_borrowed
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, register_model

_WORD = ir.IntType(64)
_NUMBER = ir.IntType(32)
_primitive: Callable[[Callable[..., Any]], Any] = intrinsic
_Primitive: Any = models.PrimitiveModel
_Template: Any = AttributeTemplate
_read_by: Any = lower_getattr_generic
_borrowed: Any = impl_ret_borrowed
_tuple_of: Any = types.Tuple


class Held(types.Type):
    """A named tuple behind an address."""

    def __init__(self, group: Any) -> None:
        self.group = group
        super().__init__(name=f"Held({group})")


@register_model(Held)
class _HeldModel(_Primitive):  # type: ignore[misc]  # as Any, like all of numba here
    def __init__(self, manager: Any, kind: Held) -> None:
        super().__init__(manager, kind, _WORD)


@infer_getattr
class _HeldFields(_Template):  # type: ignore[misc]  # as above
    key = Held

    def generic_resolve(self, held: Held, name: str) -> Any:
        return held.group.types[held.group.fields.index(name)]


@_read_by(Held)  # type: ignore[untyped-decorator]  # as above
def _read_field(context: Any, builder: Any, held: Held, address: Any, name: str) -> Any:
    position = held.group.fields.index(name)
    group = builder.inttoptr(address, context.get_value_type(held.group).as_pointer())
    value = _read(builder, _inside(builder, group, position))
    return _borrowed(context, builder, held.group.types[position], value)


def _inside(builder: Any, pointer: Any, position: int) -> Any:
    return builder.gep(pointer, [ir.Constant(_NUMBER, 0), ir.Constant(_NUMBER, position)], True)


def _read(builder: Any, pointer: Any) -> Any:
    """What lies at a pointer, piece by piece: LLVM reads those that are used."""
    kind = pointer.type.pointee
    if isinstance(kind, ir.Aggregate):
        whole = ir.Constant(kind, ir.Undefined)
        for position in range(len(kind)):
            piece = _read(builder, _inside(builder, pointer, position))
            whole = builder.insert_value(whole, piece, position)
        return whole
    piece = builder.load(pointer)
    piece.set_metadata("invariant.load", builder.module.add_metadata([]))
    return piece


@_primitive
def keep(context: Any, address: Any, value: Any) -> Any:
    """Write a value as the machine holds it, arrays by reference, to an address."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        pointer = builder.inttoptr(given[0], given[1].type.as_pointer())
        builder.store(given[1], pointer)
        return context.get_dummy_value()

    return types.void(types.int64, value), generate


def fetcher(kind: Any) -> Any:
    """A function that takes the address of a tuple of groups (and arrays): the groups, held."""

    @_primitive
    def fetch(context: Any, address: Any) -> Any:
        parts = [Held(part) if hasattr(part, "fields") else part for part in kind.types]
        returned = _tuple_of(parts)

        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            start = builder.inttoptr(given[0], context.get_value_type(kind).as_pointer())
            places = [_inside(builder, start, i) for i in range(len(parts))]
            values = [
                builder.ptrtoint(place, _WORD) if isinstance(part, Held) else _read(builder, place)
                for part, place in zip(parts, places, strict=True)
            ]
            return context.make_tuple(builder, returned, values)

        return returned(types.int64), generate

    return fetch
