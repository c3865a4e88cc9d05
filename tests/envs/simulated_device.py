"""Worlds on a GPU that numba simulates; `test_cuda.py` runs this in a process of its own.

NUMBA_ENABLE_CUDASIM=1 NUMBA_DISABLE_JIT=1 CPU_PLAYED=FILE.npz pytest tests/envs/simulated_device.py
"""

import os
from typing import Any

import numpy as np
import pytest
import torch
from device_play import differences, make_on_device, play, smallest_of_each_family, variant

from s2lab.bench.envs_cuda import least_bytes
from s2lab.envs import make_vec
from s2lab.envs.choose import vector_worlds
from s2lab.envs.device_host import HostEnds

# numpy's scalars warn where generators overflow on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

COUNT, STEPS = 3, 5
WORLD = "MiniGrid-DoorKey-5x5-v0"


@pytest.mark.parametrize(("i", "world_id"), list(enumerate(smallest_of_each_family())))
def test_every_family_is_as_on_the_cpu(i: int, world_id: str) -> None:
    mode, plan = variant(i)
    with np.load(os.environ["CPU_PLAYED"]) as file:
        start = f"{world_id}/"
        wanted = {name.removeprefix(start): file[name] for name in file if name.startswith(start)}
    worlds = make_on_device(world_id, COUNT, mode, plan)
    assert differences(play(worlds, STEPS, True), wanted) == []


def device_worlds(**options: Any) -> Any:
    worlds = make_vec(WORLD, 3, device="cuda", seed=0, **options)
    worlds.reset()
    return worlds


@pytest.mark.parametrize("action", [-1, 7, 1 << 40, -(1 << 40)])
def test_a_wrong_action_on_the_device_leaves_its_world_alone_and_is_told_later(action: int) -> None:
    worlds, same = device_worlds(), device_worlds()
    actions = torch.tensor([0, action, 1])
    worlds.step(actions)
    same.step(torch.tensor([0, 0, 1]))
    with pytest.raises(ValueError, match=r"of world 1 is not one of 0 to 6; .* was not stepped"):
        worlds.check()
    worlds.check()  # once
    ours, theirs = (w.state_dict()["batch"]["worlds"] for w in (worlds, same))
    assert ours["step_count"].tolist() == [1, 0, 1]
    assert np.array_equal(ours["agent_dir"][[0, 2]], theirs["agent_dir"][[0, 2]])


def test_the_next_step_tells_of_a_wrong_action() -> None:
    worlds = device_worlds()
    worlds.step(torch.tensor([0, 0, 9]))
    with pytest.raises(ValueError, match="action 9 of world 2"):
        worlds.step(torch.tensor([0, 0, 0]))


def test_wrong_actions_in_the_hosts_memory_change_nothing() -> None:
    worlds = device_worlds()
    for wrong in ([0, 0, 7], [0, 0], [0.0, 0.0, 0.0]):
        with pytest.raises(ValueError, match="action"):
            worlds.step(np.array(wrong))
    with pytest.raises(ValueError, match="whole numbers"):
        worlds.step(torch.zeros(3))
    assert worlds.state_dict()["batch"]["worlds"]["step_count"].tolist() == [0, 0, 0]


def test_an_ended_world_is_not_stepped_where_nothing_resets_it() -> None:
    worlds = device_worlds(autoreset="disabled")
    saved = worlds.state_dict()
    saved["batch"]["worlds"]["step_count"][1] = worlds.batch.level.max_steps - 1
    worlds.load_state_dict(saved)
    worlds.step(torch.zeros(3, dtype=torch.int64))
    before = worlds.state_dict()["batch"]["worlds"]
    _, reward, _, truncated, _ = worlds.step(torch.zeros(3, dtype=torch.int64))
    assert truncated.tolist() == [False, True, False]
    assert reward.tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="world 1 has ended"):
        worlds.reset()
    after = worlds.state_dict()["batch"]["worlds"]
    assert (after["step_count"] - before["step_count"]).tolist() == [1, 0, 1]


