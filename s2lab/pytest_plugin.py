"""Fixtures for anybody's tests of causal discovery. Loads nothing until a test asks for one.

`scm` is a true model, `interventional_data` rows of it; markers choose others:

    @pytest.mark.scm("asia")                         # a shipped network, by name
    @pytest.mark.scm("chain", variables=5, seed=1)   # a family of graphs, tables drawn by the seed
    @pytest.mark.interventional_data(observations=1000, per_intervention=100, seed=0)
    def test_mine(scm, interventional_data):
        rows, targets = interventional_data.to_frame(), interventional_data.targets
        mine = MyAlgorithm().fit(rows, targets=targets)
        assert set(mine.causal_graph_.edges()) == set(scm.graph.edges)

`s2lab.causal.testing.assert_recovers(MyAlgorithm(), scm)` does the same on several seeds and says
which edges are missing, extra and reversed. `-p no:s2lab` switches the plugin off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from s2lab.causal.data import InterventionalData
    from s2lab.causal.scm import StructuralCausalModel

MARKERS = (
    "scm(name, variables=5, categories=3, seed=0): the true model of the fixture `scm`: a network "
    "that s2lab ships, or a family of graphs with random conditional tables",
    "interventional_data(observations=5000, per_intervention=512, targets=None, seed=0): the rows "
    "of the fixture `interventional_data`; a uniform do on every target, by default on all",
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)


@pytest.fixture
def scm(request: pytest.FixtureRequest) -> StructuralCausalModel:
    """A `StructuralCausalModel`: asia, or what the marker `scm` names. The same in every run."""
    from s2lab.causal.testing import named_model

    arguments, options = marked(request, "scm")
    return named_model(*arguments, **options)


@pytest.fixture
def interventional_data(
    request: pytest.FixtureRequest, scm: StructuralCausalModel
) -> InterventionalData:
    """Rows of the fixture `scm`, observed and under interventions. The same in every run."""
    from s2lab.causal.testing import drawn_data

    arguments, options = marked(request, "interventional_data")
    return drawn_data(scm, *arguments, **options)


def marked(request: pytest.FixtureRequest, name: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of the test's nearest marker of that name, none where it has none."""
    marker = request.node.get_closest_marker(name)
    return (marker.args, dict(marker.kwargs)) if marker else ((), {})
