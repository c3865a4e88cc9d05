"""`assert_recovers`, the registry, and pgmpy's learners behind the same protocol."""

from typing import Any

import numpy as np
import pandas
import pytest

from s2lab.causal.discovery import DISCOVERERS, fitted_graph, make_discoverer, takes_targets
from s2lab.causal.discovery.exact import ExactDiscovery
from s2lab.causal.errors import InputError
from s2lab.causal.graph import CausalGraph
from s2lab.causal.networks import load_network
from s2lab.causal.scm import StructuralCausalModel, simulate
from s2lab.causal.testing import assert_recovers


class FixedAnswer:
    """A learner that always answers the same, and keeps what it was given."""

    def __init__(self, graph: CausalGraph, seen: list[Any]) -> None:
        self.graph, self.seen = graph, seen

    def __deepcopy__(self, memo: dict[int, Any]) -> "FixedAnswer":
        return FixedAnswer(self.graph, self.seen)

    def fit(self, X: Any, y: Any = None) -> "FixedAnswer":
        self.seen.append(X)
        self.causal_graph_ = self.graph
        return self


class FixedAnswerWithTargets(FixedAnswer):
    def __deepcopy__(self, memo: dict[int, Any]) -> "FixedAnswerWithTargets":
        return FixedAnswerWithTargets(self.graph, self.seen)

    def fit(self, X: Any, y: Any = None, *, targets: Any = None) -> "FixedAnswerWithTargets":
        assert len(targets) == len(X)
        super().fit(X)
        return self


TRUE = CausalGraph.from_edges("abc", [("a", "b"), ("b", "c")])
WRONG = CausalGraph.from_edges("abc", [("b", "a"), ("a", "c")])


def test_a_failure_shows_the_edges_and_what_was_passed() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_recovers(FixedAnswer(WRONG, []), TRUE, observations=9, seeds=[4])
    message = str(caught.value)
    assert "1 of 1 seeds are more than SHD 0 off" in message
    assert "seed 4: SHD 3: missing b->c; extra a->c; reversed a->b" in message
    assert "9 observations, no targets: fit of FixedAnswer names none" in message


def test_targets_go_to_learners_that_name_them_and_only_to_those() -> None:
    blind: list[Any] = []
    told: list[Any] = []
    assert_recovers(FixedAnswer(TRUE, blind), TRUE, observations=9, per_intervention=2, seeds=[0])
    recoveries = assert_recovers(
        FixedAnswerWithTargets(TRUE, told), TRUE, observations=9, per_intervention=2, seeds=[0]
    )
    assert ([len(x) for x in blind], [len(x) for x in told]) == ([9], [15])
    assert recoveries[0].passed.startswith("15 rows with targets: 9 observations and 2 rows")


def test_a_distance_up_to_the_allowed_one_passes() -> None:
    assert_recovers(FixedAnswer(WRONG, []), TRUE, shd=3, observations=5, seeds=[0])


def test_no_seed_is_no_test() -> None:
    with pytest.raises(InputError, match="seeds is empty"):
        assert_recovers(ExactDiscovery(), TRUE, seeds=[])


def test_exact_recovers_a_collider_with_random_tables() -> None:
    collider = CausalGraph.from_edges("abc", [("a", "c"), ("b", "c")])
    assert_recovers(ExactDiscovery, collider, seeds=range(3))


def test_exact_recovers_asia() -> None:
    assert_recovers(make_discoverer("exact"), load_network("asia"), shd=0)


@pytest.mark.parametrize("name", [n for n, e in DISCOVERERS.items() if not e.interventional])
def test_pgmpys_learners_answer_with_a_graph_of_asia(name: str) -> None:
    learner = make_discoverer(name)
    assert not takes_targets(learner)
    recoveries = assert_recovers(learner, load_network("asia"), shd=12, seeds=[0])
    assert "5000 observations, no targets" in recoveries[0].passed


@pytest.mark.parametrize("name", DISCOVERERS)
def test_the_registry_says_truly_who_uses_interventions(name: str) -> None:
    assert takes_targets(make_discoverer(name)) == DISCOVERERS[name].interventional


def test_unknown_names_and_options_are_refused() -> None:
    with pytest.raises(InputError, match="unknown discoverer 'exct'; did you mean 'exact'"):
        make_discoverer("exct")
    with pytest.raises(
        InputError, match=r"'exact' has no option 'penalty'; did you mean 'edge_penalty'"
    ):
        make_discoverer("exact", {"penalty": 1})


def test_a_partly_directed_answer_asks_for_a_dag() -> None:
    from pgmpy.base import PDAG

    learner = FixedAnswer(TRUE, [])
    learner.causal_graph_ = PDAG(directed_ebunch=[("a", "b")], undirected_ebunch=[("b", "c")])
    with pytest.raises(InputError, match="left edges undirected"):
        fitted_graph(learner, ("a", "b", "c"))


@pytest.mark.parametrize("name", [n for n in DISCOVERERS if n != "ges"])
def test_a_progress_bar_goes_to_stderr_and_changes_nothing(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """All but pgmpy's GES, which has none."""
    quick = {"enco": {"epochs": 1, "fit_steps": 2, "graph_steps": 2},
             "sdi": {"rounds": 1, "batches": 2, "fit_steps": 2, "interventions": 2}}  # fmt: skip
    rng = np.random.default_rng(0)
    scm = StructuralCausalModel.from_network(load_network("cancer"))
    data = simulate(scm, 300, 50, rng)
    frame = data.to_frame()
    if DISCOVERERS[name].real:
        frame = pandas.DataFrame(data.codes.astype(float), columns=list(data.variables))
    told = {"targets": data.targets} if DISCOVERERS[name].interventional else {}
    graphs = []
    for shown in (False, True):
        learner = make_discoverer(name, {"show_progress": shown, **quick.get(name, {})})
        learner.fit(frame, **told)
        graphs.append(fitted_graph(learner, data.variables).edges)
        assert capfd.readouterr().out == ""
    assert graphs[0] == graphs[1]
