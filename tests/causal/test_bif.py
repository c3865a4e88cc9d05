"""Our BIF reader against pgmpy's, and what it says about broken files."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from s2lab.causal.bif import parse_bif, read_bif
from s2lab.causal.errors import InputError
from s2lab.causal.networks import NETWORKS, load_network
from s2lab.causal.pgmpy_bridge import from_pgmpy_network, to_pgmpy_network

FOLDER = Path(__file__).parent.parent.parent / "causal" / "networks"


@pytest.mark.parametrize("name", NETWORKS)
def test_shipped_networks_read_as_pgmpy_reads_them(name: str) -> None:
    from pgmpy.readwrite import BIFReader

    ours = load_network(name)
    model = BIFReader(string=(FOLDER / f"{name}.bif").read_text()).get_model()
    theirs = from_pgmpy_network(model)
    assert set(ours.graph.edges) == set(model.edges())
    for variable in ours.variables:
        factor = model.get_cpds(variable)
        parents = ours.graph.parents(variable)
        states = dict(zip(ours.variables, ours.states, strict=True))
        assert set(states[variable]) == set(factor.state_names[variable])
        table = ours.tables[ours.graph.index(variable)]  # [K_parents..., K]
        for at in itertools.product(*(range(size) for size in table.shape)):
            names = (*parents, variable)
            value = factor.get_value(**{v: states[v][k] for v, k in zip(names, at, strict=True)})
            assert table[at] == pytest.approx(value, abs=1e-5)
    assert theirs.graph.reordered(ours.variables) == ours.graph


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_survives_the_way_to_pgmpy_and_back(name: str) -> None:
    ours = load_network(name)
    model = to_pgmpy_network(ours)
    assert model.check_model()
    back = from_pgmpy_network(model)
    assert (back.graph, back.states) == (ours.graph, ours.states)
    for table, again in zip(ours.tables, back.tables, strict=True):
        assert np.allclose(table, again, atol=1e-12)


HEAD = """network n { property "x = 1"; }
variable a { type discrete [ 2 ] { yes, no }; property p = 1; }
variable b { type discrete [ 3 ] { l, "m", h }; }
"""
GOOD = HEAD + "probability ( a ) { table 0.2, 0.8; }\nprobability ( b | a ) {\n"


def test_defaults_comments_and_quotes_are_understood() -> None:
    text = GOOD + "(yes) 1e-1 .4 0.5; // no commas\n default 0.2, 0.3, 0.5; /* rest */ }\n"
    table = parse_bif(text).tables[1]  # [K_a, K_b]
    assert table == pytest.approx(np.array([[0.1, 0.4, 0.5], [0.2, 0.3, 0.5]]))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "no variable"),
        ("netwrk n {}", 1, "did you mean 'network'"),
        (HEAD, 2, "'a' has no probability block"),
        (HEAD.replace("[ 3 ]", "[ 2 ]"), 3, "announces 2 states and names 3"),
        (HEAD.replace("no }", "yes }"), 2, "names a state twice"),
        (HEAD.replace("variable b", "variable a"), 3, "declared twice"),
        (HEAD.replace("discrete [ 3 ]", "continuous [ 3 ]"), 3, "only 'discrete'"),
        (HEAD.replace('type discrete [ 3 ] { l, "m", h };', ""), 3, "has no 'type"),
        (HEAD.replace('"m"', '"m'), 3, "never closed"),
        (HEAD + "probability ( c ) { table 1; }", 4, "unknown variable 'c'"),
        (HEAD + "probability ( a | a ) { }", 4, "its own parent"),
        (HEAD + "probability ( a ) { table 0.2, x; }", 4, "'x' is not a number"),
        (HEAD + "probability ( a ) { table nan, 1; }", 4, "not a probability"),
        (HEAD + "probability ( a ) { table 0.2, 0.7; }", 4, "sum to 0.9"),
        (HEAD + "probability ( a ) { table 0.2; }", 4, "1 probabilities for 'a'"),
        (HEAD + "probability ( a ) { table 0.2, 0.8; ", 4, "expected"),
        (HEAD + "probability ( a ) { table 0.2, 0.8; }\n" * 2, 5, "two probability blocks"),
        (GOOD + "(yes) 0.2, 0.3, 0.5; }", 5, r"lacks a row for \(no\)"),
        (GOOD + "(yes) 0.2, 0.3, 0.5;\n(yes) 0.2, 0.3, 0.5; }", 7, "given twice"),
        (GOOD + "(yess) 0.2, 0.3, 0.5; }", 6, "did you mean 'yes'"),
        (GOOD + "(yes, no) 0.2, 0.3, 0.5; }", 6, "2 parent states for 1 parents"),
        (GOOD + "table 0.2, 0.3, 0.5, 0.2, 0.3, 0.5; }", 6, "ambiguous"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(
    text: str, line: int, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "broken.bif"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_bif(path)
    assert str(caught.value).startswith(f"{path} line {line}: ")
    assert "\n" not in str(caught.value)


def test_a_cyclic_file_names_the_cycle() -> None:
    text = HEAD + "probability ( a | b ) { default 0.2, 0.8; }\n"
    with pytest.raises(InputError, match=r"cycle: (a -> b -> a|b -> a -> b)"):
        parse_bif(text + "probability ( b | a ) { default 0.2, 0.3, 0.5; }\n")


def test_a_missing_file_and_an_unknown_network_are_refused() -> None:
    with pytest.raises(InputError, match=r"nowhere\.bif: cannot be read"):
        read_bif("nowhere.bif")
    with pytest.raises(InputError, match="did you mean 'sachs'"):
        load_network("sach")
