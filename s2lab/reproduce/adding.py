"""The adding table: trained on 2 and 4 addends at length 50, tested on 2 to 10 at length 200.

Ours: Goyal et al. 2020 (SCOFF, arXiv 2006.16225). Drift and saturation are measured apart: what
blank steps after the last mark add to the output, and the error at the training length with more
addends than ever trained. About two hours on two cores in its full form.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from s2lab.reproduce.sequence_table import (
    Table,
    render,
    run_table,
    test_rng,
    training_rng,
    validation_rng,
)

if TYPE_CHECKING:
    from s2lab.agents.sequence_model import SequenceConfig, SequenceModel
    from s2lab.envs.sequences import Sequences

ADDENDS = (2, 3, 4, 5, 8, 9, 10)
PUBLISHED = {
    "lstm": (0.8731, 1.3017, 1.6789, 2.0334, 4.8872, 7.3730, 11.3595),
    "rims": (0.0007, 0.0009, 0.0014, 0.0045, 0.0555, 0.1958, 0.8904),
    "scoff": (0.0005, 0.0007, 0.0013, 0.0030, 0.0191, 0.0379, 0.0539),
}
MODULES = {"module_count": 6, "module_size": 32, "active_count": 4}


def reproduce(*, quick: bool, seeds: Sequence[int]) -> int:
    """Measure the table; returns the exit code."""
    return run_table("adding", quick=quick, seeds=seeds)


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown."""
    return render(record)


def contestants(quick: bool) -> "dict[str, SequenceConfig]":
    """Equal updates; in the full form a search for LSTM and GRU, equal minutes, ablations."""
    from s2lab.agents.sequence_model import SequenceConfig

    def make(core: str, options: Mapping[str, Any] | None = None, **more: Any) -> SequenceConfig:
        settings = {"updates": 60 if quick else 2500, "lr": 2e-3, "validate_every": 50} | more
        return SequenceConfig(core, options or {}, **settings)

    found = {
        "lstm": make("lstm"),
        "gru": make("gru"),
        "rims": make("rims", MODULES),
        "workspace": make("workspace", MODULES),
        "scoff": make("scoff", MODULES),
        "accumulator": make("accumulator", lr=1e-2),
    }
    if quick:
        return found
    for core in ("lstm", "gru"):
        for lr in (5e-4, 5e-3):
            found[f"{core}, lr {lr:g}"] = make(core, lr=lr)
        found[f"{core}, equal minutes"] = make(core, updates=0, seconds=160.0)
    return found | {
        "rims, all active": make("rims", MODULES | {"active_count": 6}),
        "rims, silent": make("rims", MODULES | {"communicate": False}),
        "scoff, one schema": make("scoff", MODULES | {"schema_count": 1}),
        "rims, output bias": make("rims", MODULES, output_bias=True),
    }


def table_for(quick: bool) -> Table:
    """One form of the table."""
    columns = [f"{n} addends" for n in ADDENDS]
    return Table(
        name="adding",
        contestants=contestants(quick),
        batches=lambda seed, update: batch(seed, update, 32 if quick else 64),
        validation=validation,
        measure=lambda model: measure(model, 128 if quick else 10_000),
        published={label: dict(zip(columns, row, strict=True)) for label, row in PUBLISHED.items()},
        constants={"predicting the mean": {f"{n} addends": n / 12 for n in ADDENDS}},
        source="Goyal et al. 2020, arXiv 2006.16225, from the authors' slides",
        notes=(
            "Squared error at length 200. `accumulator` has the form of a sum built in and stands "
            "apart. trained: length 50, 2 or 4 addends. saturation: length 50, 10 addends. drift: "
            "mean change of the output over 150 blank steps after 50 steps.",
        ),
    )


def batch(seed: int, update: int, rows: int) -> "Sequences":
    """The training batch of one update."""
    from s2lab.envs.sequences.adding import adding

    return adding(training_rng(seed, update), rows, 50, (2, 4))


@cache
def validation() -> "list[Sequences]":
    """In distribution; the same for all seeds."""
    from s2lab.envs.sequences.adding import adding

    return [adding(validation_rng(), 256, 50, (2, 4))]


def measure(model: "SequenceModel", count: int) -> dict[str, float]:
    """Squared error per number of addends at length 200; then what explains it."""
    from s2lab.agents.sequence_model import score

    columns = {}
    for n in ADDENDS:
        columns[f"{n} addends"] = score(model, "squared", tests(200, (n,), count)).loss
    columns["trained"] = score(model, "squared", tests(50, (2, 4), count)).loss
    columns["saturation"] = score(model, "squared", tests(50, (10,), count)).loss
    columns["drift"] = drift(model)
    return columns


def tests(length: int, addends: tuple[int, ...], count: int) -> "list[Sequences]":
    """`count` test sequences in batches of at most 500, the same for all contestants."""
    from s2lab.envs.sequences.adding import adding

    rng = test_rng(1000 * length + sum(addends))
    sizes = [min(500, count - start) for start in range(0, count, 500)]
    return [adding(rng, size, length, addends) for size in sizes]


def drift(model: "SequenceModel") -> float:
    """Mean change of the output over 150 steps without a mark, after 50 steps as in training."""
    import numpy as np
    import torch

    (first,) = tests(50, (2, 4), 256)
    blank = test_rng(0).random((150, 256, 1), dtype=np.float32)
    tail = np.concatenate([blank, np.zeros_like(blank)], axis=2)
    inputs = torch.from_numpy(np.concatenate([first.inputs, tail]))
    with torch.no_grad():
        outputs = model(inputs, 151)  # from the last training step on
    return float((outputs[-1] - outputs[0]).mean())
