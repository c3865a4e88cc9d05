"""The causal reproductions in a reduced form, and the records behind their tables."""

import json
from pathlib import Path

import numpy as np
import pytest

from s2lab.causal.discovery.environments import Environments
from s2lab.causal.errors import InputError
from s2lab.causal.families import make_family
from s2lab.causal.graph import CausalGraph
from s2lab.causal.scm import StructuralCausalModel
from s2lab.errors import UserError
from s2lab.reproduce import (
    bif_networks,
    enco_25,
    large_graphs,
    linear_gaussian,
    sdi_table1,
    sdi_table2,
)
from s2lab.reproduce.records import markdown, read_record, write_record
from s2lab.reproduce.recovery import soft_worlds, target_accuracy


def test_the_first_table_has_no_mistakes_in_its_small_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sdi_table1, "COLUMNS", (("asia", 8), ("sachs", 11), ("collider", 8)))
    assert sdi_table1.reproduce(quick=True, seeds=[0]) == 0
    record = read_record(tmp_path / "runs/records/sdi-table1-quick.json")
    assert {row["graph"] for row in record["rows"]} == {"asia", "sachs", "collider"}
    assert all(row["shd"] == 0 for row in record["rows"] if not row["unknown"] and row["worlds"])
    printed = capsys.readouterr().out
    assert "| SDI (Ke et al. 2020) | 0 | 6 | 0 |" in printed
    assert "Unknown targets: the target set is exactly right in" in printed


def test_recovered_graphs_predict_unseen_interventions_as_the_true_ones_do() -> None:
    for name in sdi_table2.GRAPHS:
        gaps = [sdi_table2.measure(name, seed)["gap"] for seed in range(5)]
        assert abs(np.mean(gaps)) < sdi_table2.TOLERANCE


def test_encos_data_of_a_collider_gives_no_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(enco_25, "FAMILIES", ("collider", "jungle"))
    assert enco_25.reproduce(quick=True, seeds=[0]) == 0
    text = enco_25.table(read_record(tmp_path / "runs/records/enco-25-quick.json"))
    assert text.splitlines()[-2] == "| ancestral, 8 | 0 | 0 |"


def test_published_networks_give_no_mistake_with_a_do_on_all_or_on_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert bif_networks.reproduce(quick=True, seeds=[0, 1]) == 0
    lines = bif_networks.table(
        read_record(tmp_path / "runs/records/bif-networks-quick.json")
    ).splitlines()
    assert lines[-1].startswith("| child, do on half, classes | 20 / 25 | 0, 0 | 0 | 1 |")


def test_a_network_that_pgmpy_does_not_ship_is_refused() -> None:
    with pytest.raises(UserError, match="this pgmpy ships no such network"):
        bif_networks.find_network("asio")


