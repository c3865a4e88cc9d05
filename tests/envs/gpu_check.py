"""Everything that needs a GPU: worlds, graphs and cores against the CPU, the benches, training.

python tests/envs/gpu_check.py [--json runs/records/gpu-check.json] [--quick]
python tests/envs/gpu_check.py --expect FILE      on a CPU; then, on a GPU, --expected FILE

Prints one table and writes a record. Without a GPU it says so and exits 0; with a GPU but without
the extra it says what to install and exits 2; a difference between GPU and CPU exits 1.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from device_play import NAMES, digests, make_on_device, play

from s2lab import durable
from s2lab.agents.cores import CORES, make_core
from s2lab.bench import cores_cuda, envs_cuda
from s2lab.bench.cores_cuda import WAYS, prepared
from s2lab.bench.harness import Row, record, table
from s2lab.envs import WORLDS, make_vec
from s2lab.envs.device import LAYOUTS, RESETS, Plan, missing

COUNT, STEPS = 64, 100
GRAPHED = ("same_step", Plan())
TRAINED, TRAINING_STEPS = "MiniGrid-Empty-5x5-v0", 200_000
LARGE_TRAINED, LARGE_STEPS = "MiniGrid-DoorKey-8x8-v0", 2_000_000
LARGE = {"num_envs": 2048, "rollout_steps": 32, "epochs": 2, "minibatches": 4, "unroll": 16}
MOST_APART = 1e-9
WHEN = ("from a reset", "near the end")
Digests = list[dict[str, str]]  # by name of a field, one for each of `WHEN`
PROCESSES = min(8, os.cpu_count() or 1)


def games(quick: bool) -> list[tuple[str, Plan, str]]:
    """Every id with modes in turn, then the bench's worlds with every plan.

    Plans other than the default are few: each has to be compiled.
    """
    plans = [Plan(reset=reset, layout=layout) for reset in RESETS for layout in LAYOUTS]
    chosen = [(world_id, Plan()) for world_id in sorted(WORLDS)[:: 10 if quick else 1]]
    chosen += [] if quick else list(product(envs_cuda.WORLDS.values(), plans))
    return [(world_id, plan, NAMES[i % 3]) for i, (world_id, plan) in enumerate(chosen)]


def on_cpu(world_id: str, mode: str) -> Digests:
    """What a game comes to on the CPU, played from a reset and near the end of episodes."""
    return [
        digests(play(make_vec(world_id, COUNT, autoreset=mode), STEPS, near))
        for near in (False, True)
    ]


def on_gpu(world_id: str, plan: Plan, mode: str) -> Digests:
    """The same on the GPU."""
    found = []
    for near in (False, True):
        worlds = make_on_device(world_id, COUNT, mode, plan)
        found.append(digests(play(worlds, STEPS, near)))
        worlds.close()
    return found


def compared(world_id: str, plan: Plan, mode: str, expected: Digests | None) -> list[str]:
    """Which fields of a game differ between the devices."""
    wanted = on_cpu(world_id, mode) if expected is None else expected
    return [
        f"{name}, {when}"
        for when, ours, theirs in zip(WHEN, on_gpu(world_id, plan, mode), wanted, strict=True)
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name)
    ]


def parity(quick: bool, expected: dict[str, Digests]) -> Iterator[dict[str, Any]]:
    """Games played on both devices; what differs, to the bit."""
    played = games(quick)
    given = [(*game, expected.get(f"{game[0]} {game[2]}")) for game in played]
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        for i, found in enumerate(pool.map(compared, *zip(*given, strict=True))):
            world_id, plan, mode = played[i]
            print(f"{i + 1:3}/{len(played)} {world_id}: {found[:3] or 'equal'}", flush=True)
            yield {"world": world_id, "mode": mode, **asdict(plan), "differences": found[:10]}


def expect(path: Path) -> None:
    """Write what every game comes to on this CPU."""
    found = {f"{name} {mode}": on_cpu(name, mode) for name, _, mode in games(quick=False)}
    durable.replace(path, (json.dumps(found) + "\n").encode())
    print(f"expected of a GPU: {path}")


def graph_differences() -> list[str]:
    """Steps replayed from a CUDA graph against the same steps launched one by one."""
    worlds, same = (make_on_device("MiniGrid-DoorKey-8x8-v0", COUNT, *GRAPHED) for _ in range(2))
    for one in (worlds, same):
        one.reset(seed=3)
        one.step(torch.zeros(COUNT, dtype=torch.int64, device=one.device))
    actions = torch.randint(0, 7, (300, COUNT), device=worlds.device)
    graph = torch.cuda.CUDAGraph()
    before = worlds.state_dict()
    with torch.cuda.graph(graph):
        for chosen in actions:
            worlds.step(chosen)
    worlds.load_state_dict(before)
    for _ in range(2):
        graph.replay()
        for chosen in actions:
            same.step(chosen)
    ours, wanted = (one.state_dict()["batch"] for one in (worlds, same))
    return [
        name
        for part in wanted
        for name in wanted[part]
        if not np.array_equal(ours[part][name], wanted[part][name])
    ]


def core_differences() -> dict[str, float]:
    """Of every core, double precision, resets midway: how far the GPU is from the CPU.

    The largest difference of outputs, state and gradients, launched and in a CUDA graph, as a share
    of the largest number of its kind.
    """
    found = dict[str, float]()
    for name in CORES:
        torch.manual_seed(0)
        has_kernels = "kernel" in {option.name for option in fields(CORES[name].load()[1])}
        core = make_core(name, 5, {"kernel": "torch"} if has_kernels else {}).double().eval()
        inputs = torch.randn(6, 3, 5, dtype=torch.float64)
        reset = torch.rand(6, 3) < 0.3
        given = (inputs, core.initial_state(3, dtype=torch.float64), reset)
        wanted = outcome(core, core, given)
        moved = core.cuda()
        there = (inputs.cuda(), tuple(part.cuda() for part in given[1]), reset.cuda())
        ways = WAYS[:2] if any(True for _ in core.parameters()) else WAYS[:1]
        for way in ways:
            example = (there[0].clone().requires_grad_(), *there[1:])
            try:
                ours = outcome(moved, prepared(moved, example, way), there)
            except RuntimeError as error:  # of CUDA; the others are still to be compared
                print(f"{name}, {way}: {str(error)[:300]}", flush=True)
                ours = [torch.full((1,), torch.inf)] * len(wanted)
            apart = [relative(mine, theirs) for mine, theirs in zip(ours, wanted, strict=True)]
            found[f"{name}, {way}"] = max(apart)
    return found


def outcome(core: Any, run: Any, given: Any) -> list[torch.Tensor]:
    """Outputs, last state, and gradients of inputs and weights, on the host."""
    inputs, state, reset = given
    inputs = inputs.clone().requires_grad_()
    weights = list(core.parameters())
    outputs, last = run(inputs, state, reset)
    weighed = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype, device=outputs.device)
    loss = (outputs.flatten() * weighed).sum()
    gradients = torch.autograd.grad(loss, [inputs, *weights], allow_unused=True)
    parts = [outputs, *last, *(part for part in gradients if part is not None)]
    return [part.detach().cpu() for part in parts]


def relative(mine: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference as a share of the largest number."""
    if mine.numel() == 0:
        return 0.0
    return float((mine - other).abs().max() / other.abs().max().clamp_min(1e-300))


