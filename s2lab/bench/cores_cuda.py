"""`s2lab bench cores --device cuda`: time and memory of cores on a GPU, forward and backward.

There every core runs in its plain torch form, in one of three ways: launched kernel by kernel from
Python, captured once in a CUDA graph and replayed (torch.cuda.make_graphed_callables), or compiled
(torch.compile, whose mode captures graphs as well). Peers: torch's own nn.LSTM, which is cuDNN's,
and RIMs as usually published (`dense_rims.py`). Time is the GPU's own, between events on
the stream, waits for Python included. Every ratio is peer / ours: above 1 is ours ahead.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from s2lab.agents.cores import make_core
from s2lab.bench.cores import LARGE, LARGE_INPUT, SMALL, SMALL_INPUT, Work
from s2lab.bench.dense_rims import DenseMaskedRIMs
from s2lab.bench.harness import Row, device_seconds
from s2lab.errors import UserError

WAYS = ("launched", "graph", "compiled")


def prepared(module: Any, example: Any, way: str) -> Any:
    """A pass of a module over [T, B, I], done in one of `WAYS`.

    Args:
        module: lives on the example's device; captured in a graph, it takes these shapes alone
        example: what it is called with: inputs, and for a core state and resets
        way: of `WAYS`
    """
    if way == "graph":
        return torch.cuda.make_graphed_callables(module, example, allow_unused_input=True)
    if way == "compiled":
        return torch.compile(module, mode="reduce-overhead", dynamic=False)
    return module


def work_of(module: nn.Module, example: Any, way: str) -> Work:
    """One forward and backward pass of a module, for gradients of inputs and weights."""
    run = prepared(module, example, way)
    leaves = [example[0], *module.parameters()]

    def work() -> None:
        for leaf in leaves:  # a compiled pass may not add to what its last replay gave
            leaf.grad = None
        if way == "compiled":
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        found = run(*example)
        torch.autograd.backward((found[0] if isinstance(found, tuple) else found).sum())

    return work


def core_work(
    name: str, steps: int, rows: int, inputs: int, options: dict[str, Any], way: str
) -> Work:
    """One pass of a core on the current device."""
    core = make_core(name, inputs, options)
    x = torch.randn(steps, rows, inputs, requires_grad=True)
    reset = torch.zeros(steps, rows, dtype=torch.bool)
    return work_of(core, (x, core.initial_state(rows), reset), way)


def peer_work(module: nn.Module, steps: int, rows: int, inputs: int, way: str) -> Work:
    """One pass of nn.LSTM or the dense-masked RIMs."""
    return work_of(module, (torch.randn(steps, rows, inputs, requires_grad=True),), way)


def duel(name: str, ours: Work, peer_name: str, peer: Work, runs: int) -> Row:
    """The GPU's time of ours and of a peer, in turns."""
    times: list[list[float]] = [[], []]
    for _ in range(2):
        for column, work in zip(times, (ours, peer), strict=True):
            work()
            column.append(device_seconds(work, runs))
    mine, theirs = (min(column) for column in times)
    return Row(name, mine * 1e3, "ms", peer_name, theirs * 1e3, theirs / mine, runs)


def compared(
    size: str, shape: tuple[int, int, int], lstm: int, options: dict[str, Any], runs: int
) -> Iterator[Row]:
    """Cores of one size beside their peers.

    Args:
        size: in words
        shape: steps, rows, inputs
        lstm: units of nn.LSTM
        options: of the modular cores
        runs: measurements behind a median
    """
    rims = {way: core_work("rims", *shape, options, way) for way in ("launched", "graph")}
    for way, ours in rims.items():
        masked = peer_work(dense(shape[2], options), *shape, way)
        fewer = runs if way == "graph" else 3
        yield duel(f"rims {size}, {way}", ours, f"dense-masked RIMs, {way}", masked, fewer)
    cudnn = peer_work(nn.LSTM(shape[2], lstm), *shape, "launched")
    yield duel(f"rims {size}, graph", rims["graph"], f"nn.LSTM {lstm}, cuDNN", cudnn, runs)
    for name in ("workspace", "scoff"):
        other = core_work(name, *shape, options, "graph")
        yield duel(f"{name} {size}, graph", other, "rims, graph", rims["graph"], runs)


def dense(inputs: int, options: dict[str, Any]) -> nn.Module:
    """The peer with as many modules and units."""
    sizes = (options[name] for name in ("module_count", "module_size", "active_count"))
    return DenseMaskedRIMs(inputs, *sizes)


def scaling(runs: int) -> Iterator[Row]:
    """Microseconds per step of RIMs in a graph, and MiB of a pass, against B, T and K."""
    shapes = [(20, batch, 6) for batch in (1, 64, 256, 1024, 4096)]
    shapes += [(5, 64, 6), (80, 64, 6), (20, 64, 1), (20, 64, 12)]
    for steps, rows, count in shapes:
        options = SMALL | {"module_count": count, "active_count": -(-count // 2)}
        work = core_work("rims", steps, rows, SMALL_INPUT, options, "graph")
        seconds = device_seconds(work, runs)
        name = f"rims {count}x32, B {rows}, T {steps}"
        yield Row(f"{name}, graph, per step", seconds / steps * 1e6, "us", runs=runs)
        launched = core_work("rims", steps, rows, SMALL_INPUT, options, "launched")
        yield Row(f"{name}, memory", added_mib(launched), "MiB")


def added_mib(work: Work) -> float:
    """The most memory of the GPU that one call takes beside what is there already."""
    work()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def bench(*, quick: bool = False) -> Iterator[Row]:
    """All rows; `quick` takes fewer repetitions and leaves scaling out.

    `compiled` is apart: it takes minutes.

    Raises:
        UserError: no GPU here.
    """
    if not torch.cuda.is_available():
        raise UserError("device cuda: torch finds no CUDA GPU here; measure with --device cpu")
    runs = 5 if quick else 15
    with torch.device("cuda"):
        yield from compared("600/6, B 64, T 50", (50, 64, LARGE_INPUT), 600, LARGE, runs)
        for rows in (64, 256, 4096):
            shape = (20, rows, SMALL_INPUT)
            yield from compared(f"6x32, B {rows}, T 20", shape, 128, SMALL, runs)
        if not quick:
            yield from scaling(runs)


def compiled(runs: int) -> Iterator[Row]:
    """RIMs by torch.compile beside the same in a graph; the first pass takes a minute and more."""
    with torch.device("cuda"):
        graph, by_torch = (
            core_work("rims", 20, 256, SMALL_INPUT, SMALL, way) for way in ("graph", "compiled")
        )
        yield duel("rims 6x32, B 256, T 20, compiled", by_torch, "rims, graph", graph, runs)
