"""Frames, arrays and CSV files with intervention targets, good and bad."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from s2lab.causal.csv_table import read_data, read_target_file
from s2lab.causal.data import InterventionalData
from s2lab.causal.errors import InputError
from s2lab.causal.networks import load_network
from s2lab.causal.scm import StructuralCausalModel, simulate


def test_a_frame_round_trip_keeps_rows_states_and_targets() -> None:
    scm = StructuralCausalModel.from_network(load_network("asia"))
    data = simulate(scm, 20, 3, np.random.default_rng(0))
    for back in (
        InterventionalData.from_frame(data.to_frame(targets=True)),
        InterventionalData.from_frame(data.to_frame(), data.targets),
    ):
        assert back.variables == data.variables
        assert np.array_equal(back.codes, data.codes)
        assert back.states == data.states
        assert back.targets == data.targets


def test_target_sets_are_the_same_in_any_order_and_as_lists_or_tuples() -> None:
    frame = pandas.DataFrame({"a": [0, 1, 0, 1, 1], "b": list("xyxyx")})
    data = InterventionalData.from_frame(frame, [("b", "a"), ["a", "b"], "a", None, float("nan")])
    assert data.targets == [("a", "b"), ("a", "b"), "a", None, None]
    assert data.targeted.tolist() == [[True, True], [True, False], [False, False]]


def test_explicit_targets_win_over_the_column() -> None:
    frame = pandas.DataFrame({"a": [0, 1], "b": [1, 0], "intervention_targets": ["a", "b"]})
    assert InterventionalData.from_frame(frame).targets == ["a", "b"]
    assert InterventionalData.from_frame(frame, [None, None]).targets == [None, None]


def test_arrays_are_named_as_pgmpy_names_them_and_whole_floats_are_categories() -> None:
    data = InterventionalData.from_frame(np.array([[3.0, 0.0], [1.0, 0.0]]))
    assert data.variables == ("x0", "x1")
    assert data.states == ((1, 3), (0,))
    assert data.codes.tolist() == [[1, 0], [0, 0]]


GOOD = {"a": [0, 1], "b": [1, 0]}


@pytest.mark.parametrize(
    ("columns", "targets", "message"),
    [
        ({"a": [0, 1], "b": [0.5, 1]}, None, "'b', row 0: 0.5 is not a category"),
        ({"a": [0, 1], "b": [1, np.inf]}, None, "'b', row 1: inf is not a category"),
        ({"a": [0, 1], "b": [1, np.nan]}, None, r"'b', row 1: empty \(NaN\)"),
        ({"a": [0, 1], "b": ["x", None]}, None, "'b', row 1: empty"),
        ({"a": [0, 1], "b": ["x", 1]}, None, "mixes kinds"),
        ({"a": [0, 1]}, None, "at least 2"),
        ({"a": [], "b": []}, None, "no rows"),
        (GOOD, ["a"], "1 targets for 2 rows"),
        (GOOD, [None, "smoke"], "row 1: intervention target 'smoke' names no column"),
        (GOOD, [None, ("a", "c")], "row 1: intervention target 'c'"),
        (GOOD, [None, 7], "row 1: intervention target 7"),
    ],
)
def test_a_bad_frame_is_refused(columns: dict[str, Any], targets: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        InterventionalData.from_frame(pandas.DataFrame(columns), targets)


def test_two_columns_of_one_name_are_refused() -> None:
    frame = pandas.DataFrame([[0, 1], [1, 0]], columns=["a", "a"])
    with pytest.raises(InputError, match="'a' appears twice"):
        InterventionalData.from_frame(frame)


def test_a_csv_file_reads_as_pandas_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text('a,"b, c",d\n1,yes,0.5\n\n0,no,2\n')
    frame = read_data(path)
    pandas.testing.assert_frame_equal(frame, pandas.read_csv(path))


def test_targets_are_read_from_their_column_or_file(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a,b,intervention_targets\n1,0,\n0,1,a\n1,1,b; a\n0,0,None\n")
    data = InterventionalData.from_frame(read_data(path))
    assert data.targets == [None, "a", ("a", "b"), None]
    (tmp_path / "targets.csv").write_text("targets\n\na\nb;a\nnone\n")
    assert read_target_file(tmp_path / "targets.csv", ("a", "b"), 4) == [
        None,
        ("a",),
        ("a", "b"),
        None,
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; expected a header"),
        ("a,b\n", "no rows below"),
        ("a,,b\n1,2,3\n", "line 1: column 2 has no name"),
        ("a,a\n1,2\n", "line 1: column 'a' appears twice"),
        ("a,b\n1,2\n1\n", "line 3: 1 cells, expected 2"),
        ("a,b\n1,2\n1,\n", "line 3, column 'b': empty cell"),
        ("a,b\n1,2\n1,NaN\n", "line 3, column 'b': empty cell 'NaN'"),
        ("a,b\n1,2\n1,x\n0,1\n", "line 3, column 'b': 'x' is not a number"),
        ("a,b,intervention_targets\n1,2,\n1,1,smoke\n", "line 3, column 'interv.*'smoke'"),
        ('a,b\n1,"2\n', "cannot be read as CSV"),
    ],
)
def test_a_bad_csv_file_is_refused_with_line_and_column(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "data.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_data(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_column_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("smoke,b\n1,2\n")
    with pytest.raises(InputError, match="line 1: no column 'smok'; did you mean 'smoke'"):
        read_data(path, columns=["smok"])
    with pytest.raises(InputError, match="cannot be read"):
        read_data(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("t\na\n", "1 targets for 2 data rows"),
        ("t\na\nsmoke\n", "line 3, column 't': intervention target 'smoke'"),
        ("t,u\na,b\n,b\n", "line 1: no column 'intervention_targets'"),
    ],
)
def test_a_bad_targets_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "targets.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_target_file(path, ("a", "b"), 2)
