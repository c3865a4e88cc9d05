"""Figures of records: the same drawing is the same file, and a failed write leaves the old one."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from s2lab import durable
from s2lab.errors import UserError
from s2lab.reproduce.figures import new_figure, save_figure

DRAW = """
import sys
from pathlib import Path
from s2lab.reproduce.figures import new_figure, save_figure
figure = new_figure(3, 2)
axes = figure.subplots()
axes.plot([0, 1, 2], [1, 3, 2], "o-", label="a")
axes.fill_between([0, 1, 2], [0, 2, 1], [2, 4, 3])
axes.legend()
save_figure(figure, Path(sys.argv[1]))
"""


def test_two_processes_draw_the_same_file(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "record.json"
        subprocess.run([sys.executable, "-c", DRAW, str(path)], check=True)
    first, second = (tmp_path / folder / "record.svg" for folder in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    assert ElementTree.parse(first).getroot().tag.endswith("svg")


def test_a_full_disk_leaves_the_figure_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.svg"
    path.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "write", full)
    with pytest.raises(UserError, match="disk full while writing"):
        save_figure(new_figure(3, 2), path)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["record.svg"]