def test_mapped_rows_are_bytes_that_a_learner_reads_in_place(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scm = StructuralCausalModel.random_networks(make_family("jungle", 7), rng, 3)
    data = large_graphs.mapped(scm, 200, 3000, rng, tmp_path / "rows")
    assert np.shares_memory(Environments.from_data(data).columns, data.codes)
    assert (tmp_path / "rows").stat().st_size == data.codes.size == 7 * (200 + 7 * 3000)
    for regime, names in enumerate(data.regimes[1:], 1):
        column = data.codes[data.regime_of_row == regime, data.variables.index(names[0])]
        counts = np.bincount(column, minlength=3)  # uniform under its own do
        assert counts == pytest.approx(1000, abs=130)  # five deviations
    for seed in range(3):  # rows as many as the table's, or weak edges are lost among few
        assert large_graphs.measure(7, 2, seed, 100_000, 4096)["shd"] == 0


def test_large_graphs_go_on_from_what_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(large_graphs, "SIZES", (7,))
    asked: list[tuple[int, int, int]] = []

    def measured(variables: int, degree: int, seed: int, rows: int, each: int) -> dict[str, int]:
        asked.append((variables, degree, seed))
        if len(asked) == 4:
            raise KeyboardInterrupt
        return {"variables": variables, "degree": degree, "seed": seed, "shd": 0, "cpu_s": 1,
                "drawing_cpu_s": 1, "peak_gib": 1}  # fmt: skip

    monkeypatch.setattr(large_graphs, "measure", measured)
    with pytest.raises(KeyboardInterrupt):
        large_graphs.reproduce(quick=False, seeds=[0, 1])
    asked[:] = [(0, 0, 0)] * 4  # past the interruption
    assert large_graphs.reproduce(quick=False, seeds=[0, 1]) == 0
    assert asked[5:] == [(7, 8, 0), (7, 8, 1)]  # after the one that compiles
    path = tmp_path / "runs/records/large-graphs.json"
    assert len(read_record(path)["rows"]) == 4


def test_a_change_of_mechanism_is_its_mean_divergence() -> None:
    scm = StructuralCausalModel.random_tables(make_family("chain", 2), np.random.default_rng(0), 2)
    many = soft_worlds(scm, 1, 10, 4000, np.random.default_rng(1))
    rows = many.data.codes[many.data.regime_of_row == 1][:, 0]  # [n]
    rng = np.random.default_rng(1)
    scm.sample(10, rng)
    old = scm.mechanisms[0].probabilities  # type: ignore[attr-defined]  # a table
    new = scm.redrawn(rng, ["X0"]).mechanisms[0].probabilities  # type: ignore[attr-defined]
    assert np.bincount(rows, minlength=2) / 4000 == pytest.approx(new, abs=0.03)
    assert many.change[0, 0] == pytest.approx(float((new * np.log(new / old)).sum()))


def test_accuracy_counts_exact_sets_and_true_changes() -> None:
    scm = StructuralCausalModel.random_tables(make_family("chain", 2), np.random.default_rng(0), 2)
    many = soft_worlds(scm, 1, 10, 10, np.random.default_rng(1))
    hidden = many.data.hide_targets()
    change = np.array([[0.2, 0.01]])
    found = {"?1": ("X0",), "?2": ("X0", "X1")}
    assert target_accuracy(found, hidden, many.data, change) == {
        "targets_right": 0.5,
        "targets_right_changed": 1.0,
        "environments_changed": 1,
        "environments": 2,
    }


def test_a_record_survives_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    path = write_record("x", {"a": 1}, [0, 1], [{"shd": 0}], tmp_path)
    record = read_record(path)
    assert (record["config"], record["seeds"], record["rows"]) == ({"a": 1}, [0, 1], [{"shd": 0}])
    assert record["machine"]["versions"]["numpy"]
    path.write_text(json.dumps({"format": 7}))
    with pytest.raises(UserError, match="not a record of format 1"):
        read_record(path)
    assert markdown(["a", "b"], [[1, "x"]]) == "| a | b |\n| --- | --- |\n| 1 | x |"


def test_rows_of_other_learners_are_measured_one_by_one_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sdi_table1, "COLUMNS", (("asia", 8), ("collider", 8)))
    monkeypatch.setattr(sdi_table1, "WORLDS", 2)
    monkeypatch.setattr(sdi_table1, "OBSERVATIONS", 500)
    monkeypatch.setattr(sdi_table1, "PER_INTERVENTION", 60)
    path = tmp_path / "runs/records/sdi-table1.json"
    sdi_table1.reproduce(quick=False, seeds=[0], only=["ancestral"])
    first = read_record(path)["rows"]
    assert {row["method"] for row in first} == {"ancestral"}
    sdi_table1.reproduce(quick=False, seeds=[0], only=["gies", "ges"])
    rows = read_record(path)["rows"]
    assert rows[: len(first)] == first
    assert [row["method"] for row in rows[len(first) :]] == ["gies", "gies", "ges", "ges"]
    sdi_table1.reproduce(quick=False, seeds=[0], only=["gies"])
    assert read_record(path)["rows"] == rows
    record = read_record(path)
    place = {"graph": "asia", "variables": 8, "seed": 0}
    rows.append({**rows[-1], **place, "method": "sdi"})
    path.write_text(json.dumps({**record, "rows": rows}))
    config = record["config"]
    assert sdi_table1.kept("sdi-table1", config) == rows
    assert sdi_table1.kept("sdi-table1", {**config, "sdi_rounds": 7}) == rows[:-1]
    assert sdi_table1.kept("sdi-table1", {**config, "others_max_s": 7.0}) == [*first, rows[-1]]
    assert sdi_table1.kept("sdi-table1", {**config, "worlds": 7}) == []
    with pytest.raises(UserError, match="--only giess: no row of sdi-table1"):
        sdi_table1.reproduce(quick=False, seeds=[0], only=["giess"])


