"""The arithmetic table: a running result under +, - and x; trained at length 20, tested to 50.

Goyal, Didolkar et al. 2021 (neural production systems, arXiv 2103.01937): 10,000 training
sequences of length 20. Estimate from timed updates: an hour on two cores in the full form.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from s2lab.reproduce.sequence_record import render
from s2lab.reproduce.sequence_table import (
    Form,
    Table,
    run_table,
    test_rng,
    training_rng,
    validation_rng,
)

if TYPE_CHECKING:
    from s2lab.agents.sequence_model import SequenceModel
    from s2lab.envs.sequences import Sequences

LENGTHS = (10, 20, 30, 40, 50)
PUBLISHED = (0.0003, 0.0005, 0.0008, 0.0014, 0.0018)
TRAINING = 10_000  # sequences


def reproduce(*, quick: bool, seeds: Sequence[int], parallel: int | None = None) -> int:
    """Measure the table; returns the exit code."""
    return run_table(Form("arithmetic", quick), seeds, parallel)


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown."""
    return render(record)


def table_for(quick: bool) -> Table:
    """One form of the table."""
    from s2lab.agents.sequence_model import SequenceConfig

    def make(core: str, options: Mapping[str, Any], lr: float) -> SequenceConfig:
        updates = 250 if quick else 20_000
        return SequenceConfig(core, options, updates=updates, lr=lr, validate_every=100)

    names = [f"length {length}" for length in LENGTHS]
    return Table(
        name="arithmetic",
        contestants={
            "production": make("production", {}, 2e-3),
            "lstm": make("lstm", {"hidden_size": 64}, 5e-3),
            "transformer": make("transformer", {"size": 32, "memory": 50}, 1e-3),
        },
        batches=batch,
        validation=validation,
        measure=lambda model: measure(model, 500 if quick else 10_000),
        published={"production": dict(zip(names, PUBLISHED, strict=True))},
        source="Goyal, Didolkar et al. 2021, arXiv 2103.01937",
        notes=("Mean squared error of the running result over all steps.",),
    )


@cache
def training() -> "Sequences":
    """The fixed training set."""
    from s2lab.envs.sequences.arithmetic import arithmetic

    return arithmetic(test_rng(0), TRAINING, 20)


def batch(seed: int, update: int) -> "Sequences":
    """64 sequences of the training set, drawn anew for every update."""
    from s2lab.envs.sequences import Sequences

    whole = training()
    rows = training_rng(seed, update).integers(TRAINING, size=64)
    return Sequences(whole.inputs[:, rows], whole.targets[:, rows])


@cache
def validation() -> "list[Sequences]":
    """In distribution; the same for all seeds."""
    from s2lab.envs.sequences.arithmetic import arithmetic

    return [arithmetic(validation_rng(), 500, 20)]


def measure(model: "SequenceModel", count: int) -> dict[str, float]:
    """Squared error per length."""
    from s2lab.agents.sequence_model import score
    from s2lab.envs.sequences.arithmetic import arithmetic

    return {
        f"length {length}": score(
            model,
            "squared",
            [arithmetic(test_rng(length), count, length)],
        ).loss
        for length in LENGTHS
    }
