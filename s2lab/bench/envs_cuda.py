"""How fast the native grid worlds are on a GPU, laid out one way or another, and what bounds it.

`s2lab bench envs --device cuda`. Steps are whole steps of `make_vec(..., device="cuda")`: random
actions in the device's memory, observations, auto-reset; captured in a CUDA graph and, for
comparison, launched one by one. Time is the GPU's own, between events on the stream. Knows nothing
of agents.
"""

import os
import time
from collections.abc import Iterator
from itertools import product
from statistics import median
from typing import TYPE_CHECKING, Any

from s2lab.bench.harness import Row, device_seconds
from s2lab.bench.jax_worlds import JAX_ENGINES
from s2lab.errors import UserError

if TYPE_CHECKING:
    from s2lab.envs.device import DeviceBatch, Plan
    from s2lab.envs.device_vector import DeviceVectorEnv

COUNT = 65_536  # worlds
STEPS = 32  # in one graph
MIXED = 320  # steps before measuring, so that episodes end at different times
COPIED_BYTES = 1 << 30
FEWER = 8  # times fewer worlds, to see whether more worlds cost more time
WORLDS = {
    "Empty-8x8": "MiniGrid-Empty-8x8-v0",
    "DoorKey-8x8": "MiniGrid-DoorKey-8x8-v0",
    "GoToLocal": "BabyAI-GoToLocal-v0",
}
LONG_RESETS = {"BossLevel": "BabyAI-BossLevel-v0"}


def bench(*, quick: bool = False) -> Iterator[Row]:
    """Every world with every plan, the default plan in more detail; quick: the default plan only.

    `beside_jax` is apart: JAX engines take minutes to compile.

    Raises:
        UserError: no GPU here, or no extra `cuda`.
    """
    import torch

    from s2lab.envs.device import LAYOUTS, RESETS, Plan, missing

    lacking = missing()
    if lacking is not None or not torch.cuda.is_available():
        raise UserError(f"device cuda: {lacking or 'numba simulates it; nothing can be timed'}")
    runs = 5 if quick else 15
    bandwidth = copy_bandwidth(runs)
    yield Row(f"{torch.cuda.get_device_name()}, copying 1 GiB", bandwidth / 1e9, "GB/s", runs=runs)
    for name, world_id in WORLDS.items():
        default = captured_seconds(world_id, COUNT, Plan(), runs)
        title = f"{name}, {COUNT:,} worlds, in a graph"
        yield Row(title, COUNT / default, "steps/s", runs=runs)
        slow = launched_seconds(world_id, COUNT, Plan(), runs)
        alone = f"{name}, {COUNT:,} worlds, step by step"
        yield Row(alone, COUNT / slow, "steps/s", "graph", COUNT / default, default / slow, runs)
        yield from explained(name, world_id, default, bandwidth, runs)
        for reset, layout in product(RESETS, LAYOUTS):
            plan = Plan(reset=reset, layout=layout)
            if quick or plan == Plan():
                continue
            seconds = captured_seconds(world_id, COUNT, plan, runs)
            title = f"{name}, reset {reset}, layout {layout}"
            rates = COUNT / seconds, COUNT / default
            yield Row(title, rates[0], "steps/s", "default", rates[1], default / seconds, runs)
    for name, world_id in {} if quick else LONG_RESETS.items():
        default = captured_seconds(world_id, COUNT, Plan(), runs)
        seconds = captured_seconds(world_id, COUNT, Plan(reset="second_pass"), runs)
        rates = COUNT / default, COUNT / seconds
        title = f"{name}, {COUNT:,} worlds, in a graph"
        peer = "reset second_pass"
        yield Row(title, rates[0], "steps/s", peer, rates[1], seconds / default, runs)


