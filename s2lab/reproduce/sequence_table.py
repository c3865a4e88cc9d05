"""How a table of sequence tasks is measured: contestants x seeds, resumable, one record at the end.

Each finished run is one file in `runs/reproduce/<table>/`; a run that was stopped goes on from its
checkpoint beside it. At the end, or when it is interrupted, `sequence_record.py` writes the record
from the runs that are there; what a record already holds is not measured again. Knows no task.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from s2lab import checkpoint, durable
from s2lab.reproduce.sequence_record import result_of, take_over, write_record
from s2lab.seeds import eval_seed, table_seed, world_seed

if TYPE_CHECKING:
    import numpy as np

    from s2lab.agents.sequence_model import SequenceConfig, SequenceModel
    from s2lab.envs.sequences import Sequences

WORK = Path("runs/reproduce")


def training_rng(seed: int, update: int) -> "np.random.Generator":
    """For the batch of one update of one run."""
    return generator_of(world_seed(seed, update))


def validation_rng() -> "np.random.Generator":
    """For the data that select models, the same for every run."""
    return generator_of(eval_seed(0))


def test_rng(index: int) -> "np.random.Generator":
    """For the test data of one column, the same for every run."""
    return generator_of(table_seed(index))


def generator_of(seed: int) -> "np.random.Generator":
    """numpy's PCG64."""
    import numpy as np

    return np.random.default_rng(seed)


@dataclass(frozen=True)
class Form:
    """Which table, and which form of it."""

    name: str
    """The table's module."""
    quick: bool = False
    """The reduced form."""
    data: Path | None = None
    """Folder with the data that the table would rather have than what comes with the package."""

    @property
    def label(self) -> str:
        """Name of its record and of the folder of its runs."""
        return self.name + ("-data" if self.data else "") + ("-quick" if self.quick else "")

    @property
    def command(self) -> str:
        """What measures it again."""
        words = [
            "s2lab reproduce",
            self.name,
            "--quick" * self.quick,
            "--data DIR" * bool(self.data),
        ]
        return " ".join(filter(None, words))

    @property
    def folder(self) -> Path:
        """Where its runs live."""
        return WORK / self.label

    def table(self) -> "Table":
        """Ask the table's own module."""
        more = {} if self.data is None else {"data": self.data}
        module = import_module(f"s2lab.reproduce.{self.name}")
        table: Table = module.table_for(self.quick, **more)
        return table


@dataclass(frozen=True)
class Table:
    """Everything a sequence table needs to know about its task."""

    name: str
    """Name of the table's module and, with its form, of its record."""
    contestants: "Mapping[str, SequenceConfig]"
    """Label -> settings; the seed is filled in."""
    ablations: "Mapping[str, SequenceConfig]" = field(default_factory=dict, kw_only=True)
    """More of the same, begun when all seeds of the contestants are done, a row at a time."""
    batches: "Callable[[int, int], Sequences]"
    """(seed, update) -> the training batch of that update."""
    validation: "Callable[[], list[Sequences]]"
    """In-distribution batches that select the model."""
    measure: "Callable[[SequenceModel], dict[str, float]]"
    """Column -> error of a selected model, in- and out-of-distribution."""
    shift: Sequence[str] = ()
    """Columns of the figure, by growing shift; all where none is named."""
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Label -> column -> published figure."""
    constants: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Lines without a model, such as chance: label -> column -> value."""
    source: str = ""
    """Where the published figures stand."""
    notes: Sequence[str] = ()
    """What a reader must know about the table."""

    @property
    def rows(self) -> "dict[str, SequenceConfig]":
        """Contestants, then ablations."""
        return {**self.contestants, **self.ablations}


def order_of(table: Table, seeds: Sequence[int]) -> list[tuple[str, int]]:
    """Labels and seeds: all contestants seed by seed, then one ablation after the other."""
    first = [(label, seed) for seed in seeds for label in table.contestants]
    return first + [(label, seed) for label in table.ablations for seed in seeds]


def run_table(form: Form, seeds: Sequence[int], workers: int | None = None) -> int:
    """Measure what is missing, write the record, print the table; returns the exit code."""
    table = form.table()
    form.folder.mkdir(parents=True, exist_ok=True)
    take_over(form)
    todo = [
        (form, label, seed)
        for label, seed in order_of(table, seeds)
        if not result_of(form, table.rows[label], label, seed).exists()
    ]
    workers = workers or os.cpu_count() or 1
    started = time.time()
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))
    try:
        for done, line in enumerate(pool.map(run_one, todo), 1):
            spent = time.time() - started
            left = spent / done * (len(todo) - done)
            clock = f"{spent:.0f} s, about {left:.0f} s left"
            print(f"{done}/{len(todo)}  {line}  {clock}", flush=True)
    except BaseException:
        for worker in multiprocessing.active_children():
            worker.terminate()  # it would begin with what is queued; checkpoints are whole
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        write_record(form, seeds)
    return 0


def run_one(job: tuple[Form, str, int]) -> str:
    """Train and measure one contestant at one seed in this process; returns a line to print."""
    from s2lab.agents.sequence_model import SequenceTrainer
    from s2lab.process import tune_process

    tune_process()
    form, label, seed = job
    table = form.table()
    config = replace(table.rows[label], seed=seed)
    result_path = result_of(form, config, label, seed)
    path = result_path.with_suffix("")  # folder of its checkpoints
    trainer = SequenceTrainer(
        config, lambda update: table.batches(seed, update), table.validation()
    )
    if checkpoint.exists(path):
        checkpoint.restore(checkpoint.load(path), {"trainer": trainer})
    while not trainer.finished:
        trainer.train(200)
        if not form.quick:
            checkpoint.save(path, trainer.update, {"trainer": trainer})
    columns = table.measure(trainer.selected())
    result = {
        "label": label,
        "seed": seed,
        "core": config.core,
        "core_options": dict(config.core_options),
        "lr": config.lr,
        "updates": trainer.update,
        "train_cpu_s": round(trainer.spent_s, 1),
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "validation": trainer.best_error,
        "history": trainer.history,
        "columns": columns,
    }
    durable.replace(result_path, json.dumps(result).encode())
    shown = ", ".join(f"{column} {value:.4g}" for column, value in columns.items())
    return f"{label} seed {seed}: {shown}"