def test_masks_on_either_side_and_seeds_reach_the_worlds_they_name() -> None:
    worlds, cpu = device_worlds(), make_vec(WORLD, 3, seed=0)
    cpu.reset()
    chosen = [False, True, True]
    for mask in (np.array(chosen), torch.tensor(chosen)):
        shown, _ = worlds.reset(seed=[7, 8, 2**70], options={"reset_mask": mask})
    for _ in range(2):
        wanted, _ = cpu.reset(seed=[7, 8, 2**70], options={"reset_mask": np.array(chosen)})
    assert all(np.array_equal(shown[name].numpy(), wanted[name]) for name in wanted)
    with pytest.raises(ValueError, match="reset_mask"):
        worlds.reset(options={"reset_mask": torch.ones(2, dtype=torch.bool)})


def test_live_buffers_are_written_in_place() -> None:
    worlds = device_worlds(copy=False)
    first, *ends, _ = worlds.step(torch.zeros(3, dtype=torch.int64))
    again, *same, _ = worlds.step(torch.zeros(3, dtype=torch.int64))
    pairs = [*zip(first.values(), again.values(), strict=True), *zip(ends, same, strict=True)]
    assert all(one.data_ptr() == other.data_ptr() for one, other in pairs)


def test_worlds_move_between_devices_in_the_middle_of_an_episode() -> None:
    worlds, cpu = device_worlds(), make_vec(WORLD, 3)
    worlds.step(torch.tensor([2, 1, 0]))
    cpu.load_state_dict(worlds.state_dict())
    for actions in np.random.default_rng(0).integers(0, 7, (5, 3)):
        ours, theirs = worlds.step(actions), cpu.step(actions)
        assert np.array_equal(ours[0]["image"].numpy(), theirs[0]["image"])


def test_what_a_gpu_cannot_do_is_said() -> None:
    with pytest.raises(ValueError, match="torch"):
        make_vec(WORLD, 3, device="cuda", output="numpy")
    with pytest.raises(ValueError, match="threads"):
        make_vec(WORLD, 3, device="cuda", threads=2)


def test_a_learner_is_told_the_same_by_worlds_on_either_device() -> None:
    ours, theirs = (vector_worlds(WORLD, 3, device=device) for device in ("cuda", "cpu"))
    assert isinstance(ours, HostEnds)
    assert ours.metadata == theirs.metadata
    ended = 0
    for worlds in (ours, theirs):
        worlds.reset(seed=[5, 6, 7])  # type: ignore[arg-type]  # lists work
        saved = worlds.state_dict()  # type: ignore[attr-defined]  # both have it
        saved["batch"]["worlds"]["step_count"][:2] = worlds_left(3)
        worlds.load_state_dict(saved)  # type: ignore[attr-defined]
    for actions in np.random.default_rng(0).integers(0, 7, (5, 3)):
        shown, *told, info = ours.step(actions)
        wanted, *expected, also = theirs.step(actions)
        assert all(np.array_equal(shown[name].numpy(), wanted[name]) for name in wanted)
        for one, other in zip(told, expected, strict=True):
            assert one.dtype == other.dtype
            assert np.array_equal(one, other)
        assert info.keys() == also.keys()
        assert np.array_equal(info["events"], also["events"])
        for n in np.flatnonzero(info.get("_final_obs", [])):
            ended += 1
            for name, value in also["final_obs"][n].items():
                assert np.array_equal(info["final_obs"][n][name], value)
    assert ended == 2


def test_the_least_traffic_of_a_step_is_counted() -> None:
    handed_out = 7 * 7 * 3 + 8 + 8 + 4 + 2  # image, direction, reward, four marks, events
    agent = 2 + 4 * 4  # carried; x, y, direction, steps
    assert least_bytes(device_worlds().batch) == handed_out + 2 * agent + 4 + 8 + 7 * 7 * 2


def worlds_left(steps: int) -> int:
    """The step count of a world whose episode is cut off after so many steps."""
    return make_vec(WORLD).batch.level.max_steps - steps
