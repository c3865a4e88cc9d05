"""`s2lab bench cores --device cuda`: time and memory of cores on a GPU, forward and backward.

There every core runs in its plain torch form, in one of three ways: launched kernel by kernel from
Python, captured once in a CUDA graph and replayed (torch.cuda.make_graphed_callables), or compiled
(torch.compile, whose mode captures graphs as well). Peers: torch's own nn.LSTM, which is cuDNN's,
and RIMs as usually published (`dense_rims.py`), launched. Time is the GPU's own, between events on
the stream, waits for Python included. Every ratio is peer / ours: above 1 is ours ahead.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from s2lab.agents.cores import make_core
from s2lab.bench.cores import LARGE, LARGE_INPUT, SMALL, SMALL_INPUT, Work, torch_work
from s2lab.bench.dense_rims import DenseMaskedRIMs
from s2lab.bench.harness import Row, device_seconds
from s2lab.errors import UserError

WAYS = ("launched", "graph", "compiled")
Pass = Callable[[Tensor, tuple[Tensor, ...], Tensor], tuple[Tensor, tuple[Tensor, ...]]]


def prepared(core: Any, example: tuple[Tensor, tuple[Tensor, ...], Tensor], way: str) -> Pass:
    """A core's pass over [T, B, I], done in one of `WAYS`.

    Args:
        core: lives on the example's device; captured in a graph, it takes these shapes alone
        example: inputs, state and resets
        way: of `WAYS`
    """
    if way == "graph":
        capture: Any = (
            torch.cuda.make_graphed_callables
        )  # takes nested tuples, as declared it does not
        found: Pass = capture(core, example, allow_unused_input=True)
        return found
    if way == "compiled":
        compiled: Pass = torch.compile(core, mode="reduce-overhead", dynamic=False)
        return compiled
    eager: Pass = core
    return eager


def core_work(
    name: str, steps: int, rows: int, inputs: int, options: dict[str, Any], way: str
) -> Work:
    """One forward and backward pass of a core on the current device."""
    core = make_core(name, inputs, options)
    x = torch.randn(steps, rows, inputs, requires_grad=True)
    state, reset = core.initial_state(rows), torch.zeros(steps, rows, dtype=torch.bool)
    run = prepared(core, (x, state, reset), way)

    def work() -> None:
        if way == "compiled":
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.autograd.backward(run(x, state, reset)[0].sum())

    return work


def duel(name: str, ours: Work, peer_name: str, peer: Work, runs: int) -> Row:
    """The GPU's time of ours and of a peer, in turns."""
    times: list[list[float]] = [[], []]
    for _ in range(2):
        for column, work in zip(times, (ours, peer), strict=True):
            work()
            column.append(device_seconds(work, runs))
    mine, theirs = (min(column) for column in times)
    return Row(name, mine * 1e3, "ms", peer_name, theirs * 1e3, theirs / mine, runs)


def compared(size: str, shape: tuple[int, int, int], lstm: int, options: Any, runs: int) -> Any:
    """Cores of one size: RIMs in every way but compiled beside their peers, the others beside RIMs.

    Args:
        size: in words
        shape: steps, rows, inputs
        lstm: units of nn.LSTM
        options: of the modular cores
        runs: measurements behind a median
    """
    peers = {
        "dense-masked RIMs, launched": torch_work(dense(shape[2], options), *shape),
        f"nn.LSTM {lstm}": torch_work(nn.LSTM(shape[2], lstm), *shape),
    }
    works = {way: core_work("rims", *shape, options, way) for way in WAYS[:2]}
    for way, work in works.items():
        for peer_name, peer in peers.items():
            yield duel(f"rims {size}, {way}", work, peer_name, peer, runs)
    for name in ("workspace", "scoff"):
        other = core_work(name, *shape, options, "graph")
        yield duel(f"{name} {size}, graph", other, "rims, graph", works["graph"], runs)


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
    """All rows; `quick` takes fewer repetitions, compiles nothing and leaves scaling out.

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
        if quick:
            return
        yield from scaling(runs)
        graph, compiled = (
            core_work("rims", 20, 256, SMALL_INPUT, SMALL, way) for way in ("graph", "compiled")
        )
        yield duel("rims 6x32, B 256, T 20, compiled", compiled, "in a graph", graph, runs)
