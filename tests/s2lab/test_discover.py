"""From CSV files to a graph, its figures and its picture; what bad input says."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph
from s2lab.causal.networks import load_network
from s2lab.discover import discover, simulate_csv
from s2lab.errors import UserError
from s2lab.graph_layout import lay_out
from s2lab.graph_picture import STROKES, edge_kinds, graph_svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def asia_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("asia") / "data.csv"
    assert simulate_csv("asia", path, 5000, 512, seed=0) == 5000 + 8 * 512
    return path


def test_asia_is_recovered_from_a_file_and_written_down(asia_csv: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "new" / "graph.json", tmp_path / "graph.svg"
    found = discover(asia_csv, truth="asia", out=out, picture=picture)
    assert found.summary["shd"] == 0
    assert found.summary["passed"] == "9096 rows with targets in 9 regimes"
    assert json.loads(out.read_text()) == found.summary
    assert CausalGraph.from_json(out.read_text()) == found.recovered
    assert "SHD 0" in "".join(ElementTree.parse(picture).getroot().itertext())
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["graph.json", "graph.svg", "new"]
    again = discover(asia_csv, truth=out)
    assert again.summary["edges"] == found.summary["edges"]


def test_targets_in_a_file_of_their_own_give_the_same_graph(asia_csv: Path, tmp_path: Path) -> None:
    rows = [line.rsplit(",", 1) for line in asia_csv.read_text().splitlines()]
    (tmp_path / "data.csv").write_text("\n".join(row for row, _ in rows))
    (tmp_path / "targets.csv").write_text("\n".join(target for _, target in rows) + "\n")
    one = discover(asia_csv)
    two = discover(tmp_path / "data.csv", tmp_path / "targets.csv")
    assert two.recovered == one.recovered
    assert two.summary["score"] == one.summary["score"]
    assert two.summary["shd"] is None


def test_a_baseline_gets_observational_rows_only(asia_csv: Path) -> None:
    found = discover(asia_csv, method="hill_climb", truth="asia")
    assert found.summary["passed"] == "5000 observational rows; 4096 interventional ones left out"
    assert found.summary["shd"] == found.summary["shd_reversal_2"] - len(found.summary["reversed"])


CYCLE = """variable a { type discrete [ 2 ] { y, n }; }
variable b { type discrete [ 2 ] { y, n }; }
probability ( a | b ) { default 0.5, 0.5; }
probability ( b | a ) { default 0.5, 0.5; }
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "exat"}, "did you mean 'exact'"),
        ({"options": {"edge_penalti": 1}}, "did you mean 'edge_penalty'"),
        ({"data_csv": "nowhere.csv"}, "nowhere.csv: cannot be read"),
        ({"data_csv": "hole.csv"}, "hole.csv line 3, column 'b': empty cell"),
        ({"data_csv": "text.csv"}, "text.csv line 3, column 'b': 'x' is not a number"),
        ({"data_csv": "real.csv"}, "real.csv: column 'b', row 0: 0.5 is not a category"),
        ({"data_csv": "one.csv"}, "one.csv: 1 feature"),
        ({"targets_csv": "unknown.csv"}, "unknown.csv line 3, column 't': .*'smoke'"),
        ({"targets_csv": "short.csv"}, "short.csv: 1 targets for 2 data rows"),
        ({"truth": "asia"}, "good.csv line 1: no column 'asia'"),
        ({"truth": "less.json"}, "good.csv line 1: column 'b' is no variable of the truth"),
        ({"truth": "cycle.bif"}, "cycle.bif line .: the graph has a cycle: "),
        ({"truth": "broken.json"}, "broken.json: line 1: not JSON"),
        ({"truth": "asa"}, "truth 'asa': expected a .bif or .json file or one of asia"),
        ({"truth": "nowhere.bif"}, "nowhere.bif: cannot be read"),
        ({"method": "ges", "targets_csv": "all.csv"}, "learns from observational rows"),
        ({"out": "."}, "is a folder"),
        ({"out": "good.csv"}, "good.csv is an input"),
        ({"out": "good.csv/graph.json"}, "cannot write good.csv/graph.json"),
        ({"picture": "graph.json"}, "for the graph and for the picture"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    arguments: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "good.csv": "a,b\n0,1\n1,0\n",
        "hole.csv": "a,b\n0,1\n1,\n",
        "text.csv": "a,b\n0,1\n1,x\n",
        "real.csv": "a,b\n0,0.5\n1,1\n",
        "one.csv": "a\n0\n1\n",
        "unknown.csv": "t\na\nsmoke\n",
        "short.csv": "t\na\n",
        "all.csv": "t\na\nb\n",
        "cycle.bif": CYCLE,
        "less.json": '{"variables": ["a"], "edges": []}',
        "broken.json": "{",
        "graph.json": "precious",
    }
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        Path(name).write_text(text)
    with pytest.raises((InputError, UserError), match=message) as caught:
        discover(**({"data_csv": "good.csv", "out": "graph.json"} | arguments))  # type: ignore[arg-type]  # mixed on purpose
    assert "\n" not in str(caught.value)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files


TRUE = CausalGraph.from_edges("abcd", [("a", "b"), ("b", "c"), ("a", "c")])
FOUND = CausalGraph.from_edges("abcd", [("b", "a"), ("b", "c"), ("c", "d")])


def test_every_mistake_has_its_kind_and_its_colour() -> None:
    kinds = dict(edge_kinds(TRUE.edges, FOUND.edges))
    assert kinds == {
        ("b", "c"): "correct",
        ("a", "c"): "missing",
        ("c", "d"): "extra",
        ("b", "a"): "reversed",
    }
    drawn = ElementTree.fromstring(graph_svg(TRUE, FOUND))
    titles = {
        group.findtext(f"{SVG}title"): path.get("stroke")
        for group in drawn.iter(f"{SVG}g")
        if (path := group.find(f"{SVG}path")) is not None
    }
    assert titles["b → a (reversed)"] == STROKES["reversed"].colour
    assert titles["a → c (missing)"] == STROKES["missing"].colour
    assert titles["c → d (extra)"] == STROKES["extra"].colour
    text = " ".join(drawn.itertext())
    assert all(f"{kind} 1" in text for kind in STROKES)


def test_names_cannot_break_out_of_the_picture() -> None:
    nasty = '</text><script>alert("1 & 2")</script>'
    graph = CausalGraph.from_edges([nasty, "b"], [(nasty, "b")])
    drawn = ElementTree.fromstring(graph_svg(None, graph))
    assert not list(drawn.iter(f"{SVG}script"))
    assert nasty in list(drawn.itertext())


def test_both_graphs_show_every_node_at_the_same_place() -> None:
    drawn = ElementTree.fromstring(graph_svg(TRUE, FOUND))
    panels = [group for group in drawn if group.get("transform")]
    places = [
        [(rect.get("x"), rect.get("y")) for rect in panel.iter(f"{SVG}rect")] for panel in panels
    ]
    assert len(places) == 2
    assert len(places[0]) == 4
    assert places[0] == places[1]


@pytest.mark.parametrize("name", ["asia", "cancer", "sachs"])
def test_nodes_do_not_overlap_and_parents_stand_above_children(name: str) -> None:
    graph = load_network(name).graph
    layout = lay_out(dict.fromkeys(graph.variables, 60.0), graph.edges)
    for parent, child in graph.edges:
        assert layout.nodes[parent][1] < layout.nodes[child][1]
    at = list(layout.nodes.values())
    for i, (x, y) in enumerate(at):
        assert 30 <= x <= layout.width - 30
        assert all(y != v or abs(x - u) >= 60 for u, v in at[:i])
