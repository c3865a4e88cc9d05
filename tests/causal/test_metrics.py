"""Distances between graphs: published conventions and pgmpy's figure."""

import numpy as np
import pytest

from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph
from s2lab.causal.metrics import edge_differences, structural_hamming_distance
from s2lab.causal.pgmpy_bridge import to_pgmpy_dag


def test_missing_extra_and_reversed_edges_are_told_apart() -> None:
    true = CausalGraph.from_edges("abcd", [("a", "b"), ("b", "c"), ("a", "d")])
    found = CausalGraph.from_edges("dcba", [("b", "a"), ("b", "c"), ("c", "d")])
    differences = edge_differences(true, found)
    assert differences.missing == (("a", "d"),)
    assert differences.extra == (("c", "d"),)
    assert differences.reversed == (("a", "b"),)
    assert structural_hamming_distance(true, found) == 3
    assert structural_hamming_distance(true, found, reversal_cost=2) == 4
    assert str(differences) == "missing a->d; extra c->d; reversed a->b"


@pytest.mark.parametrize("seed", range(5))
def test_the_distance_is_pgmpys(seed: int) -> None:
    from pgmpy.metrics import SHD

    rng = np.random.default_rng(seed)
    one, two = (
        CausalGraph.from_matrix(np.triu(rng.random((7, 7)) < 0.4, 1)[np.ix_(p, p)])
        for p in (rng.permutation(7), rng.permutation(7))
    )
    theirs = SHD().evaluate(true_causal_graph=to_pgmpy_dag(one), est_causal_graph=to_pgmpy_dag(two))
    assert structural_hamming_distance(one, two) == theirs


def test_graphs_over_different_variables_are_not_compared() -> None:
    with pytest.raises(InputError, match=r"in the first: \['b'\]; .* second: \['c'\]"):
        structural_hamming_distance(
            CausalGraph.from_edges("ab", []), CausalGraph.from_edges("ac", [])
        )
