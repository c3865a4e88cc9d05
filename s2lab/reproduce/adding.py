"""The adding table: trained on 2 and 4 addends at length 50, tested on 2 to 10 at length 200.

Ours: Goyal et al. 2020 (SCOFF, arXiv 2006.16225). Drift and saturation are measured apart: what
blank steps after the last mark add to the output, and the error at the training length with more
addends than ever trained. An hour on two cores in the full form, a minute and a half with --quick.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from statistics import median
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
    from s2lab.agents.sequence_model import SequenceConfig, SequenceModel
    from s2lab.envs.sequences import Sequences

ADDENDS = (2, 3, 4, 5, 8, 9, 10)
PUBLISHED = {
    "lstm": (0.8731, 1.3017, 1.6789, 2.0334, 4.8872, 7.3730, 11.3595),
    "rims": (0.0007, 0.0009, 0.0014, 0.0045, 0.0555, 0.1958, 0.8904),
    "scoff": (0.0005, 0.0007, 0.0013, 0.0030, 0.0191, 0.0379, 0.0539),
}
CORES = ("lstm", "gru", "rims", "workspace", "scoff", "accumulator")
EQUAL_S = 60.0
FAST = 1e-2  # learning rate; the table's own is half of it
STEADY: dict[str, Any] = {"lr": 7e-3, "max_grad_norm": 0.3}
SIZES = {"module_count": 6, "module_size": 16, "active_count": 4, "key_size": 16, "head_size": 8}


def reproduce(*, quick: bool, seeds: Sequence[int], parallel: int | None = None) -> int:
    """Measure the table; returns the exit code."""
    return run_table(Form("adding", quick), seeds, parallel)


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown, and where its medians reach the published rows and a constant."""
    return f"{render(record)}\n\n{verdict(record)}"


def verdict(record: Mapping[str, Any]) -> str:
    """A sentence per core: at which numbers of addends its median reaches what was published, and
    at which it is better than predicting the mean, n/12."""
    sentences = []
    for row in record["rows"]:
        core = row["label"]
        if core not in CORES:
            continue
        medians = [median(row["columns"][f"{n} addends"]) for n in ADDENDS]
        better = [n for n, ours in zip(ADDENDS, medians, strict=True) if ours < n / 12]
        said = f"{core}: better than predicting the mean at {listed(better)} addends"
        if core in PUBLISHED:
            pairs = zip(ADDENDS, medians, PUBLISHED[core], strict=True)
            reached = [n for n, ours, theirs in pairs if ours <= theirs]
            said += f", at or below its published row at {listed(reached)} addends"
        sentences.append(said)
    return f"Medians over seeds. {'; '.join(sentences)}."


def listed(numbers: Sequence[int]) -> str:
    """Numbers in words."""
    if len(numbers) == len(ADDENDS):
        return "all numbers of"
    return ", ".join(map(str, numbers)) or "no number of"


def settings(quick: bool) -> "Callable[..., SequenceConfig]":
    """Settings of one contestant: core, options, then whatever departs from the table's own."""
    from s2lab.agents.sequence_model import SequenceConfig

    def make(core: str, options: Mapping[str, Any] | None = None, **more: Any) -> SequenceConfig:
        own = {"updates": 400 if quick else 8000, "lr": 5e-3, "validate_every": 100}
        return SequenceConfig(core, options or {}, **(own | more))

    return make


def contestants(quick: bool) -> "dict[str, SequenceConfig]":
    """The cores at equal updates, about 100 units each."""
    make = settings(quick)
    return {
        "lstm": make("lstm", {"hidden_size": 64}),
        "gru": make("gru", {"hidden_size": 64}),
        "rims": make("rims", SIZES, lr=FAST),
        "workspace": make("workspace", SIZES, lr=FAST),
        "scoff": make("scoff", SIZES, **STEADY),
        "accumulator": make("accumulator", lr=1e-2),
    }


