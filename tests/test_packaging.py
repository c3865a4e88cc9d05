"""What is shipped: a wheel works in an empty environment, and the sdist holds the sources."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CSV = "a,b,intervention_targets\n" + "0,0,\n1,1,\n0,0,a\n1,1,a\n" * 40


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    # From a copy of what git tracks: a build folder left in the checkout would hide a mistake.
    source = folder / "source"
    source.mkdir()
    archive = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, archive.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(folder), str(source)],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python whose only s2lab is the wheel's; what s2lab depends on is borrowed from here."""
    venv = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    (wheel,) = built.glob("*.whl")
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    return venv / "bin"


def run(installed: Path, cwd: Path, *words: str) -> str:
    import numpy

    # A PYTHONPATH entry lends packages without its .pth files, hence without the editable s2lab.
    borrowed = str(Path(numpy.__file__).parent.parent)
    done = subprocess.run(
        [str(installed / words[0]), *words[1:]],
        cwd=cwd, env={**os.environ, "PYTHONPATH": borrowed}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_works_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "python", "-c", "import s2lab; print(s2lab.__file__)")
    assert str(installed.parent) in where
    assert "s2lab 0." in run(installed, tmp_path, "s2lab", "--version")
    assert "BabyAI-GoToRedBallGrey-v0" in run(installed, tmp_path, "s2lab", "list", "envs")
    assert "FAIL" not in run(installed, tmp_path, "s2lab", "doctor")
    (tmp_path / "small.csv").write_text(CSV)
    assert "a -> b" in run(installed, tmp_path, "s2lab", "discover", "small.csv")


@pytest.mark.slow
def test_every_module_imports_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = (
        "import importlib, pkgutil, s2lab\n"
        "names = [m.name for m in pkgutil.walk_packages(s2lab.__path__, 's2lab.')]\n"
        "[importlib.import_module(name) for name in names]\n"
        "print(*names, sep='\\n')"
    )
    names = set(run(installed, tmp_path, "python", "-c", code).split())
    for room in ("s2lab", "envs", "agents", "causal"):
        prefix = "s2lab" if room == "s2lab" else f"s2lab.{room}"
        for path in (ROOT / room).rglob("*.py"):
            parts = path.relative_to(ROOT / room).with_suffix("").parts
            name = ".".join([prefix, *parts]).removesuffix(".__init__")
            assert name in names or name == "s2lab"


@pytest.mark.slow
def test_both_archives_hold_every_data_file(built: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        source = {name.split("/", 1)[-1] for name in archive.getnames()}
    data = [
        path.relative_to(ROOT)
        for room in ("s2lab", "envs", "agents", "causal")
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    ]
    assert data
    for path in data:
        inside = path if path.parts[0] == "s2lab" else Path("s2lab") / path
        assert str(inside) in shipped
        assert str(path) in source
    assert {"LICENSE", "README.md", "pyproject.toml"} <= source
