"""The sequence tables: what they compare with, that a stopped run goes on, and how they render."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2lab.errors import UserError
from s2lab.reproduce import REPRODUCTIONS, run_reproduction
from s2lab.reproduce import sequence_record as record_of
from s2lab.reproduce import sequence_table as st

TABLES = ("adding", "copying", "arithmetic", "balls", "digits")


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("quick", [True, False])
def test_every_table_has_contestants_and_fresh_data_per_update(name: str, quick: bool) -> None:
    table = st.Form(name, quick).table()
    assert name in REPRODUCTIONS
    assert "rims" in "".join(table.contestants) or name == "arithmetic"
    first, again, later = table.batches(0, 3), table.batches(0, 3), table.batches(0, 4)
    assert (first.inputs == again.inputs).all()
    assert (first.inputs != later.inputs).any()
    assert (first.inputs != table.batches(1, 3).inputs).any()


def test_published_figures_are_those_of_the_papers() -> None:
    adding = st.Form("adding").table().published
    assert adding["rims"]["10 addends"] == 0.8904
    assert adding["scoff"]["10 addends"] == 0.0539
    assert adding["lstm"]["2 addends"] == 0.8731
    assert st.Form("copying").table().published["lstm"]["blank 200"] == 4.32
    assert st.Form("copying").table().constants["chance"]["blank 200"] == pytest.approx(
        2.079, abs=1e-3
    )
    assert st.Form("digits").table().published == {}, "no MNIST figure beside other digits"


def two_contestants(quick: bool) -> st.Table:
    from s2lab.agents.sequence_model import SequenceConfig, score
    from s2lab.envs.sequences.adding import adding

    validation = [adding(st.validation_rng(), 16, 6, (2,))]
    return st.Table(
        name="adding",
        contestants={
            "sum": SequenceConfig("accumulator", updates=4, validate_every=2),
            "none": SequenceConfig("none", updates=4, validate_every=2),
        },
        batches=lambda seed, update: adding(st.training_rng(seed, update), 8, 6, (2,)),
        validation=lambda: validation,
        measure=lambda model: {"error": score(model, "squared", validation).loss},
        published={"sum": {"error": 0.5}},
    )


def test_a_table_is_measured_once_recorded_and_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("s2lab.reproduce.adding.table_for", two_contestants)
    calls: list[Any] = []

    class Here:
        """Runs jobs in this process, where the table is the small one."""

        def __init__(self, *_: Any) -> None: ...
        def shutdown(self, **_: Any) -> None: ...
        def map(self, run: Any, jobs: list[Any]) -> Any:
            calls.extend(jobs)
            return map(run, jobs)

    monkeypatch.setattr(st, "ProcessPoolExecutor", Here)
    assert run_reproduction("adding", quick=False, seeds=(0, 1)) == 0
    assert len(calls) == 4
    record_path = Path("runs/records/adding.json")
    record = json.loads(record_path.read_text())
    assert [row["label"] for row in record["rows"]] == ["sum", "none"]
    assert len(record["rows"][0]["columns"]["error"]) == 2
    text = record_of.render(record)
    assert "_sum, published_" in text
    assert "| none | 2 |" in text  # two weights, no bias
    assert "error" in capsys.readouterr().out
    assert Path("runs/records/adding.svg").exists()
    assert run_reproduction("adding", quick=False, seeds=(0, 1)) == 0
    assert len(calls) == 4, "what is measured is not measured again"

    longer = {"sum": replace(two_contestants(False).contestants["sum"], updates=5)}
    monkeypatch.setattr(
        "s2lab.reproduce.adding.table_for",
        lambda quick: replace(two_contestants(quick), contestants=longer),
    )
    assert run_reproduction("adding", quick=False, seeds=(0, 1)) == 0
    assert len(calls) == 6, "other settings are other runs"
    monkeypatch.setattr("s2lab.reproduce.adding.table_for", two_contestants)

    assert run_reproduction("adding", quick=False, seeds=(0, 1)) == 0
    kept = json.loads(record_path.read_text())["rows"]
    shutil.rmtree(st.WORK)
    assert run_reproduction("adding", quick=False, seeds=(0, 1)) == 0
    assert len(calls) == 6, "a clone goes on from the record"
    assert json.loads(record_path.read_text())["rows"] == kept

    for path in st.Form("adding").folder.glob("none__s1*.json"):
        path.unlink()
    record_of.write_record(st.Form("adding"), (0, 1))
    assert "| none, 1/2 seeds | 2 |" in record_of.render(json.loads(record_path.read_text()))


def test_a_table_that_is_stopped_leaves_no_worker_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("s2lab.reproduce.adding.table_for", two_contestants)
    told: list[str] = []

    class Stopped:
        def __init__(self, *_: Any) -> None: ...
        def map(self, *_: Any) -> Any:
            raise KeyboardInterrupt

        def terminate(self) -> None:
            told.append("terminated")

        def shutdown(self, *, cancel_futures: bool) -> None:
            told.append(f"nothing queued: {cancel_futures}")

    monkeypatch.setattr(st, "ProcessPoolExecutor", Stopped)
    monkeypatch.setattr(st.multiprocessing, "active_children", lambda: [Stopped()])
    with pytest.raises(KeyboardInterrupt):
        run_reproduction("adding", quick=False, seeds=(0,))
    assert told == ["terminated", "nothing queued: True"]


def write_idx(path: Path, values: np.ndarray) -> None:
    """The format as yann.lecun.com's page describes it: 0 0 8 n, n sizes, bytes."""
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes())


