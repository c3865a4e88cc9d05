"""How a table of sequence tasks is measured: contestants x seeds, resumable, one record at the end.

Each finished run is one file in `runs/reproduce/<table>/`; a run that was stopped goes on from its
checkpoint beside it. At the end, or when it is interrupted, `runs/records/<table>.json` is written
from the runs that are there; a row with fewer seeds than asked for says so. Knows no task.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from s2lab import checkpoint, durable
from s2lab.machine import describe_machine
from s2lab.seeds import eval_seed, table_seed, world_seed

if TYPE_CHECKING:
    import numpy as np

    from s2lab.agents.sequence_model import SequenceConfig, SequenceModel
    from s2lab.envs.sequences import Sequences

WORK = Path("runs/reproduce")
RECORDS = Path("runs/records")


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
    """More of the same, begun when all seeds of the contestants are done."""
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


def run_table(form: Form, seeds: Sequence[int], workers: int | None = None) -> int:
    """Measure what is missing, write the record, print the table; returns the exit code."""
    table = form.table()
    form.folder.mkdir(parents=True, exist_ok=True)
    todo = [
        (form, label, seed)
        for group in (table.contestants, table.ablations)
        for seed in seeds
        for label in group
        if not result_of(form, group[label], label, seed).exists()
    ]
    workers = workers or os.cpu_count() or 1
    started = time.time()
    try:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            for done, line in enumerate(pool.map(run_one, todo), 1):
                spent = time.time() - started
                left = spent / done * (len(todo) - done)
                clock = f"{spent:.0f} s, about {left:.0f} s left"
                print(f"{done}/{len(todo)}  {line}  {clock}", flush=True)
    finally:
        write_record(form, seeds)
    return 0


def write_record(form: Form, seeds: Sequence[int]) -> None:
    """Record, figure and printed table of the runs that are there; nothing where there are none."""
    record = combined(form, seeds)
    if not record["rows"]:
        return
    RECORDS.mkdir(parents=True, exist_ok=True)
    path = RECORDS / f"{form.label}.json"
    durable.replace(path, (json.dumps(record, indent=1) + "\n").encode())
    draw(record, path.with_suffix(".svg"))
    print(f"\n{render(record)}\n\nrecord: {path}")


def result_of(form: Form, config: "SequenceConfig", label: str, seed: int) -> Path:
    """The file of one run's result; other settings are another run."""
    clean = "".join(c if c.isalnum() else "-" for c in label)
    mark = sha256(repr(replace(config, seed=seed)).encode()).hexdigest()[:8]
    return form.folder / f"{clean}__s{seed}__{mark}.json"


def run_one(job: tuple[Form, str, int]) -> str:
    """Train and measure one contestant at one seed in this process; returns a line to print."""
    import torch

    from s2lab.agents.sequence_model import SequenceTrainer

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    form, label, seed = job
    table = form.table()
    config = replace({**table.contestants, **table.ablations}[label], seed=seed)
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


def combined(form: Form, seeds: Sequence[int]) -> dict[str, Any]:
    """All runs of a table that are there, as one record."""
    table, rows = form.table(), []
    for label, config in {**table.contestants, **table.ablations}.items():
        paths = [result_of(form, config, label, seed) for seed in seeds]
        runs = [json.loads(path.read_text()) for path in paths if path.exists()]
        if not runs:
            continue
        rows.append(
            {
                "label": label,
                "seeds": [run["seed"] for run in runs],
                "core": runs[0]["core"],
                "core_options": runs[0]["core_options"],
                "lr": runs[0]["lr"],
                "parameters": runs[0]["parameters"],
                "updates": [run["updates"] for run in runs],
                "train_cpu_s": [run["train_cpu_s"] for run in runs],
                "validation": [run["validation"] for run in runs],
                "columns": {
                    name: [run["columns"][name] for run in runs] for name in runs[0]["columns"]
                },
            }
        )
    return {
        "format": 1,
        "table": table.name,
        "form": "quick" if form.quick else "full",
        "seeds": list(seeds),
        "rows": rows,
        "shift": list(table.shift),
        "published": {label: dict(row) for label, row in table.published.items()},
        "constants": {label: dict(row) for label, row in table.constants.items()},
        "source": table.source,
        "notes": list(table.notes),
        "environment": describe_machine() | {"hostname": None, "command": form.command},
    }


def render(record: Mapping[str, Any], columns: Sequence[str] = ()) -> str:
    """The record as Markdown: median over seeds with the whole range; published rows in italics.

    `columns` are those to show; all where none is named.
    """
    columns, asked = columns or list(record["rows"][0]["columns"]), len(record["seeds"])
    head = ["", "parameters", "updates", "CPU s", *columns]
    lines = [head, ["---"] * len(head)]
    for row in record["rows"]:
        cells = [
            f"{median(values):.3g} [{min(values):.3g}, {max(values):.3g}]"
            for values in (row["columns"][column] for column in columns)
        ]
        updates, spent = median(row["updates"]), median(row["train_cpu_s"])
        some = f", {len(row['seeds'])}/{asked} seeds" if len(row["seeds"]) < asked else ""
        lines.append(
            [row["label"] + some, f"{row['parameters']:,}", f"{updates:.0f}", f"{spent:.0f}"]
        )
        lines[-1] += cells
    for kind in ("published", "constants"):
        for label, values in record[kind].items():
            known = [f"{values[c]:.4g}" if c in values else "" for c in columns]
            name = f"_{label}, published_" if kind == "published" else f"_{label}_"
            lines.append([name, "", "", "", *known])
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    notes = [f"Median and range over {asked} seeds; {record['form']} form.", *record["notes"]]
    if "command" in record["environment"]:
        notes.append(f"Measured by `{record['environment']['command']}`.")
    if record["source"]:
        notes.append(f"Published: {record['source']}.")
    return text + "\n\n" + "\n".join(notes)


def draw(record: Mapping[str, Any], path: Path) -> None:
    """Error against shift: one line per contestant through its medians, a band over its range."""
    import matplotlib.pyplot as plt

    columns = record["shift"] or list(record["rows"][0]["columns"])
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for row in record["rows"]:
        values = [row["columns"][column] for column in columns]
        axes.plot(columns, [median(v) for v in values], marker="o", label=row["label"])
        axes.fill_between(columns, [min(v) for v in values], [max(v) for v in values], alpha=0.15)
    published = {f"{label}, published": known for label, known in record["published"].items()}
    for label, known in {**published, **record["constants"]}.items():
        shown = [column for column in columns if column in known]
        axes.plot(shown, [known[column] for column in shown], "--", lw=1, label=label)
    if all(v > 0 for row in record["rows"] for column in columns for v in row["columns"][column]):
        axes.set_yscale("log")
    what = "accuracy" if columns[0].startswith("accuracy") else "error"
    axes.set_title(f"{record['table']} ({record['form']} form): {what} against shift")
    axes.legend(fontsize="x-small")
    axes.tick_params(axis="x", labelrotation=30)
    figure.savefig(path)
    plt.close(figure)
