"""The copying table: trained with a blank of 50 steps, tested with 50, 200 and 500.

Goyal et al. 2019 (RIMs, arXiv 1909.10893). Cross-entropy over the last ten steps only, where chance
is ln 8 = 2.079 nats. Estimate from timed updates: two hours on two cores in the full form;
--quick, within a minute, ends long before anybody has learnt to copy.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from math import log
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

BLANKS = (50, 200, 500)


def reproduce(*, quick: bool, seeds: Sequence[int]) -> int:
    """Measure the table; returns the exit code."""
    return run_table(Form("copying", quick), seeds)


def table(record: Mapping[str, Any]) -> str:
    """The record as Markdown."""
    return render(record)


def contestants(quick: bool) -> "dict[str, SequenceConfig]":
    """About 200 units for all (100 in the quick form); 2, 3 and 4 of 6 RIMs active in the full one.

    Memories start long for LSTM and modules alike: the forget gates' bias is ln(steps to hold).
    After 6000 updates of one seed an LSTM copied (.015 nats) and 6/4 RIMs were still learning
    (.34), at 100 units a module (.33 after 3750) as at 32: hence the many updates.
    """
    from s2lab.agents.sequence_model import SequenceConfig

    def make(core: str, options: Mapping[str, Any]) -> SequenceConfig:
        updates = 150 if quick else 20_000
        return SequenceConfig(
            core, options, loss="classes", updates=updates, lr=5e-3, validate_every=updates // 50
        )

    units, key, head = (16, 16, 8) if quick else (32, 32, 8)
    modules: dict[str, Any] = {"module_count": 6, "module_size": units}
    modules |= {"key_size": key, "head_size": head, "forget_bias": 3.0}
    found = {
        "lstm": make("lstm", {"hidden_size": 6 * units, "forget_bias": 3.0}),
        "rims 6/4": make("rims", modules | {"active_count": 4}),
        "workspace 6/4": make("workspace", modules | {"active_count": 4}),
    }
    if quick:
        return found
    return found | {
        "rims 6/3": make("rims", modules | {"active_count": 3}),
        "rims 6/2": make("rims", modules | {"active_count": 2}),
        "rims 6/4, silent": make("rims", modules | {"active_count": 4, "communicate": False}),
        "rmc": make("rmc", {"slots": 4, "heads": 4, "head_size": 12}),
        "transformer": make("transformer", {"size": 48, "memory": 80}),
    }


def table_for(quick: bool) -> Table:
    """One form of the table."""
    blanks = [f"blank {blank}" for blank in BLANKS]
    rims = dict.fromkeys(blanks[:2], 0.0)
    return Table(
        name="copying",
        contestants=contestants(quick),
        batches=batch,
        validation=validation,
        measure=lambda model: measure(model, 100 if quick else 2000),
        shift=blanks,
        published={
            "rims": rims,
            "lstm": {blanks[0]: 0.0, blanks[1]: 4.32},
            "rmc": {blanks[0]: 0.0, blanks[1]: 0.13},
            "transformer": {blanks[0]: 0.0, blanks[1]: 0.54},
        },
        constants={"chance": dict.fromkeys(blanks, log(8))},
        source="Goyal et al. 2019, arXiv 1909.10893, table 1",
        notes=("Cross-entropy in nats over the last ten steps; accuracy in the columns after.",),
    )


def batch(seed: int, update: int) -> "Sequences":
    """The training batch of one update: 32 sequences."""
    from s2lab.envs.sequences.copying import copying

    return copying(training_rng(seed, update), 32, 50)


@cache
def validation() -> "list[Sequences]":
    """In distribution; the same for all seeds."""
    from s2lab.envs.sequences.copying import copying

    return [copying(validation_rng(), 128, 50)]


def measure(model: "SequenceModel", count: int) -> dict[str, float]:
    """Cross-entropy and accuracy per length of the blank."""
    from s2lab.agents.sequence_model import score
    from s2lab.envs.sequences.copying import copying

    losses, accuracies = {}, {}
    for blank in BLANKS:
        rng = test_rng(blank)
        sizes = [min(100, count - start) for start in range(0, count, 100)]
        found = score(model, "classes", [copying(rng, size, blank) for size in sizes])
        losses[f"blank {blank}"] = found.loss
        accuracies[f"accuracy {blank}"] = float(found.accuracy or 0)
    return losses | accuracies
