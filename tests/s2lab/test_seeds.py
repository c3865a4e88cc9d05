"""Seeds never meet across purposes, runs and ranges, and are what gymnasium accepts."""

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2lab import seeds
from s2lab.errors import UserError

LAST_RUN = 2**20 - 1
LAST_WORLD = 2**20 - 1


def test_ranges_are_those_of_the_design() -> None:
    assert seeds.world_seed(3, 5) == 3 * 2**20 + 5
    assert seeds.eval_seed(7) == 2**40 + 7
    assert seeds.table_seed(7) == 2**41 + 7


def test_training_evaluation_and_tables_never_share_a_seed() -> None:
    last_training = seeds.world_seed(LAST_RUN, LAST_WORLD)
    last_evaluation = seeds.eval_seed(2**40 - 1)
    assert last_training < seeds.eval_seed(0)
    assert last_evaluation < seeds.table_seed(0)


@given(st.integers(0, LAST_RUN), st.integers(0, LAST_WORLD))
def test_a_world_seed_names_its_run_and_world(run: int, world: int) -> None:
    assert divmod(seeds.world_seed(run, world), 2**20) == (run, world)


@pytest.mark.parametrize(
    "call",
    [
        lambda: seeds.world_seed(-1, 0),
        lambda: seeds.world_seed(0, -1),
        lambda: seeds.world_seed(0, 2**20),
        lambda: seeds.world_seed(2**20, 0),
        lambda: seeds.eval_seed(-1),
        lambda: seeds.eval_seed(2**40),
        lambda: seeds.table_seed(2**41),
        lambda: seeds.eval_seeds(-1),
        lambda: seeds.generator(2**20, "policy"),
        lambda: seeds.torch_seed(0, "polciy"),
    ],
)
def test_a_seed_out_of_range_is_refused_in_one_line(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_fraction_is_no_seed() -> None:
    with pytest.raises(TypeError):
        seeds.eval_seed(1.5)  # type: ignore[arg-type]


def test_lists_are_python_ints_that_gymnasium_accepts() -> None:
    found = [*seeds.world_seeds(2, 3, first=4), *seeds.eval_seeds(2), *seeds.table_seeds(2)]
    assert found[:3] == [2 * 2**20 + 4, 2 * 2**20 + 5, 2 * 2**20 + 6]
    assert all(type(seed) is int for seed in found)
    env = gymnasium.make("CartPole-v1")
    for seed in [seeds.world_seed(np.int64(1), np.int32(2)), *found]:  # type: ignore[arg-type]
        env.reset(seed=seed)
    env.close()


def test_streams_of_one_run_differ_by_purpose_and_repeat_by_name() -> None:
    drawn = {p: tuple(seeds.generator(0, p).integers(2**63, size=4)) for p in seeds.PURPOSES}
    assert len(set(drawn.values())) == len(seeds.PURPOSES)
    assert tuple(seeds.generator(0, "policy").integers(2**63, size=4)) == drawn["policy"]
    assert tuple(seeds.generator(1, "policy").integers(2**63, size=4)) != drawn["policy"]


def test_torch_seeds_fit_the_legacy_functions_of_numpy() -> None:
    found = {seeds.torch_seed(run, p) for run in range(50) for p in seeds.PURPOSES}
    assert len(found) == 50 * len(seeds.PURPOSES)
    for seed in found:
        np.random.RandomState(seed)