def training(*, quick: bool) -> Iterator[Row]:
    """Runs with worlds and network on the GPU: frames a second of the second half; success."""
    yield trained(TRAINED, "lstm", {}, {}, TRAINING_STEPS)
    for core in ("lstm", "rims"):
        yield trained(LARGE_TRAINED, core, LARGE, {}, LARGE_STEPS // (5 if quick else 1))


def compiled_training(*, quick: bool) -> Iterator[Row]:
    """The same with torch.compile, which takes a minute and more before the first update."""
    for bf16 in () if quick else (False, True):
        execution = {"compiled": True, "bf16": bf16}
        yield trained(LARGE_TRAINED, "rims", LARGE, execution, LARGE_STEPS)


def jax_worlds(*, quick: bool) -> Iterator[Row]:
    """The worlds of JAX engines, where installed."""
    for name, world_id in {} if quick else envs_cuda.WORLDS.items():
        yield from envs_cuda.beside_jax(name, world_id, runs=3)


def compiled_cores(*, quick: bool) -> Iterator[Row]:
    """RIMs by torch.compile, which takes a minute."""
    if not quick:
        yield from cores_cuda.compiled(runs=15)


SLOW = (jax_worlds, compiled_cores, compiled_training)


def trained(
    world: str, core: str, ppo: dict[str, Any], execution: dict[str, Any], steps: int
) -> Row:
    """One run."""
    from s2lab.agents.ppo_config import PPOConfig
    from s2lab.config import TrainConfig
    from s2lab.training import train

    config = TrainConfig(
        env=world,
        agent=core,
        steps=steps,
        device="cuda",
        eval_episodes=0,
        log_every=steps // 20,
        save_every=steps,
        ppo=PPOConfig(**ppo),
        **execution,
    )
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        outcome = train(config, runs=folder, quiet=True)
        lines = (outcome.path / "metrics.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    took = time.perf_counter() - start
    spent = [(line["step"], line["step"] / line["time/fps"]) for line in told if "time/fps" in line]
    (early, before), (late, after) = spent[len(spent) // 2], spent[-1]
    success = [line.get("rollout/success_rate", 0.0) for line in told][-1]
    how = " and ".join(name for name, chosen in execution.items() if chosen) or "eager"
    name = f"training, {world}, {core}, {config.ppo.num_envs} worlds, {how}"
    print(f"{name}: {took:.0f} s in all", flush=True)
    return Row(f"{name}, {success:.0%} success", (late - early) / (after - before), "frames/s")


def main() -> int:
    """Check, print, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, default=Path("runs/records/gpu-check.json"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--expect", type=Path, help="play on the CPU alone and write this file")
    parser.add_argument("--expected", type=Path, help="such a file, in place of the CPU here")
    chosen = parser.parse_args()
    if chosen.expect is not None:
        expect(chosen.expect)
        return 0
    lacking = missing()
    if not torch.cuda.is_available():
        print(f"gpu-check: there is no GPU here, nothing was checked ({lacking})")
        return 0
    if lacking is not None:
        print(f"gpu-check: {lacking}")
        return 2
    given = {} if chosen.expected is None else json.loads(chosen.expected.read_text())
    played = list(parity(chosen.quick, given))
    different = [one["world"] for one in played if one["differences"]]
    graphed = graph_differences()
    apart = core_differences()
    wrong = [name for name, much in apart.items() if not much < MOST_APART]
    print(f"cores, GPU from CPU: {apart}", flush=True)
    rows = [
        Row("worlds played on GPU and CPU", len(played), "worlds"),
        Row("of them different in any bit", len(different), "worlds"),
        Row("arrays that a CUDA graph leaves different", len(graphed), "arrays"),
        Row("passes of cores on GPU and CPU", len(apart), "passes"),
        Row(f"of them further apart than {MOST_APART:g}", len(wrong), "passes"),
        Row("the furthest", max(apart.values()), "of the largest number"),
    ]
    facts = {"parity": played, "graph_differences": graphed, "core_differences": apart}
    for part in (envs_cuda.bench, training, cores_cuda.bench, *SLOW):
        try:
            for row in part(quick=chosen.quick):
                rows.append(row)
                print(table([row]).splitlines()[1], flush=True)
                write(chosen.json, rows, facts)
        except RuntimeError:  # of CUDA; the other parts are still to be measured
            traceback.print_exc()
            wrong.append(part.__module__)
    print(f"\n{table(rows)}\nrecord: {chosen.json}")
    return 1 if different or graphed or wrong else 0


def write(path: Path, rows: list[Row], facts: dict[str, Any]) -> None:
    """The record, as far as it has come."""
    head = {"command": " ".join(["python", *sys.argv]), "gpu": torch.cuda.get_device_name()}
    whole = {**head, **record(rows), **facts}
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(path, (json.dumps(whole, indent=2) + "\n").encode())


if __name__ == "__main__":
    sys.exit(main())
