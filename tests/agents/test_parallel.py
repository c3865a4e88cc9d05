"""Two processes against one with all the worlds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

# Each process learns from its half of the same rollout; alone, from all of it.
CHILD = """
import sys
import torch
from torch import distributed
from s2lab.agents.actor_critic import ActorCritic
from s2lab.agents.ppo import PPO
from s2lab.agents.ppo_config import PPOConfig
from s2lab.agents.ppo_loss import LossWeights
from s2lab.envs.vector import make_vec

rank, count, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
if count > 1:
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=count
    )
half = slice(rank * 8 // count, (rank + 1) * 8 // count)
worlds = make_vec("MiniGrid-Empty-5x5-v0", 8 // count)
torch.manual_seed(rank)  # weights are those of the first process
model = ActorCritic(worlds.single_observation_space, worlds.single_action_space, "lstm")
config = PPOConfig(num_envs=8 // count, rollout_steps=6, minibatches=1, epochs=1)
ppo = PPO(
    worlds, model, config, total_steps=1000, world_seeds=list(range(8))[half], policy_seed=0
)
ppo.collect()
generator = torch.Generator().manual_seed(7)
rollout = ppo.rollout
for name, field in rollout.observation.items():
    drawn = torch.randint(0, 4, (7, 8, *field.shape[2:]), generator=generator)
    field.copy_(drawn[:, half])
for field in (rollout.numbers, rollout.values, rollout.rewards):
    field.copy_(torch.randn(len(field), 8, *field.shape[2:], generator=generator)[:, half])
rollout.actions.copy_(torch.randint(0, 7, (6, 8), generator=generator)[:, half])
rollout.ends.copy_(torch.rand(6, 8, generator=generator)[:, half] < 0.2)
terms = ppo.gradient_step(ppo.prepare(), LossWeights(0.2, 0.5, 0.01), 1e-2)
found = {"terms": torch.tensor(terms), "gradient": ppo.optimizer.gradient}
torch.save(found | {"weights": ppo.optimizer.weights}, f"{folder}/{count}_{rank}.pt")
"""


@pytest.mark.slow
def test_two_processes_take_the_step_of_one_with_twice_the_batch(tmp_path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(rank), str(count), str(tmp_path)],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        )
        for rank, count in ((0, 1), (0, 2), (1, 2))
    ]
    assert [child.wait() for child in children] == [0, 0, 0]
    alone, first, second = (
        torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("1_0", "2_0", "2_1")
    )
    for name, expected in alone.items():
        torch.testing.assert_close(first[name], expected, rtol=1e-3, atol=1e-5, msg=name)
        assert torch.equal(first[name], second[name]), name
