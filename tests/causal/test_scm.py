"""Sampling against probabilities obtained by enumeration."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare

from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph
from s2lab.causal.network import DiscreteNetwork
from s2lab.causal.networks import load_network
from s2lab.causal.scm import DoValue, StructuralCausalModel, simulate

ROWS = 200_000


def truncated_factorisation(
    network: DiscreteNetwork, do: dict[str, DoValue]
) -> dict[tuple[int, ...], float]:
    """Pearl (2009), equation 1.37: multiply the factors of all variables but those acted on."""
    names = network.variables
    joint = {}
    for at in product(*(range(len(states)) for states in network.states)):
        probability = 1.0
        for i, name in enumerate(names):
            if name not in do:
                parents = tuple(at[network.graph.index(p)] for p in network.graph.parents(name))
                probability *= float(network.tables[i][(*parents, at[i])])
            elif do[name] is None:
                probability /= len(network.states[i])
            else:
                probability *= float(network.states[i][at[i]] == do[name])
        joint[at] = probability
    return joint


@pytest.mark.parametrize(
    "do",
    [{}, {"Cancer": None}, {"Smoker": "True"}, {"Cancer": "True", "Xray": None}],
    ids=str,
)
def test_samples_follow_the_truncated_factorisation(do: dict[str, DoValue]) -> None:
    network = load_network("cancer")
    scm = StructuralCausalModel.from_network(network)
    rows = scm.sample(ROWS, np.random.default_rng(7), do)  # [N, V]
    joint = truncated_factorisation(network, do)
    cells, counts = np.unique(rows, axis=0, return_counts=True)
    observed = dict(zip(map(tuple, cells.tolist()), counts.tolist(), strict=True))
    assert all(joint[cell] > 0 for cell in observed)
    common = [cell for cell, p in joint.items() if p * ROWS > 10]
    seen = np.array([observed.get(cell, 0) for cell in common])
    expected = np.array([joint[cell] for cell in common]) * ROWS
    rest = ROWS - np.array([seen.sum(), expected.sum()])
    if rest[1] > 5:
        seen, expected = np.append(seen, rest[0]), np.append(expected, rest[1])
    assert chisquare(seen, expected * seen.sum() / expected.sum()).pvalue > 1e-3


def test_do_cuts_the_arrows_into_its_targets_only() -> None:
    scm = StructuralCausalModel.from_network(load_network("asia"))
    cut = scm.do({"either": "no"})
    assert set(scm.graph.edges) - set(cut.graph.edges) == {("lung", "either"), ("tub", "either")}
    assert scm.graph == load_network("asia").graph


def test_the_same_seed_gives_the_same_rows() -> None:
    scm = StructuralCausalModel.from_network(load_network("sachs"))
    one, two, other = (scm.sample(50, np.random.default_rng(s)) for s in (3, 3, 4))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_an_experiment_has_the_rows_and_targets_that_were_asked_for() -> None:
    graph = CausalGraph.from_edges("abc", [("a", "b"), ("b", "c")])
    scm = StructuralCausalModel.random_tables(graph, np.random.default_rng(0))
    data = simulate(scm, 5, 2, np.random.default_rng(0), targets=["c", "a"])
    assert data.targets == [None] * 5 + ["c"] * 2 + ["a"] * 2
    assert len(data.observational.codes) == 5
    assert simulate(scm, 4, 0, np.random.default_rng(0)).targets == [None] * 4


@pytest.mark.parametrize(
    ("do", "message"),
    [
        ({"smok": None}, "did you mean 'smoke'"),
        ({"smoke": "yess"}, "did you mean 'yes'"),
        ({"smoke": 2}, "states are 0 to 1"),
        ({"smoke": -1}, "states are 0 to 1"),
    ],
)
def test_an_impossible_do_is_refused(do: dict[str, DoValue], message: str) -> None:
    scm = StructuralCausalModel.from_network(load_network("asia"))
    with pytest.raises(InputError, match=message):
        scm.sample(1, np.random.default_rng(0), do)


def test_a_negative_number_of_rows_is_refused() -> None:
    scm = StructuralCausalModel.from_network(load_network("asia"))
    with pytest.raises(InputError, match="rows is -1"):
        scm.sample(-1, np.random.default_rng(0))
