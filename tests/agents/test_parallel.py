"""Two processes against one with all the worlds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

# Each process learns from its half of the columns; alone, from all of them.
CHILD = """
import sys
import torch
from torch import distributed
from s2lab.agents.actor_critic import ActorCritic
from s2lab.agents.parallel import across, average, share_weights
from s2lab.envs.vector import make_vec

rank, count, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
if count > 1:
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=count
    )
worlds = make_vec("MiniGrid-Empty-5x5-v0", 1)
torch.manual_seed(rank)
model = ActorCritic(worlds.single_observation_space, worlds.single_action_space, "lstm")
share_weights(model)
generator = torch.Generator().manual_seed(7)
image = torch.randint(0, 6, (5, 8, 7, 7, 3), dtype=torch.uint8, generator=generator)
values = torch.randn(5, 8, generator=generator)
half = slice(rank * 8 // count, (rank + 1) * 8 // count)
shown = {
    "image": image[:, half],
    "direction": torch.ones(5, 8, dtype=torch.int64)[:, half],
    "mission": torch.ones(5, 8, 3, dtype=torch.int16)[:, half],
}
mean, std = across(values[:, half])
target = (values[:, half] - mean) / std
head, found, _ = model(
    shown, model.initial_state(8 // count), torch.zeros(5, 8 // count, dtype=torch.bool)
)
((found - target) ** 2 + head.logsumexp(-1)).mean().backward()
for weight in model.parameters():
    average(weight.grad)
gradients = {name: weight.grad for name, weight in model.named_parameters()}
torch.save({"mean": mean, "std": std, **gradients}, f"{folder}/{count}_{rank}.pt")
"""


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one_with_twice_the_batch(tmp_path: Path) -> None:
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
    assert alone.keys() == first.keys() == second.keys()
    for name, expected in alone.items():
        torch.testing.assert_close(first[name], expected, rtol=1e-4, atol=1e-6, msg=name)
        assert torch.equal(first[name], second[name]), name
