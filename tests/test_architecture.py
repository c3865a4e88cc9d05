"""The walls of the house, read from the sources."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {"s2lab": "s2lab", "envs": "s2lab.envs", "agents": "s2lab.agents", "causal": "s2lab.causal"}
MAY_IMPORT = {
    "s2lab": {"s2lab", "envs", "agents", "causal"},
    "agents": {"agents", "envs", "causal"},
    "envs": {"envs"},
    "causal": {"causal"},
}
SOURCES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def imported_names(path: Path, package: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                yield ".".join([*parents, node.module or ""]).rstrip(".")
            elif node.module == "s2lab":
                yield from (f"s2lab.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def room_of_module(name: str) -> str | None:
    if name.split(".")[0] != "s2lab":
        return None
    second = name.split(".")[1] if "." in name else ""
    return second if second in ROOMS and second != "s2lab" else "s2lab"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_between_rooms_point_the_right_way(path: Path) -> None:
    relative = path.relative_to(ROOT)
    room = relative.parts[0]
    package = ".".join([ROOMS[room], *relative.parts[1:-1]])
    for name in imported_names(path, package):
        target = room_of_module(name)
        assert target is None or target in MAY_IMPORT[room], f"{relative} imports {name}"
        assert name.split(".")[0] not in {"envs", "agents", "causal"}, f"{relative}: bare {name}"


def test_truth_and_learner_never_import_each_other() -> None:
    truth = {"scm", "mechanisms", "families"}
    for path in sorted((ROOT / "causal" / "discovery").glob("*.py")):
        for name in imported_names(path, "s2lab.causal.discovery"):
            assert name.removeprefix("s2lab.causal.") not in truth, f"{path.name} imports {name}"
    for stem in truth:
        path = ROOT / "causal" / f"{stem}.py"
        if path.exists():
            names = list(imported_names(path, "s2lab.causal"))
            assert not [n for n in names if n.startswith("s2lab.causal.discovery")], path.name


def test_no_file_is_a_drawer_for_everything() -> None:
    drawers = {"utils.py", "common.py", "helpers.py", "misc.py"}
    assert not [path for path in SOURCES if path.name in drawers]


def test_every_package_is_listed_for_the_wheel() -> None:
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join([ROOMS[path.relative_to(ROOT).parts[0]], *path.relative_to(ROOT).parts[1:-1]])
        for path in SOURCES
        if path.name == "__init__.py"
    }
    assert set(listed) == found
    folders = {path.parent for path in SOURCES}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]


@pytest.mark.parametrize("room", ["envs", "agents", "causal"])
def test_a_bare_import_of_a_room_is_refused(room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    sys.modules.pop(room, None)
    with pytest.raises(ImportError, match=rf"import s2lab\.{room}"):
        __import__(room)