def beside_jax(name: str, world_id: str, runs: int) -> Iterator[Row]:
    """The worlds of JAX engines on the same GPU, where installed, by the wall clock."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the GPU is shared with torch
    from s2lab.envs.device import Plan

    for engine, (make, view) in JAX_ENGINES.items():
        theirs = make(world_id, COUNT, STEPS)
        if theirs is None:
            continue
        peer = COUNT * STEPS / wall_seconds(theirs, runs)
        ours = COUNT / captured_seconds(world_id, COUNT, Plan(), runs, view)
        seen = "" if view == "partial" else ", the whole grid in view"
        title = f"{name}{seen}, {COUNT:,} worlds, in a graph"
        yield Row(title, ours, "steps/s", engine, peer, ours / peer, runs)


def wall_seconds(work: Any, runs: int) -> float:
    """Median seconds of `work`, which waits for the GPU itself."""
    times = list[float]()
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def explained(
    name: str, world_id: str, seconds: float, bandwidth: float, runs: int
) -> Iterator[Row]:
    """The achieved share of memory bandwidth, and what else may bound a step."""
    from s2lab.envs.device import Plan

    traffic = COUNT * least_bytes(make_worlds(world_id, 2, Plan()).device_batch) / seconds
    share = traffic / bandwidth
    title = f"{name}, memory traffic, at least"
    yield Row(title, traffic / 1e9, "GB/s", "copying", bandwidth / 1e9, share, runs)
    fewer = captured_seconds(world_id, COUNT // FEWER, Plan(), runs)
    growth = seconds / fewer
    title = f"{name}: {bound(share, growth)}; time of {FEWER} times as many worlds"
    yield Row(title, seconds * 1e6, "us", f"{COUNT // FEWER:,}", fewer * 1e6, growth, runs)


def bound(share: float, growth: float) -> str:
    """What bounds a step, from its share of bandwidth and its growth with `FEWER` times worlds."""
    if share > 0.5:
        return "bound by memory bandwidth"
    if growth < FEWER / 4:
        return "bound by latency: the GPU is not full yet"
    return "bound by instructions and scattered accesses"


def make_worlds(
    world_id: str, count: int, plan: "Plan", view: str = "partial"
) -> "DeviceVectorEnv":
    """Worlds with live buffers, in the middle of different episodes."""
    import torch
    from gymnasium.vector import AutoresetMode

    from s2lab.envs.batches import MODES
    from s2lab.envs.device_vector import DeviceVectorEnv, make_device_batch

    mode = AutoresetMode.SAME_STEP
    options: dict[str, Any] = {"mode": MODES[mode], "observation": view, "view_size": 7}
    batch = make_device_batch(world_id, count, device="cuda", plan=plan, **options)
    worlds = DeviceVectorEnv(batch, mode, copy=False)
    worlds.reset(seed=0)
    for _ in range(MIXED if count > 2 else 1):
        worlds.step(torch.randint(0, batch.level.actions, (count,), device=batch.device))
    worlds.check()
    return worlds


def some_actions(worlds: "DeviceVectorEnv") -> Any:
    """Random actions [STEPS, N] on the device."""
    import torch

    shape = (STEPS, worlds.num_envs)
    return torch.randint(0, worlds.device_batch.level.actions, shape, device=worlds.device)


def captured_seconds(
    world_id: str, count: int, plan: "Plan", runs: int, view: str = "partial"
) -> float:
    """Seconds of one step of all worlds, `STEPS` of them replayed from a CUDA graph."""
    import torch

    worlds = make_worlds(world_id, count, plan, view)
    actions = some_actions(worlds)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for chosen in actions:
            worlds.step(chosen)
    graph.replay()
    found = device_seconds(graph.replay, runs) / STEPS
    worlds.check()
    worlds.close()
    return found


def launched_seconds(world_id: str, count: int, plan: "Plan", runs: int) -> float:
    """Seconds of one step of all worlds, launched from Python."""
    worlds = make_worlds(world_id, count, plan)
    actions = some_actions(worlds)

    def work() -> None:
        for chosen in actions:
            worlds.step(chosen)

    found = device_seconds(work, runs) / STEPS
    worlds.check()
    worlds.close()
    return found


def copy_bandwidth(runs: int) -> float:
    """Bytes a second that a copy within the GPU's memory reads and writes."""
    import torch

    source = torch.ones(COPIED_BYTES, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    target.copy_(source)
    return 2 * COPIED_BYTES / device_seconds(lambda: target.copy_(source), runs)


def least_bytes(batch: "DeviceBatch") -> int:
    """Bytes that a step of one world cannot do without: what it hands out, its numbers, its view.

    Every number of the agent is read and written once, every cell in view read once. Missions,
    tables, resets and whatever a memory sector holds besides are not counted.
    """
    outputs, worlds = batch.outputs._asdict(), batch.worlds._asdict()

    def of_one(tensor: Any) -> int:
        return int(tensor[0].numel() * tensor.element_size())

    written = sum(of_one(outputs[name]) for name in outputs if not name.startswith("final_"))
    agent = ("carrying", "agent_x", "agent_y", "agent_dir", "step_count")
    read_and_written = 2 * sum(of_one(worlds[name]) for name in agent)
    read = of_one(worlds["budget"]) + batch.actions.element_size()
    in_view = outputs["image"][0].numel() // 3 * worlds["cells"].element_size()
    return int(written + read_and_written + read + in_view)
