"""bfloat16 and compiled passes against eager single precision."""

import shutil
from typing import Any

import pytest
import torch

from s2lab.agents.actor_critic import ActorCritic
from s2lab.agents.cores import CORES
from s2lab.agents.execution import Disagrees
from s2lab.agents.ppo import PPO
from s2lab.agents.ppo_config import PPOConfig
from s2lab.agents.transfer import Staging, on_host
from s2lab.envs.vector import make_vec

SMALL = PPOConfig(num_envs=4, rollout_steps=4, minibatches=2, epochs=1)
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
NO_COMPILER = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")


def learner(core: str, **execution: Any) -> PPO:
    torch.manual_seed(0)
    worlds = make_vec("BabyAI-GoToRedBall-v0", 4)
    space: Any = worlds.single_observation_space
    model = ActorCritic(space, worlds.single_action_space, core)
    seeds = list(range(4))
    return PPO(worlds, model, SMALL, total_steps=100, world_seeds=seeds, policy_seed=0, **execution)


def outputs(ppo: PPO) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Numbers and values of the learner's passes and of its eager network, on one rollout."""
    batch = ppo.prepare()
    with torch.no_grad():
        mine = ppo.passes(batch.observation, batch.state, batch.resets)
        eager = ppo.model(batch.observation, batch.state, batch.resets)
    assert all(part.dtype == torch.float32 for part in (mine[0], mine[1], *mine[2]))
    return mine[0], mine[1], eager[0], eager[1]


@pytest.mark.parametrize("core", CORES)
def test_bfloat16_losses_are_those_of_single_precision_nearly(core: str) -> None:
    ppo = learner(core, bf16=True)
    ppo.collect()
    numbers, values, eager_numbers, eager_values = outputs(ppo)
    assert not torch.equal(values, eager_values)  # it is another precision
    torch.testing.assert_close(values, eager_values, rtol=0.05, atol=0.05)
    torch.testing.assert_close(numbers, eager_numbers, rtol=0.05, atol=0.05)
    weights = ppo.optimizer.weights.clone()
    ppo.update()  # raises Disagrees beyond the tolerance
    assert not torch.equal(weights, ppo.optimizer.weights)


@NO_COMPILER
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch.compile's own
def test_compiled_losses_are_those_of_eager_passes() -> None:
    ppo = learner("lstm", compiled=True)
    ppo.collect()
    numbers, values, eager_numbers, eager_values = outputs(ppo)
    torch.testing.assert_close(values, eager_values, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(numbers, eager_numbers, rtol=1e-4, atol=1e-5)
    ppo.update()
    eager = learner("lstm")
    assert ppo.step == 16
    eager.load_state_dict(ppo.state_dict())
    eager.model.load_state_dict(ppo.model.state_dict())
    for _ in range(2):
        assert ppo.collect() == eager.collect()
        found, expected = ppo.update(), eager.update()
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_losses_that_disagree_stop_before_the_weights_move() -> None:
    ppo = learner("lstm", bf16=True)
    ppo.collect()
    right = ppo.passes._call

    def wrong(*inputs: Any) -> Any:
        numbers, values, state = right(*inputs)
        return numbers, values + 1, state

    ppo.passes._call = wrong  # type: ignore[assignment]  # a stand-in for a broken compiler
    weights = ppo.optimizer.weights.clone()
    with pytest.raises(Disagrees, match=r"with bf16 and .* without, more than 0\.02 apart"):
        ppo.update()
    assert torch.equal(weights, ppo.optimizer.weights)


@NO_GPU
@pytest.mark.parametrize("flags", [{}, {"bf16": True}, {"compiled": True}])
def test_a_learner_on_the_gpu_begins_with_the_losses_of_the_cpu(flags: dict[str, bool]) -> None:
    host, device = learner("lstm"), learner("lstm", device="cuda", **flags)
    host.collect()
    for _ in range(2):
        device.collect()
        device.update()
    batch = host.prepare()
    values = host.model(batch.observation, batch.state, batch.resets)[1]
    device.model.load_state_dict(host.model.state_dict())
    moved = {name: field.cuda() for name, field in batch.observation.items()}
    state = tuple(part.cuda() for part in batch.state)
    found = device.passes(moved, state, batch.resets.cuda())[1]
    torch.testing.assert_close(found.cpu(), values, rtol=2e-2, atol=2e-2)


@NO_GPU
def test_pinned_buffers_bring_every_step_to_the_device() -> None:
    staging, target = Staging(), torch.zeros(50, 1000, device="cuda")
    for t in range(50):
        staging.copy("numbers", torch.full((1000,), float(t)).numpy(), target[t])
        on_host(target[t, :1])  # as reading the actions does
    assert torch.equal(target.cpu(), torch.arange(50.0)[:, None].expand(50, 1000))
