"""The plugin in a foreign project: another process, another folder, somebody else's algorithm."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MINE = '''
import networkx
import pytest
from s2lab.causal.testing import assert_recovers


class Oracle:
    """Knows the answer."""

    def __init__(self, edges):
        self.edges = edges

    def fit(self, X, y=None, *, targets=None):
        assert len(targets) == len(X)
        self.causal_graph_ = networkx.DiGraph(self.edges)
        self.causal_graph_.add_nodes_from(X.columns)
        return self


@pytest.mark.scm("chain", variables=3, categories=2, seed=4)
@pytest.mark.interventional_data(observations=50, per_intervention=5, seed=1)
def test_marked(scm, interventional_data):
    assert scm.graph.edges == (("X0", "X1"), ("X1", "X2"))
    assert interventional_data.codes.shape == (65, 3)
    print("ROWS", interventional_data.codes.sum(axis=0).tolist())
    assert_recovers(Oracle(scm.graph.edges), scm, observations=9, per_intervention=2, seeds=[0])


def test_plain(scm, interventional_data):
    assert "smoke" in scm.variables
    assert len(interventional_data.regimes) == 9


@pytest.mark.scm("chain", variables=3)
def test_wrong(scm):
    edges = [("X1", "X0"), ("X0", "X2")]
    assert_recovers(Oracle(edges), scm, observations=9, per_intervention=2, seeds=[0])


@pytest.mark.scm("chian")
def test_misspelled(scm):
    pass
'''


def run_pytest(folder: Path, *arguments: str) -> str:
    """Run pytest in a folder with only our plugin, from the same sources as this test."""
    import s2lab

    sources = str(Path(s2lab.__file__).parent.parent)
    environment = os.environ | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join([sources, os.environ.get("PYTHONPATH", "")]),
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "s2lab.pytest_plugin",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "test_mine.py").write_text(MINE)
    return tmp_path


@pytest.mark.slow
def test_fixtures_serve_a_foreign_algorithm_and_failures_show_the_edges(project: Path) -> None:
    said = run_pytest(project, "-s", "--strict-markers")
    assert "1 failed, 2 passed, 1 error" in said, said
    assert "test_wrong" in said
    assert "seed 0: SHD 3: missing X1->X2; extra X0->X2; reversed X0->X1" in said
    assert "unknown model 'chian'; did you mean 'chain'?" in said
    rows = [line for line in said.splitlines() if "ROWS" in line]
    again = [line for line in run_pytest(project, "-s").splitlines() if "ROWS" in line]
    assert rows == again != []


def test_collecting_loads_nothing_heavy(project: Path) -> None:
    (project / "test_mine.py").write_text("def test_nothing(): pass\n")
    (project / "conftest.py").write_text(
        "import sys\n"
        "def pytest_collection_finish(session):\n"
        "    heavy = {'numpy', 'pandas', 'torch', 'numba', 'pgmpy', 'networkx', 's2lab.causal'}\n"
        "    print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    said = run_pytest(project, "--collect-only", "-s")
    assert "HEAVY []" in said, said
    assert "1 test collected" in said
    assert "scm(name, variables=5" in run_pytest(project, "--markers")


def test_the_plugin_is_an_entry_point_of_the_package() -> None:
    import tomllib

    root = Path(__file__).parent.parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"s2lab": "s2lab.pytest_plugin"}
