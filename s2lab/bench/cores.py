"""`s2lab bench cores`: time and memory of cores, forward and backward, on one thread.

Peers: a dense-masked RIM as usually published (`dense_rims.py`), torch's own nn.LSTM, the plain
torch form of the same core, and cores among each other. Every ratio is peer / ours: above 1 is ours
ahead. Two cores that are compared get the same inputs and batch.
"""

import math
import multiprocessing
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import nn

from s2lab.agents.cores import make_core
from s2lab.bench.dense_rims import DenseMaskedRIMs
from s2lab.bench.harness import Row, duel, in_turns
from s2lab.process import tune_process

Work = Callable[[], object]
LARGE: dict[str, Any] = {"module_count": 6, "module_size": 100, "active_count": 4}
SMALL: dict[str, Any] = {"module_count": 6, "module_size": 32, "active_count": 4}
LARGE_INPUT, SMALL_INPUT = 10, 64  # copying's symbols; the features of an encoder


def core_work(name: str, steps: int, rows: int, inputs: int, options: dict[str, Any]) -> Work:
    """One forward and backward pass of a core over [T, B, I]."""
    core = make_core(name, inputs, options)
    x = torch.randn(steps, rows, inputs, requires_grad=True)
    state, reset = core.initial_state(rows), torch.zeros(steps, rows, dtype=torch.bool)
    return lambda: torch.autograd.backward(core(x, state, reset)[0].sum())


def acting_work(name: str, rows: int, inputs: int, options: dict[str, Any]) -> Work:
    """One step without gradient, as when an agent acts."""
    core = make_core(name, inputs, options)
    x = torch.randn(1, rows, inputs)
    state, reset = core.initial_state(rows), torch.zeros(1, rows, dtype=torch.bool)

    def act() -> None:
        with torch.no_grad():
            core(x, state, reset)

    return act


def torch_work(module: nn.Module, steps: int, rows: int, inputs: int) -> Work:
    """One forward and backward pass of nn.LSTM or the dense-masked RIMs."""
    x = torch.randn(steps, rows, inputs, requires_grad=True)

    def run() -> None:
        found = module(x)
        torch.autograd.backward((found[0] if isinstance(found, tuple) else found).sum())

    return run


def large(steps: int, runs: int) -> Iterator[Row]:
    """600 units in 6 modules, B = 64, the width of the papers' supervised experiments."""
    batch = 64
    rims = core_work("rims", steps, batch, LARGE_INPUT, LARGE)
    dense = torch_work(DenseMaskedRIMs(LARGE_INPUT, 6, 100, 4), steps, batch, LARGE_INPUT)
    lstm = torch_work(nn.LSTM(LARGE_INPUT, 600), steps, batch, LARGE_INPUT)
    size = f"600/6, B {batch}, T {steps}"
    yield duel(f"rims {size}", rims, "dense-masked RIMs", dense, runs)
    yield duel(f"rims {size}", rims, "nn.LSTM 600", lstm, runs)
    for name in ("workspace", "scoff"):
        work = core_work(name, steps, batch, LARGE_INPUT, LARGE)
        yield duel(f"{name} {size}", work, "rims", rims, runs)


