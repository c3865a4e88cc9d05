"""scikit-learn's own checks of our learners, and what all of them refuse."""

from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from s2lab.causal.discovery import DISCOVERERS
from s2lab.causal.discovery.enco import EncoDiscovery
from s2lab.causal.discovery.gies import GiesDiscovery
from s2lab.causal.discovery.notears import NotearsDiscovery
from s2lab.causal.discovery.sdi import SdiDiscovery
from s2lab.causal.errors import InputError

QUICK_ENCO = EncoDiscovery(epochs=1, fit_steps=2, graph_steps=2, graphs=4, batch_size=8)
QUICK_SDI = SdiDiscovery(rounds=1, fit_steps=2, interventions=2, batches=2, batch_size=8)


LEARNERS: dict[str, Any] = {
    "enco": QUICK_ENCO,
    "sdi": QUICK_SDI,
    "gies": GiesDiscovery(),
    "notears": NotearsDiscovery(),
}


def exceptions(learner: Any) -> dict[str, str]:
    """What scikit-learn asks for and we do not do, with the reason."""
    if isinstance(learner, GiesDiscovery | NotearsDiscovery):
        return {"check_dtype_object": "a dictionary in a cell is a ValueError here, no TypeError"}
    return {"check_estimators_nan_inf": "its real numbers are refused before its NaN is met"}


@parametrize_with_checks(list(LEARNERS.values()), expected_failed_checks=exceptions)
def test_scikit_learns_checks_pass(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize(
    ("columns", "targets", "message"),
    [
        ({"a": [0, 1, 0], "b": [1, np.nan, 0]}, None, "'b', row 1: .*(nan|NaN)"),
        ({"a": [0, 1, 0], "b": [1, np.inf, 0]}, None, "'b', row 1: inf"),
        ({"a": [0, 1, 0]}, None, "at least 2|minimum of 2"),
        ({"a": [], "b": []}, None, "no rows"),
        ({"a": [0, 1, 0], "b": [1, 1, 0]}, [None, None, "smoke"], "'smoke' names no column"),
        ({"a": [0, 1, 0], "b": [1, 1, 0]}, [None], "1 targets for 3 rows"),
    ],
)
def test_unusable_input_is_one_line_before_anything_is_learned(
    name: str, columns: dict[str, Any], targets: Any, message: str
) -> None:
    learner = clone(LEARNERS[name])
    with pytest.raises(InputError, match=message) as caught:
        learner.fit(pandas.DataFrame(columns), targets=targets)
    assert "\n" not in str(caught.value)
    assert not hasattr(learner, "graph_")


@pytest.mark.parametrize("name", LEARNERS)
def test_kinds_of_columns_that_are_not_the_learners_own_are_refused(name: str) -> None:
    real = DISCOVERERS[name].real
    column: list[Any] = ["x", "y", "x"] if real else [0.5, 0.25, 1.0]
    message = "not a column of real numbers" if real else "is not a category"
    with pytest.raises(InputError, match=message):
        clone(LEARNERS[name]).fit(pandas.DataFrame({"a": column, "b": [0, 1, 0]}))


@pytest.mark.parametrize("name", LEARNERS)
def test_many_categories_constant_columns_and_repeated_rows_are_learned_from(name: str) -> None:
    rng = np.random.default_rng(0)
    many = rng.integers(64, size=300)
    frame = pandas.DataFrame({"many": many, "half": many // 2, "same": 7, "other": many % 3})
    frame = pandas.concat([frame, frame.iloc[:100]], ignore_index=True)
    targets = [None] * 350 + ["half"] * 50  # no row of this environment shows every category
    learner = clone(LEARNERS[name]).fit(frame, targets=targets)
    assert learner.adjacency_matrix_.shape == (4, 4)
    if not DISCOVERERS[name].real:
        frame["many"] = np.arange(400) % 65
        with pytest.raises(InputError, match="'many' has 65 categories, at most 64"):
            clone(learner).fit(frame)