def test_an_answer_with_a_cycle_has_no_distance_and_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cyclic(*_: object) -> None:
        CausalGraph(("a", "b"), np.array([[0, 1], [1, 0]], bool))

    monkeypatch.setattr(sdi_table1, "recover", cyclic)
    monkeypatch.setattr(sdi_table1, "OBSERVATIONS", 50)
    row = sdi_table1.measure_other("asia", 8, 0, "pc")
    assert row["shd"] is None
    assert "cycle" in row["mistakes"]
    found = row | {"shd": 3, "shd_reversal_2": 5}
    assert sdi_table1.worst_of([row, found], 5) == "3 [5] (2/5), 1 cyclic"
    assert sdi_table1.worst_of([row], 1) == "1 cyclic"
    monkeypatch.setattr(sdi_table1, "recover", lambda *_: CausalGraph((), np.zeros((2, 2), bool)))
    with pytest.raises(InputError):
        sdi_table1.measure_other("asia", 8, 0, "pc")


@pytest.mark.parametrize("method", ["enco", "sdi"])
def test_every_other_learner_of_table_1_takes_what_it_is_given(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdi_table1, "OTHERS_MAX_S", 2.0)
    monkeypatch.setattr(sdi_table1, "SDI_ROUNDS", 1)
    worlds = 2 if method == "sdi" else 1
    row = sdi_table1.measure_other("collider", 8, 0, method, worlds)
    assert (row["method"], row["worlds"]) == (method, worlds)
    assert 0 <= row["shd"] <= row["shd_reversal_2"]


def test_linear_gaussian_graphs_are_told_apart_from_the_gies_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(linear_gaussian, "FASTER", 0.0)  # nothing is timed in tests
    assert linear_gaussian.reproduce(quick=True, seeds=[0]) == 0
    row = read_record(tmp_path / "runs/records/linear-gaussian-quick.json")["rows"][0]
    assert (row["variables"], row["shd"]) == (10, 0)


def test_an_answer_of_gies_on_record_is_not_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(linear_gaussian, "FASTER", 0.0)
    monkeypatch.setattr(linear_gaussian, "SIZES", (5, 6))
    monkeypatch.setattr(linear_gaussian, "GIES_SEEDS", {6: 1})
    assert linear_gaussian.reproduce(quick=False, seeds=[0, 1]) == 0
    first = read_record(tmp_path / "runs/records/linear-gaussian.json")["rows"]
    assert [row["gies_shd"] is None for row in first] == [False, False, False, True]
    monkeypatch.delattr("gies.fit_bic")
    assert linear_gaussian.reproduce(quick=False, seeds=[0, 1]) == 0
    again = read_record(tmp_path / "runs/records/linear-gaussian.json")["rows"]
    assert [row | {"cpu_s": 0} for row in again] == [row | {"cpu_s": 0} for row in first]


def test_a_gies_that_takes_too_long_is_stopped_and_the_table_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(linear_gaussian, "GIES_MAX_S", 0.05)  # thirty variables take it seconds
    late = linear_gaussian.measure(30, 0) | linear_gaussian.measure_gies(30, 0)
    assert late["gies_shd"] is None
    assert late["gies_cpu_s"] >= 0.04
    alone = late | {"seed": 1, "gies_cpu_s": None}
    assert not linear_gaussian.missed([late | {"gies_cpu_s": 20 * late["cpu_s"]}, alone])
    assert linear_gaussian.missed([late | {"gies_cpu_s": 19 * late["cpu_s"]}, alone])
    ended = late | {"shd": 3, "cpu_s": 1.0, "gies_shd": 2, "gies_cpu_s": 50.0}
    assert linear_gaussian.missed([ended])
    text = linear_gaussian.table({"rows": [late, alone], "seeds": [0, 1]})
    assert "not ended, not run" in text
    assert "over " in text