def small(steps: int, runs: int) -> Iterator[Row]:
    """6 modules of 32 units, the size used in reinforcement learning."""
    for batch in (64, 256):
        size = f"6x32, B {batch}, T {steps}"
        theirs = torch_work(nn.LSTM(SMALL_INPUT, 128), steps, batch, SMALL_INPUT)
        rims = core_work("rims", steps, batch, SMALL_INPUT, SMALL)
        yield duel(f"rims {size}", rims, "nn.LSTM 128", theirs, runs)
        lstm = core_work("lstm", steps, batch, SMALL_INPUT, {"hidden_size": 128})
        yield duel(f"lstm 128, B {batch}, T {steps}", lstm, "nn.LSTM 128", theirs, runs)
        gru = core_work("gru", steps, batch, SMALL_INPUT, {"hidden_size": 128})
        peer = torch_work(nn.GRU(SMALL_INPUT, 128), steps, batch, SMALL_INPUT)
        yield duel(f"gru 128, B {batch}, T {steps}", gru, "nn.GRU 128", peer, runs)
        yield duel(f"rims {size}", rims, "lstm 128", lstm, runs)
        for name in ("workspace", "scoff"):
            work = core_work(name, steps, batch, SMALL_INPUT, SMALL)
            yield duel(f"{name} {size}", work, "rims", rims, runs)
        for name in ("rims", "workspace", "scoff"):
            fused = core_work(name, steps, batch, SMALL_INPUT, SMALL)
            plain = core_work(name, steps, batch, SMALL_INPUT, SMALL | {"kernel": "torch"})
            yield duel(f"{name} {size}", fused, "plain torch", plain, runs)
        act = acting_work("rims", batch, SMALL_INPUT, SMALL)
        plain = acting_work("rims", batch, SMALL_INPUT, SMALL | {"kernel": "torch"})
        yield duel(f"rims acting, 6x32, B {batch}", act, "plain torch", plain, runs)


def others(steps: int, runs: int) -> Iterator[Row]:
    """Cores whose kernels have no peer but their own plain form, at their default sizes."""
    for name in ("rmc", "transformer"):
        fused = core_work(name, steps, 64, SMALL_INPUT, {})
        plain = core_work(name, steps, 64, SMALL_INPUT, {"kernel": "torch"})
        yield duel(f"{name}, B 64, T {steps}", fused, "plain torch", plain, runs)


def scaling(runs: int) -> list[Row]:
    """Microseconds per step of RIMs against B, T and K."""
    shapes = [(20, batch, 6) for batch in (1, 16, 64, 256)]
    shapes += [(steps, 64, 6) for steps in (5, 80)] + [(20, 64, count) for count in (1, 4, 12)]
    works = [
        core_work(
            "rims",
            steps,
            rows,
            SMALL_INPUT,
            SMALL | {"module_count": k, "active_count": -(-k // 2)},
        )
        for steps, rows, k in shapes
    ]
    times = in_turns(works, runs)
    return [
        Row(f"rims {k}x32, B {batch}, T {steps}, per step", s / steps * 1e6, "us", runs=runs)
        for (steps, batch, k), s in zip(shapes, times, strict=True)
    ]


def memory() -> Iterator[Row]:
    """Memory that one forward and backward pass adds, in a fresh process each."""
    shapes = [(20, 64, 6), (80, 64, 6), (20, 256, 6), (20, 64, 12)]
    for steps, batch, count in shapes:
        options = SMALL | {"module_count": count, "active_count": count // 2}
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            peak = pool.submit(added_mib, "rims", steps, batch, SMALL_INPUT, options).result()
        yield Row(f"rims {count}x32, B {batch}, T {steps}, memory", peak, "MiB")


def added_mib(name: str, steps: int, rows: int, inputs: int, options: dict[str, Any]) -> float:
    """Memory that one pass adds to this process while its graph lives, after one small pass."""
    torch.set_num_threads(1)
    core_work(name, 2, 2, inputs, options)()
    core, x = make_core(name, inputs, options), torch.randn(steps, rows, inputs)
    state, reset = core.initial_state(rows), torch.zeros(steps, rows, dtype=torch.bool)
    before = resident_mib()
    loss = core(x, state, reset)[0].sum()
    forward = resident_mib()
    torch.autograd.backward(loss)
    return max(forward, resident_mib()) - before


def resident_mib() -> float:
    """Resident memory of this process; not a number where the system does not say."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return math.nan
    return int(status.read_text().split()[1]) * resource.getpagesize() / 2**20


def bench(*, quick: bool = False) -> Iterator[Row]:
    """All rows, a few minutes; `quick` takes shorter sequences and fewer repetitions."""
    tune_process()
    runs = 3 if quick else 7
    yield from large(10 if quick else 50, runs)
    yield from small(20, runs)
    yield from others(20, runs)
    if not quick:
        yield from scaling(runs)
        yield from memory()
