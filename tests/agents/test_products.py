"""Small matrix products inside kernels, against numpy's."""

from typing import Any

import numpy as np
import pytest

from s2lab.agents.cores.fused import elementary
from s2lab.agents.cores.fused.products import (
    ADD,
    BIAS,
    ZERO,
    add_sums,
    compile_products,
    product,
)


@elementary.kernel
def multiply(out: Any, left: Any, right: Any, start: int, bias: Any) -> None:
    product(out, left, right, start, bias)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("start", [ZERO, ADD, BIAS])
def test_products_of_any_size_equal_those_of_numpy(dtype: Any, start: int) -> None:
    """Every number of rows left over from blocks of 8, of columns from vectors, of depth."""
    compile_products(np.dtype(dtype).name)
    rng = np.random.default_rng(0)
    sizes = [(1, 1, 1), (3, 5, 7), (8, 16, 32), (23, 37, 75), (15, 64, 33), (2, 1, 100)]
    for rows, depth, columns in sizes:
        left = rng.standard_normal((rows, depth)).astype(dtype)
        right = rng.standard_normal((depth, columns)).astype(dtype)
        bias = rng.standard_normal(rows).astype(dtype)
        before = rng.standard_normal((rows, columns)).astype(dtype)
        begin = {ZERO: 0, ADD: before, BIAS: bias[:, None]}[start]
        expected = begin + left.astype(np.float64) @ right
        turned = np.ascontiguousarray(left.T).T, np.ascontiguousarray(right.T).T
        for one, other in ((left, right), turned):
            wide = np.full((rows, 2, columns), np.nan, dtype)  # nothing beside it may change
            wide[:, 0] = before
            multiply(wide[:, 0], one, other, start, bias)
            np.testing.assert_allclose(wide[:, 0], expected, rtol=1e-4, atol=1e-5)
            assert np.isnan(wide[:, 1]).all()


def test_sums_of_rows_are_added() -> None:
    out, values = np.ones(3), np.arange(12.0).reshape(3, 4)
    add_sums(out, values)
    assert out.tolist() == [7, 23, 39]
