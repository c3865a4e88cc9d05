"""The bench harness: what it writes, and that a slower peer is called slower."""

import json
import time
from pathlib import Path

from s2lab.bench.harness import Row, duel, table, write_json


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_peer_that_takes_five_times_as_long_loses_by_about_five() -> None:
    row = duel("spin", lambda: busy(0.002), "spin longer", lambda: busy(0.01), 3, 0.01)
    assert row.ratio is not None
    assert 4 < row.ratio < 6


def test_the_record_has_the_agreed_keys(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "bench.json"
    write_json([Row("a", 1.5, "ms", "b", 3.0, 2.0, 5), Row("c", 1.0, "MiB")], path)
    read = json.loads(path.read_text())
    assert set(read) == {"rows", "machine", "versions"}
    assert set(read["rows"][0]) == {"name", "value", "unit", "peer", "peer_value", "ratio", "runs"}
    assert read["rows"][1]["peer"] is None
    assert read["machine"]["cores"] >= 1
    assert "python" in read["versions"]
    assert list(path.parent.iterdir()) == [path]


def test_the_table_has_one_aligned_line_per_row() -> None:
    lines = table([Row("a", 1.5, "ms", "b", 3.0, 2.0, 5), Row("longer", 1.0, "MiB")]).splitlines()
    assert len(lines) == 3
    assert lines[1].index("1.5 ms") == lines[2].index("1 MiB")