def test_digits_reads_mnist_from_a_folder_and_only_then_stands_beside_the_paper(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    for part, count in (("train", 5100), ("t10k", 20)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", rng.integers(256, size=(count, 28, 28)))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(count) % 10)
    form = st.Form("digits", quick=True, data=tmp_path)
    assert form.label == "digits-data-quick"
    table = form.table()
    assert table.published["rims 6/4"]["accuracy 16"] == 0.9
    assert "Images: MNIST." in table.notes
    assert table.batches(0, 0).inputs.shape == (14 * 14, 32, 1)
    assert (
        table.batches(0, 0).inputs != st.Form("digits", True).table().batches(0, 0).inputs
    ).any()


def test_data_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte is missing; put MNIST's IDX"):
        run_reproduction("digits", quick=True, seeds=(0,), data=tmp_path)
    with pytest.raises(UserError, match="adding has no use for it; leave it out: it is for digits"):
        run_reproduction("adding", quick=True, seeds=(0,), data=tmp_path)


def test_contestants_come_seed_by_seed_and_ablations_row_by_row() -> None:
    table = two_contestants(True)
    more = replace(table, ablations={"a": table.rows["sum"], "b": table.rows["none"]})
    assert st.order_of(more, [3, 5]) == [
        *(("sum", 3), ("none", 3), ("sum", 5), ("none", 5)),
        *(("a", 3), ("a", 5), ("b", 3), ("b", 5)),
    ]


def test_the_verdict_on_copying_is_that_of_the_medians() -> None:
    from s2lab.reproduce.copying import verdict

    def record(**rows: list[float]) -> dict[str, Any]:
        names = {"rims": "rims 6/4", "lstm": "lstm"}
        names |= {f"{core}_0": f"{label}, forget bias 0" for core, label in names.items()}
        return {
            "rows": [
                {"label": names[key], "columns": {"blank 200": values}}
                for key, values in rows.items()
            ]
        }

    assert "waits" in verdict(record(rims=[0.1, 0.1, 9.0]))
    published = verdict(record(rims=[0.0, 0.01, 9.0], lstm=[4.0, 4.32, 4.5]))
    assert "is seen at this budget: median 0.01 for 6/4 RIMs and 4.32 for the LSTM" in published
    both = record(rims=[0.09], lstm=[0.004], rims_0=[1.5, 1.7, 1.9], lstm_0=[3.0])
    assert "is not seen" in verdict(both)
    assert verdict(both).endswith(
        "begin at a bias of 0, as PyTorch's do, in place of 5: 1.7 and 3."
    )


def test_the_verdict_on_adding_names_where_medians_reach_published_rows_and_a_constant() -> None:
    from s2lab.reproduce.adding import ADDENDS, CORES, PUBLISHED, contestants, verdict

    assert set(contestants(quick=False)) == set(CORES)

    def row(label: str, *errors: tuple[float, ...]) -> dict[str, Any]:
        by_seed = list(zip(*errors, strict=True))  # one column per number of addends
        columns = {f"{n} addends": list(values) for n, values in zip(ADDENDS, by_seed, strict=True)}
        return {"label": label, "columns": columns}

    as_published = PUBLISHED["scoff"]
    bad = (9.0,) * len(ADDENDS)
    late = (*PUBLISHED["rims"][:-1], 0.9)  # above its row, .8904, and above 10 / 12
    told = verdict(
        {
            "rows": [
                row("rims", late, late, bad),
                row("scoff", as_published, as_published, bad),
                row("gru", bad, bad, as_published),
                row("rims, silent", bad),
            ]
        }
    )
    assert told == (
        "Medians over seeds. rims: better than predicting the mean at 2, 3, 4, 5, 8, 9 addends, "
        "at or below its published row at 2, 3, 4, 5, 8, 9 addends; scoff: better than predicting "
        "the mean at all numbers of addends, at or below its published row at all numbers of "
        "addends; gru: better than predicting the mean at no number of addends."
    )
