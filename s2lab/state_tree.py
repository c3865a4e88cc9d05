"""Nested state as JSON plus named tensors, and back, types and bits exact. Knows no files.

JSON holds what JSON means; everything else is an object tagged "$":
    {"$": "tensor", "key": K}    {"$": "array", "key": K}    {"$": "tuple", "items": [...]}    ...
where K names a tensor in the file beside it. Nothing is pickled: a type without a tag is refused.
"""

import base64
import math
import struct
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch

TAG = "$"
EXACT_IN_JSON = 2**53


def encode(tree: Any) -> tuple[Any, dict[str, "torch.Tensor"]]:
    """The JSON form of a tree and its tensors (cpu, contiguous, none sharing memory).

    Raises TypeError naming the path of a leaf that has no exact form.
    """
    tensors: dict[str, torch.Tensor] = {}
    return _encode(tree, "", tensors), tensors


def encode_parts(parts: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, "torch.Tensor"]]:
    """`encode` for several named trees whose tensors share one file."""
    tensors: dict[str, torch.Tensor] = {}
    return {name: _encode(tree, name, tensors) for name, tree in parts.items()}, tensors


def decode(form: Any, tensors: Mapping[str, "torch.Tensor"]) -> Any:
    """The tree that `encode` saw. Raises KeyError or ValueError on a damaged form."""
    if isinstance(form, list):
        return [decode(item, tensors) for item in form]
    if not isinstance(form, dict):
        return form
    if TAG not in form:
        return {key: decode(value, tensors) for key, value in form.items()}
    if form[TAG] == "tensor":
        return _tensor_back(form, tensors)
    if form[TAG] == "array":
        return _array_back(form, tensors)
    if form[TAG] not in DECODERS:
        raise ValueError(f"unknown tag {form[TAG]!r}")
    return DECODERS[form[TAG]](form, lambda inner: decode(inner, tensors))


def _encode(value: Any, path: str, tensors: dict[str, "torch.Tensor"]) -> Any:
    import numpy as np
    import torch

    if value is None or type(value) in (bool, str):
        return value
    if type(value) is int:
        return value if abs(value) <= EXACT_IN_JSON else {TAG: "int", "hex": hex(value)}
    if type(value) is float:
        return (
            value
            if math.isfinite(value)
            else {TAG: "float", "bits": struct.pack(">d", value).hex()}
        )
    if type(value) is bytes:
        return {TAG: "bytes", "base64": base64.b64encode(value).decode()}
    if isinstance(value, torch.Tensor):
        return _tensor_form(value, path, tensors)
    if isinstance(value, np.ndarray):
        return _array_form(value, path, tensors)
    if isinstance(value, np.generic):
        return {**_array_form(np.array(value), path, tensors), "scalar": True}
    return _encode_container(value, path, tensors)


def _encode_container(value: Any, path: str, tensors: dict[str, "torch.Tensor"]) -> Any:
    def under(key: object, item: Any) -> Any:
        return _encode(item, f"{path}.{key}" if path else str(key), tensors)

    if type(value) is list:
        return [under(i, item) for i, item in enumerate(value)]
    if type(value) is tuple:
        return {TAG: "tuple", "items": [under(i, item) for i, item in enumerate(value)]}
    if type(value) is deque:
        items = [under(i, item) for i, item in enumerate(value)]
        return {TAG: "deque", "items": items, "maxlen": value.maxlen}
    if type(value) is dict and all(type(key) is str for key in value) and TAG not in value:
        return {key: under(key, item) for key, item in value.items()}
    if type(value) in (dict, OrderedDict):
        pairs = [[_encode(key, f"{path} key", tensors), under(key, value[key])] for key in value]
        form = {TAG: type(value).__name__, "items": pairs}
        # torch keeps each module's state version in an attribute of the OrderedDict.
        if getattr(value, "_metadata", None) is not None:
            form["metadata"] = _encode(value._metadata, f"{path} metadata", tensors)
        return form
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise TypeError(f"state at {path or 'the root'!r} is a {kind}, which has no exact saved form")


