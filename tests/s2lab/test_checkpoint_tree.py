"""Nested state comes back with the same types and the same bits, and nothing is pickled."""

import json
import struct
from collections import OrderedDict, deque
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes

from s2lab import state_tree


def round_trip(tree: Any) -> Any:
    form, tensors = state_tree.encode(tree)
    text = json.dumps(form, allow_nan=False)
    return state_tree.decode(json.loads(text), tensors_from_bytes(tensors_to_bytes(tensors)))


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        bits = [x.contiguous().view(-1).numpy().tobytes() for x in (a, b)]
        return a.dtype == b.dtype and a.shape == b.shape and bits[0] == bits[1]
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return same(list(a), list(b)) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple, deque)):
        maxlen = getattr(a, "maxlen", None) == getattr(b, "maxlen", None)
        return maxlen and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return struct.pack(">d", a) == struct.pack(">d", b)
    return bool(a == b)


numbers = npst.arrays(
    st.sampled_from([*"?bBhHiIlLefdFD", ">i4", "<U5", "S3", "M8[s]"]),
    npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
leaves = st.one_of(
    *[st.none(), st.booleans(), st.integers(), st.integers(2**60, 2**130), st.floats()],
    *[st.text(), st.binary(), numbers],
    numbers.filter(lambda a: a.size > 0 and a.dtype.kind not in "SU").map(lambda a: a.flat[0]),
    numbers.filter(lambda a: a.dtype in (np.float32, np.int64)).map(torch.from_numpy),
)
keys = st.one_of(st.text(), st.integers(), st.booleans(), st.tuples(st.integers(), st.text()))
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.lists(inner, max_size=4).map(lambda items: deque(items, maxlen=5)),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(st.sampled_from(["$", "a", "a.b", "b"]), inner, max_size=4),
        st.dictionaries(st.text(), inner, max_size=4).map(OrderedDict),
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(trees)
def test_any_tree_comes_back_with_its_types_and_bits(tree: Any) -> None:
    assert same(round_trip(tree), tree)


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, torch.float16, torch.complex64, torch.complex128]
)
def test_tensors_of_every_precision_come_back(dtype: torch.dtype) -> None:
    tensor = torch.randn(3, 2).to(dtype)
    found = round_trip({"x": tensor})["x"]
    assert found.dtype == dtype
    assert torch.equal(found, tensor)


def test_views_and_tied_weights_are_saved_as_what_they_show() -> None:
    base = torch.arange(12.0).reshape(3, 4)
    found = round_trip({"all": base, "again": base, "turned": base.T, "row": base[1]})
    assert torch.equal(found["again"], base)
    assert torch.equal(found["turned"], base.T)
    assert torch.equal(found["row"], base[1])


def test_paths_that_spell_the_same_stay_apart() -> None:
    one, two, three = torch.ones(1), torch.zeros(1), torch.full((1,), 2.0)
    tree = {"a.b": one, "a": {"b": two, 0: three, "0": one}}
    assert same(round_trip(tree), tree)


def test_a_saved_tensor_is_a_copy() -> None:
    weight = torch.ones(2)
    form, tensors = state_tree.encode({"w": weight})
    weight.zero_()
    assert state_tree.decode(form, tensors)["w"].tolist() == [1.0, 1.0]


class Odd:
    pass


@pytest.mark.parametrize(
    "odd",
    [Odd(), {1, 2}, lambda: 0, np.array([None]), torch.float32, torch.eye(2).to_sparse()],
    ids=["object", "set", "function", "object array", "dtype", "sparse tensor"],
)
def test_what_has_no_exact_form_is_refused_by_its_path(odd: Any) -> None:
    with pytest.raises(TypeError, match=r"'optimizer\.groups\.1'"):
        state_tree.encode({"optimizer": {"groups": [0, odd]}})


def test_no_source_of_ours_can_unpickle() -> None:
    import ast
    from pathlib import Path

    root = Path(__file__).parents[2]
    names = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    for path in [
        p for room in ("s2lab", "agents", "envs", "causal") for p in (root / room).rglob("*.py")
    ]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                found = {alias.name.split(".")[0] for alias in node.names}
                found.add((getattr(node, "module", None) or "").split(".")[0])
                assert not found & names, path
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                called = f"{node.value.id}.{node.attr}"
                assert called not in {"torch.load", "torch.save"}, path
