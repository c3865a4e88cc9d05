"""From CSV files to a graph, its figures and its picture; what bad input says."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from s2lab.causal.bif import parse_bif, read_bif
from s2lab.causal.bif_text import bif_text
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph
from s2lab.causal.network import DiscreteNetwork
from s2lab.causal.networks import load_network
from s2lab.causal.pgmpy_bridge import from_pgmpy_network
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
        (
            {"data_csv": "real.csv", "method": "exact"},
            "real.csv: column 'b', row 0: 0.5 is not a category",
        ),
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
        ({"out": "graph.txt"}, r"graph.txt: ending '.txt' names no format; use one of .json, .dot"),
        ({"exports": ["good.csv"]}, "good.csv is an input"),
        (
            {"data_csv": "real.csv", "method": "gies", "exports": ["graph.bif"]},
            ".bif holds tables of categories, the data is real",
        ),
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


def test_exports_read_back_as_the_same_graph(asia_csv: Path, tmp_path: Path) -> None:
    import networkx
    from pgmpy.readwrite import BIFReader, XMLBIFReader

    paths = [tmp_path / f"graph{ending}" for ending in (".bif", ".gml", ".dot", ".xmlbif")]
    found = discover(asia_csv, method="exact", truth="asia", exports=paths)
    edges = set(found.recovered.edges)
    ours = read_bif(paths[0])
    assert set(ours.graph.edges) == edges
    assert set(networkx.read_gml(paths[1]).edges) == edges
    drawn = {tuple(re.findall(r'"(\w+)"', line)) for line in paths[2].read_text().splitlines()}
    assert {edge for edge in drawn if len(edge) == 2} == edges
    assert set(found.to_pgmpy().edges()) == edges
    for model in (
        BIFReader(string=paths[0].read_text()).get_model(),
        XMLBIFReader(string=paths[3].read_text()).get_model(),
    ):
        theirs = from_pgmpy_network(model)
        assert theirs.graph.reordered(ours.variables) == ours.graph
        smoke = ours.graph.index("smoke")
        at = theirs.graph.index("smoke")
        first = theirs.states[at].index(ours.states[smoke][0])
        assert theirs.tables[at][first] == pytest.approx(ours.tables[smoke][0], abs=1e-4)


def test_the_command_writes_every_format_that_is_named(
    asia_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from s2lab.commands.causal import discover as command

    paths = tuple(tmp_path / f"graph{ending}" for ending in (".json", ".dot", ".bif"))
    command(asia_csv, out=paths[0], exports=paths[1:], max_seconds=60.0)
    printed = set(re.findall(r"^(\w+) -> (\w+)$", capsys.readouterr().out, re.MULTILINE))
    assert printed == set(read_bif(paths[2]).graph.edges)
    assert paths[1].read_text().startswith("digraph {")


def test_a_bif_file_gives_tables_and_states_back_to_the_last_bits() -> None:
    network = load_network("sachs")
    again = parse_bif(bif_text(network))
    assert (again.graph, again.states) == (network.graph, network.states)
    for one, other in zip(network.tables, again.tables, strict=True):
        assert np.allclose(one, other, rtol=0, atol=1e-15)
    spaced = CausalGraph.from_edges(["a b", "c"], [])
    with pytest.raises(InputError, match="'a b' cannot be spelled in BIF"):
        bif_text(DiscreteNetwork(spaced, (("x",), ("x",)), (np.ones(1), np.ones(1))))


def test_real_numbers_go_to_learners_of_real_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["a,b,c,intervention_targets"]
    for target, rows in (("", 300), ("b", 100)):
        for noise in rng.normal(size=(rows, 3)):
            b = noise[1] if target else noise[0] + noise[1]
            lines.append(f"{noise[0]},{b},{b + noise[2]},{target}")
    (tmp_path / "d.csv").write_text("\n".join(lines) + "\n")
    for method in ("gies", "notears"):
        found = discover(tmp_path / "d.csv", method=method)
        assert found.summary["edges"] == [["a", "b"], ["b", "c"]], method
        assert found.summary["passed"] == "400 rows with targets in 2 regimes"


def test_figures_of_a_mistaken_graph_are_the_metrics_own(asia_csv: Path, tmp_path: Path) -> None:
    true = load_network("asia").graph
    fewer = CausalGraph.from_edges(true.variables, true.edges[1:])
    (tmp_path / "fewer.json").write_text(fewer.to_json())
    summary = discover(asia_csv, method="exact", truth=tmp_path / "fewer.json").summary
    assert (summary["shd"], summary["recall"]) == (1, 1.0)
    assert summary["precision"] == pytest.approx(7 / 8)
    assert summary["sid"] == 0  # an edge too many misleads no adjustment


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


def test_probable_edges_are_wide_and_say_how_probable() -> None:
    chances = {edge: 0.25 * at for at, edge in enumerate(FOUND.edges, 1)}
    drawn = ElementTree.fromstring(graph_svg(TRUE, FOUND, chances))
    widths = {
        group.findtext(f"{SVG}title"): float(path.get("stroke-width", 0))
        for group in drawn.iter(f"{SVG}g")
        if (path := group.find(f"{SVG}path")) is not None
    }
    told = [
        "b → a (reversed, probability 0.25)",
        "b → c (correct, probability 0.50)",
        "c → d (extra, probability 0.75)",
    ]
    assert widths[told[0]] < widths[told[1]] < widths[told[2]]


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
