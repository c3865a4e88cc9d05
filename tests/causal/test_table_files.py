"""Rows and targets survive a file of either kind; without pyarrow, Parquet is one clear line."""

import sys
from pathlib import Path

import numpy as np
import pytest

from s2lab.causal.data import InterventionalData
from s2lab.causal.errors import InputError
from s2lab.causal.families import make_family
from s2lab.causal.scm import StructuralCausalModel
from s2lab.causal.table_files import read_frame, write_frame
from s2lab.discover import discover

SIZES = (50, 70, 80)


def rows() -> InterventionalData:
    """Two hundred rows with none, one and two targets."""
    rng = np.random.default_rng(0)
    scm = StructuralCausalModel.random_tables(make_family("chain", 3), rng, 3)
    regimes = ((), ("X1",), ("X0", "X2"))
    codes = [scm.sample(n, rng, do=dict.fromkeys(r)) for r, n in zip(regimes, SIZES, strict=True)]
    return InterventionalData(
        scm.variables, np.concatenate(codes).astype(np.int8), scm.states, regimes,
        np.repeat(np.arange(3), SIZES),
    )  # fmt: skip


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_rows_and_targets_come_back(ending: str, tmp_path: Path) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    data = rows()
    write_frame(data, tmp_path / f"rows.{ending}")
    found = InterventionalData.from_frame(read_frame(tmp_path / f"rows.{ending}"))
    assert found.variables == data.variables
    assert found.regimes == data.regimes
    assert (found.regime_of_row == data.regime_of_row).all()
    assert (found.codes == data.codes).all()
    assert [tuple(map(str, names)) for names in found.states] == list(data.states)


def test_lists_of_targets_and_missing_cells_are_read(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"a": [0, 1, 0], "b": [1, 1, 0]})
    frame["intervention_targets"] = [["a", "b"], [], None]
    frame.to_parquet(tmp_path / "rows.parquet")
    read = read_frame(tmp_path / "rows.parquet")
    assert list(read["intervention_targets"]) == [("a", "b"), None, None]
    with pytest.raises(InputError, match="no column 'c'"):
        read_frame(tmp_path / "rows.parquet", ["c"])
    result = discover(tmp_path / "rows.parquet", method="exact")
    assert result.recovered.variables == ("a", "b")


def test_what_is_no_parquet_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "rows.parquet").write_text("a,b\n0,1\n")
    with pytest.raises(InputError, match="cannot read Parquet"):
        read_frame(tmp_path / "rows.parquet")


def test_without_pyarrow_the_fix_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match="pip install pyarrow, or use CSV"):
        read_frame(tmp_path / "rows.parquet")
    with pytest.raises(InputError, match="pip install pyarrow, or use CSV"):
        write_frame(rows(), tmp_path / "rows.parquet")
