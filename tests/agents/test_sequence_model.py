"""The sequence trainer: exact resume, honest selection, and a task with a known answer."""

from typing import Any

import numpy as np
import pytest
import torch

from s2lab.agents.sequence_model import SequenceConfig, SequenceTrainer, loss_of, score
from s2lab.envs.sequences import Sequences
from s2lab.envs.sequences.adding import adding
from s2lab.envs.sequences.copying import copying


def batches(update: int) -> Sequences:
    return adding(np.random.default_rng([7, update]), 32, 10, [2, 4])


VALIDATION = [adding(np.random.default_rng(99), 128, 10, [2, 4])]


def trainer(**settings: Any) -> SequenceTrainer:
    settings = {"core": "scoff", "updates": 20, "validate_every": 5} | settings
    return SequenceTrainer(SequenceConfig(**settings), batches, VALIDATION)


@pytest.mark.parametrize("core", ["scoff", "lstm"])
def test_a_restored_trainer_goes_on_bit_for_bit(core: str) -> None:
    whole = trainer(core=core)
    whole.train(20)
    first = trainer(core=core)
    first.train(7)
    second = trainer(core=core, seed=0)
    second.load_state_dict(first.state_dict())
    second.train(20)
    assert second.update == whole.update == 20
    for mine, other in zip(second.best.values(), whole.best.values(), strict=True):
        assert torch.equal(mine, other)
    assert second.history == whole.history


def test_the_model_judged_is_the_best_on_validation() -> None:
    run = trainer(core="accumulator", updates=60, lr=3e-2)
    run.train(60)
    assert score(run.selected(), "squared", VALIDATION).loss == pytest.approx(run.best_error)
    assert run.best_error == min(error for _, error in run.history)


def test_the_accumulator_solves_adding_far_beyond_its_training_length() -> None:
    """Far below n / 12. (Were there always 2 addends, a leak per blank step could not be seen.)"""
    run = trainer(core="accumulator", updates=600, lr=1e-2, validate_every=100)
    run.train(600)
    longer = [adding(np.random.default_rng(5), 500, 40, [5])]
    assert score(run.selected(), "squared", longer).loss < 0.1 * 5 / 12


def test_chance_on_copying_is_ln_8_and_scored_on_the_last_ten_steps() -> None:
    batch = copying(np.random.default_rng(0), 50, 5)
    run = SequenceTrainer(
        SequenceConfig(core="gru", loss="classes", updates=1),
        lambda update: batch,
        [batch],
    )
    with torch.no_grad():
        run.model.head.weight.zero_()
    found = score(run.model, "classes", [batch])
    assert found.loss == pytest.approx(np.log(8), rel=1e-6)
    assert found.accuracy == pytest.approx((batch.targets == 0).mean())


def test_losses_are_the_textbooks() -> None:
    logits = torch.tensor([[[0.0, 2.0]]])
    targets = torch.tensor([[[1.0, 0.0]]])
    squared = loss_of("squared", logits, targets).item()
    assert squared == pytest.approx((1 + 4) / 2)
    pixels = loss_of("pixels", logits, targets).item()
    assert pixels == pytest.approx((np.log(2) + 2 + np.log1p(np.exp(-2))) / 2)
    classes = loss_of("classes", logits, torch.tensor([[1]])).item()
    assert classes == pytest.approx(np.log1p(np.exp(-2)))


def test_a_budget_of_seconds_stops_training() -> None:
    run = trainer(core="none", updates=0, seconds=0.3)
    run.train(100_000)
    assert 0.3 <= run.spent_s < 2
    with pytest.raises(ValueError, match="give updates, or seconds"):
        SequenceConfig(updates=0)
