"""Behaviour cloning: how episodes are cut, what is learnt, and that it goes on exactly."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from s2lab.agents.actor_critic import ActorCritic
from s2lab.agents.cloning_config import CloningConfig
from s2lab.agents.imitation import Cloning, Shown, cut_into_streams

SPACE = spaces.Dict({"cue": spaces.Box(-1, 1, (2,), np.float32)})


def show(episodes: Any) -> Shown:
    """Episodes of 3 to 6 steps: the first step shows a cue, the last asks for it."""
    cues, actions, starts = [], [], []
    for episode in episodes.tolist():
        length, cue = 3 + episode % 4, episode % 2
        starts.append(len(cues))
        cues += [[1.0 - cue, float(cue)], *([[0.0, 0.0]] * (length - 2)), [-1.0, -1.0]]
        actions += [0] * (length - 1) + [1 + cue]
    return Shown(np.array(starts), {"cue": np.array(cues, np.float32)}, np.array(actions))


def learner(core: str = "lstm", **settings: Any) -> Cloning:
    torch.manual_seed(0)
    model = ActorCritic(
        SPACE, spaces.Discrete(3), core, {"hidden_size": 32} if core != "none" else {}
    )
    config = CloningConfig(**{"streams": 4, "unroll": 8, "lr": 5e-3} | settings)
    lengths = 3 + np.arange(200) % 4
    return Cloning(model, config, lengths=lengths, show=show, total_steps=40_000, seed=3)


@pytest.mark.parametrize(("count", "streams", "unroll"), [(200, 4, 8), (3, 16, 32), (50, 64, 2)])
def test_streams_are_whole_runs_of_steps_that_begin_with_an_episode(
    count: int, streams: int, unroll: int
) -> None:
    shown = show(np.arange(count))
    steps = len(shown.actions)
    cut = cut_into_streams(shown.starts, steps, streams, unroll)
    assert (np.diff(cut.rows, axis=0) == 1).all()
    assert set(cut.rows[0]) <= set(shown.starts.tolist())
    assert cut.rows.max() < steps
    assert len(np.unique(cut.rows)) == cut.rows.size  # no step twice
    assert np.array_equal(cut.first, np.isin(cut.rows, shown.starts))
    assert cut.rows.size >= steps / 3


def test_memory_learns_what_a_feedforward_agent_cannot() -> None:
    accuracy = {}
    for core in ("lstm", "none"):
        cloning = learner(core)
        while cloning.step < 12_000:
            found = cloning.update()
        accuracy[core] = found["train/accuracy"]
    assert accuracy["lstm"] > 0.99
    assert (
        accuracy["none"] < 0.95
    )  # one step in 4.5 asks for the cue, and half the guesses are wrong


def test_a_restored_learner_goes_on_exactly() -> None:
    straight, stopped = learner(), learner()
    for _ in range(30):
        straight.update()
    for _ in range(17):
        stopped.update()
    stopped.judge(0.5)
    again = learner()
    again.model.load_state_dict(stopped.model.state_dict())
    again.load_state_dict(stopped.state_dict())
    for _ in range(13):
        again.update()
    assert (again.step, again.best_success) == (straight.step, 0.5)
    for one, other in zip(again.model.parameters(), straight.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_every_pass_reads_every_episode_in_another_order() -> None:
    cloning = learner(slab_steps=300)
    assert cloning.slabs_per_pass == 4
    passes = [
        np.concatenate([cloning._chosen(turn * 4 + part) for part in range(4)]) for turn in range(2)
    ]
    assert [sorted(order.tolist()) for order in passes] == [list(range(200))] * 2
    assert passes[0].tolist() != passes[1].tolist()


def test_the_best_weights_are_kept_and_patience_counts() -> None:
    cloning = learner()
    cloning.update()
    cloning.judge(0.8)
    best = [weight.clone() for weight in cloning.model.parameters()]
    for _ in range(3):
        cloning.update()
        cloning.judge(0.7)
    assert cloning.since_best == 3
    cloning.take_best()
    for one, other in zip(best, cloning.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_no_episodes_and_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="unroll is 0"):
        CloningConfig(unroll=0)
    model = learner().model
    with pytest.raises(ValueError, match="no episodes to learn from"):
        Cloning(model, CloningConfig(), lengths=np.zeros(0), show=show, total_steps=1, seed=0)
