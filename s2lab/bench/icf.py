"""How long controllable features take to learn: one seed of each world, to the end of training."""

import time
from collections.abc import Iterator
from statistics import median

from s2lab.bench.harness import Row
from s2lab.icf_settings import SETTINGS, ICFRunConfig, icf_config

RUNS = 3
QUICK = ("square",)


def bench(*, quick: bool = False) -> Iterator[Row]:
    """Processor seconds of one seed's training per world, and gradient updates a second."""
    for world in QUICK if quick else SETTINGS:
        seconds = [seconds_of(world, seed) for seed in range(1 if quick else RUNS)]
        updates = icf_config(world, {}).updates
        name = f"{world}, {updates} updates"
        yield Row(f"{name}, one seed", median(seconds), "s", runs=len(seconds))
        yield Row(f"{name}, rate", updates / median(seconds), "updates/s", runs=len(seconds))


def seconds_of(world: str, seed: int) -> float:
    """Processor seconds of one seed's training."""
    import torch

    from s2lab.icf import make_learner

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    config = icf_config(world, {})
    learner = make_learner(ICFRunConfig(world, seed, config.updates, icf=config))
    started = time.process_time()
    for _ in range(config.updates):
        learner.update()
    return time.process_time() - started