def ablations() -> "dict[str, SequenceConfig]":
    """What each mechanism buys; all cores in equal minutes; the search of lstm and gru."""
    make = settings(quick=False)
    small: dict[str, Any] = {"hidden_size": 64}
    found = {
        "rims, all active": make("rims", SIZES | {"active_count": 6}, lr=FAST),
        "rims, silent": make("rims", SIZES | {"communicate": False}, lr=FAST),
        "scoff, one schema": make("scoff", SIZES | {"schema_count": 1}, **STEADY),
        "rims, output bias": make("rims", SIZES, output_bias=True, lr=FAST),
    }
    for core, config in contestants(quick=False).items():
        if core != "accumulator":
            found[f"{core}, equal minutes"] = replace(config, updates=0, seconds=EQUAL_S)
    for core in ("rims", "workspace", "scoff"):
        found[f"{core}, lr 0.005"] = make(core, SIZES)
    found["rims, lr 0.02"] = make("rims", SIZES, lr=2 * FAST)
    for core, bias in (("lstm", "forget_bias"), ("gru", "keep_bias")):
        found[f"{core}, lr 0.002"] = make(core, small, lr=2e-3)
        found[f"{core}, lr 0.01"] = make(core, small, lr=FAST)
        found[f"{core}, long memory"] = make(core, small | {bias: 4.0})
    return found


def table_for(quick: bool) -> Table:
    """One form of the table."""
    columns = [f"{n} addends" for n in ADDENDS]
    return Table(
        name="adding",
        contestants=contestants(quick),
        ablations={} if quick else ablations(),
        batches=batch,
        validation=validation,
        measure=lambda model: measure(model, 200 if quick else 10_000),
        shift=columns,
        published={label: dict(zip(columns, row, strict=True)) for label, row in PUBLISHED.items()},
        constants={"predicting the mean": {f"{n} addends": n / 12 for n in ADDENDS}},
        source="Goyal et al. 2020, arXiv 2006.16225, from the authors' slides",
        notes=(
            "Squared error at length 200. `accumulator` has the form of a sum built in and stands "
            "apart. saturation: length 50, 10 addends. drift: mean change of the output over 150 "
            f"blank steps after 50 steps. equal minutes: {EQUAL_S:.0f} s of processor time. "
            "Searched for lstm and gru: learning rates .002, .005 (their own rows) and .01, and "
            "long memory, where forget or keep gates start at a bias of 4. The others' rows at "
            ".005 came first; what they have instead was tried on seeds 900 to 903, which are "
            "in no row. rims: .01 (its own row) left less validation error than .005 on three "
            "seeds of three. .02 left less still on both seeds tried, but more error at length "
            "200 on one of them, and was passed over for that: this choice was not made by "
            "validation alone, and .02 has a row. At .005 two and three active modules (two "
            "seeds) and twice the updates (one) did not help. workspace: .01, one seed. scoff: "
            ".01 diverged on one seed of two, with a warm-up too; .007 with gradients clipped "
            "to .3 (its own row) did on none of three. Clipping was not tried for the others.",
        ),
    )


def batch(seed: int, update: int) -> "Sequences":
    """The training batch of one update: 32 sequences."""
    from s2lab.envs.sequences.adding import adding

    return adding(training_rng(seed, update), 32, 50, (2, 4))


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
    """`count` test sequences in batches of at most 250, the same for all contestants."""
    from s2lab.envs.sequences.adding import adding

    rng = test_rng(1000 * length + sum(addends))
    sizes = [min(250, count - start) for start in range(0, count, 250)]
    return [adding(rng, size, length, addends) for size in sizes]


def drift(model: "SequenceModel") -> float:
    """Mean change of the output over 150 steps without a mark, after 50 steps as in training."""
    import numpy as np
    import torch

    (first,) = tests(50, (2, 4), 250)
    blank = test_rng(0).random((150, 250, 1), dtype=np.float32)
    tail = np.concatenate([blank, np.zeros_like(blank)], axis=2)
    inputs = torch.from_numpy(np.concatenate([first.inputs, tail]))
    with torch.no_grad():
        outputs = model(inputs, 151)  # from the last training step on
    return float((outputs[-1] - outputs[0]).mean())