def _tensor_form(
    value: "torch.Tensor", path: str, tensors: dict[str, "torch.Tensor"]
) -> dict[str, Any]:
    import torch

    if value.layout != torch.strided or value.is_quantized:
        raise TypeError(f"state at {path!r} is a sparse or quantised tensor: make it dense")
    plain = value.detach()
    form: dict[str, Any] = {TAG: "tensor", "key": _free(path, tensors)}
    if plain.dtype == torch.complex128:
        plain = torch.view_as_real(plain.resolve_conj())
        form["complex"] = True
    # A copy each: safetensors refuses tensors that share memory, and tied weights do.
    tensors[form["key"]] = plain.to("cpu", copy=True, memory_format=torch.contiguous_format)
    return form


def _tensor_back(form: Mapping[str, Any], tensors: Mapping[str, "torch.Tensor"]) -> Any:
    import torch

    found = tensors[form["key"]]
    return torch.view_as_complex(found) if form.get("complex") else found


def _array_form(
    value: "np.ndarray[Any, Any]", path: str, tensors: dict[str, "torch.Tensor"]
) -> dict[str, Any]:
    import numpy as np
    import torch

    if value.dtype.hasobject:
        raise TypeError(f"state at {path!r} is an array of Python objects: save numbers")
    form: dict[str, Any] = {TAG: "array", "key": _free(path, tensors)}
    plain = np.array(value, order="C", copy=True, subok=False)
    if plain.dtype.isnative and plain.dtype.kind in "biuf" and plain.dtype.itemsize <= 8:
        # A view by size: C's `long long` is int64 by another name, which torch does not know.
        tensors[form["key"]] = torch.from_numpy(plain.view(plain.dtype.str))
    else:
        form["dtype"] = np.lib.format.dtype_to_descr(plain.dtype)
        form["shape"] = list(plain.shape)
        tensors[form["key"]] = torch.from_numpy(np.frombuffer(plain.tobytes(), np.uint8).copy())
    return form


def _array_back(form: Mapping[str, Any], tensors: Mapping[str, "torch.Tensor"]) -> Any:
    import numpy as np

    array = tensors[form["key"]].numpy()
    if "dtype" in form:
        described = form["dtype"]
        if isinstance(described, list):
            described = [tuple(field) for field in described]
        raw, array = array, np.empty(form["shape"], np.lib.format.descr_to_dtype(described))
        if array.nbytes != raw.nbytes:
            raise ValueError(f"{raw.nbytes} bytes for an array of {array.nbytes}")
        array = (
            np.ndarray(array.shape, array.dtype, bytearray(raw.tobytes())) if raw.size else array
        )
    return array[()] if form.get("scalar") else array


def _free(path: str, tensors: Mapping[str, object]) -> str:
    """A key nobody has: {"a.b": x} and {"a": {"b": y}} both spell a.b."""
    key, again = path or "value", 2
    while key in tensors:
        key, again = f"{path}#{again}", again + 1
    return key


def _ordered(form: Mapping[str, Any], inner: Callable[[Any], Any]) -> "OrderedDict[Any, Any]":
    built = OrderedDict((inner(key), inner(value)) for key, value in form["items"])
    if "metadata" in form:
        built._metadata = inner(form["metadata"])  # type: ignore[attr-defined]  # torch's habit
    return built


DECODERS: dict[str, Callable[[Mapping[str, Any], Callable[[Any], Any]], Any]] = {
    "int": lambda form, inner: int(form["hex"], 16),
    "float": lambda form, inner: struct.unpack(">d", bytes.fromhex(form["bits"]))[0],
    "bytes": lambda form, inner: base64.b64decode(form["base64"]),
    "tuple": lambda form, inner: tuple(inner(item) for item in form["items"]),
    "deque": lambda form, inner: deque(map(inner, form["items"]), form["maxlen"]),
    "dict": lambda form, inner: {inner(key): inner(value) for key, value in form["items"]},
    "OrderedDict": _ordered,
}
