"""Everything that needs a GPU: parity of every id, graphs, the bench, a short training run.

python tests/envs/gpu_check.py [--json runs/records/gpu-check.json] [--quick]

Prints one table and writes a record. Without a GPU it says so and exits 0; with a GPU but without
the extra it says what to install and exits 2; a difference between GPU and CPU exits 1.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from device_play import NAMES, differences, make_on_device, play

from s2lab.bench import envs_cuda
from s2lab.bench.harness import Row, machine, table, versions
from s2lab.envs import WORLDS, make_vec
from s2lab.envs.device import LAYOUTS, RESETS, Plan, missing

COUNT, STEPS = 64, 100
GRAPHED = ("same_step", Plan())
TRAINED, TRAINING_STEPS = "MiniGrid-Empty-5x5-v0", 200_000


def parity(quick: bool) -> Iterator[dict[str, Any]]:
    """Every id, played on both devices, with modes in turn; what differs, to the bit.

    Plans other than the default are played with the worlds of the bench: each has to be compiled.
    """
    plans = [Plan(reset=reset, layout=layout) for reset in RESETS for layout in LAYOUTS]
    games = [(world_id, Plan()) for world_id in sorted(WORLDS)[:: 10 if quick else 1]]
    games += [] if quick else list(product(envs_cuda.WORLDS.values(), plans))
    for i, (world_id, plan) in enumerate(games):
        mode = NAMES[i % 3]
        found = list[str]()
        for near_the_end in (False, True):
            cpu = make_vec(world_id, COUNT, autoreset=mode)
            gpu = make_on_device(world_id, COUNT, mode, plan)
            wanted, ours = (play(worlds, STEPS, near_the_end) for worlds in (cpu, gpu))
            found += differences(ours, wanted)
            gpu.close()
        print(f"{i + 1:3}/{len(games)} {world_id}: {found[:3] or 'equal'}", flush=True)
        yield {"world": world_id, "mode": mode, **asdict(plan), "differences": found[:10]}


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


def training() -> Row:
    """A short run with worlds and network on the GPU: frames a second, and success at its end."""
    from s2lab.config import TrainConfig
    from s2lab.training import train

    config = TrainConfig(
        env=TRAINED, agent="lstm", steps=TRAINING_STEPS, device="cuda", eval_episodes=0
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        outcome = train(config, runs=folder, quiet=True)
        rate = TRAINING_STEPS / (time.perf_counter() - start)
        lines = (outcome.path / "metrics.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    success = [line.get("rollout/success_rate", 0.0) for line in told][-1]
    return Row(f"training, {TRAINED}, {success:.0%} success", rate, "frames/s")


def main() -> int:
    """Check, print, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, default=Path("runs/records/gpu-check.json"))
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    lacking = missing()
    if not torch.cuda.is_available():
        print(f"gpu-check: there is no GPU here, nothing was checked ({lacking})")
        return 0
    if lacking is not None:
        print(f"gpu-check: {lacking}")
        return 2
    played = list(parity(chosen.quick))
    different = [one["world"] for one in played if one["differences"]]
    graphed = graph_differences()
    rows = [
        Row("worlds played on GPU and CPU", len(played), "worlds"),
        Row("of them different in any bit", len(different), "worlds"),
        Row("arrays that a CUDA graph leaves different", len(graphed), "arrays"),
        *envs_cuda.bench(quick=chosen.quick),
        training(),
    ]
    print(f"\n{table(rows)}")
    record = {
        "command": "make gpu-check",
        "gpu": torch.cuda.get_device_name(),
        "rows": [asdict(row) for row in rows],
        "parity": played,
        "graph_differences": graphed,
        "machine": machine(),
        "versions": versions(),
    }
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(record, indent=2) + "\n")
    print(f"record: {chosen.json}")
    return 1 if different or graphed else 0


if __name__ == "__main__":
    sys.exit(main())
