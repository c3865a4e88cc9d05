"""What a table of sequence tasks leaves behind: a file per run, a record, a figure, Markdown.

A record holds every run's figures under a digest of the run's settings, so that a clone without
`runs/reproduce/` goes on from the record that is committed. Knows no task and trains nothing.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from s2lab import durable
from s2lab.machine import describe_machine
from s2lab.reproduce.figures import new_figure, save_figure

if TYPE_CHECKING:
    from s2lab.agents.sequence_model import SequenceConfig
    from s2lab.reproduce.sequence_table import Form

RECORDS = Path("runs/records")
DASHES = ("--", ":", "-.", (0, (8, 2)))
ONCE = ("label", "core", "core_options", "lr", "parameters")
# What a run's file says once -> the record's list of it over seeds.
PER_SEED = {
    "seed": "seeds",
    "updates": "updates",
    "train_cpu_s": "train_cpu_s",
    "validation": "validation",
}


def result_of(form: "Form", config: "SequenceConfig", label: str, seed: int) -> Path:
    """The file of one run's result; other settings are another run."""
    return result_file(form, label, seed, settings_digest(replace(config, seed=seed)))


def result_file(form: "Form", label: str, seed: int, digest: str) -> Path:
    """The same, by the digest of its settings."""
    clean = "".join(c if c.isalnum() else "-" for c in label)
    return form.folder / f"{clean}__s{seed}__{digest}.json"


def settings_digest(config: "SequenceConfig") -> str:
    """Eight hexadecimal digits that change with any setting."""
    return sha256(repr(config).encode()).hexdigest()[:8]


def take_over(form: "Form") -> None:
    """Write the result files of the runs that the record holds and this folder lacks."""
    path = RECORDS / f"{form.label}.json"
    if not path.exists():
        return
    for row in json.loads(path.read_text())["rows"]:
        for index, digest in enumerate(row.get("settings", ())):
            target = result_file(form, row["label"], row["seeds"][index], digest)
            if target.exists():
                continue
            run = {
                name: row[name] for name in ("label", "core", "core_options", "lr", "parameters")
            }
            run |= {name: row[plural][index] for name, plural in PER_SEED.items()}
            run["columns"] = {name: values[index] for name, values in row["columns"].items()}
            durable.replace(target, json.dumps(run).encode())


def write_record(form: "Form", seeds: Sequence[int]) -> None:
    """Record, figure and printed table of the runs that are there; nothing where there are none."""
    record = combined(form, seeds)
    if not record["rows"]:
        return
    RECORDS.mkdir(parents=True, exist_ok=True)
    path = RECORDS / f"{form.label}.json"
    durable.replace(path, (json.dumps(record, indent=1) + "\n").encode())
    draw(record, path.with_suffix(".svg"))
    print(f"\n{render(record)}\n\nrecord: {path}")


def combined(form: "Form", seeds: Sequence[int]) -> dict[str, Any]:
    """All runs of a table that are there, as one record."""
    table, rows = form.table(), []
    for label, config in table.rows.items():
        paths = [result_of(form, config, label, seed) for seed in seeds]
        runs = [json.loads(path.read_text()) for path in paths if path.exists()]
        if not runs:
            continue
        rows.append(
            {
                **{name: runs[0][name] for name in ONCE},
                "settings": [path.stem.rsplit("__", 1)[1] for path in paths if path.exists()],
                **{many: [run[one] for run in runs] for one, many in PER_SEED.items()},
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
    """The record as Markdown: median over seeds with the whole range; published rows in italics;
    folded below, means with intervals.

    `columns` are those to show; all where none is named.
    """
    columns = columns or list(record["rows"][0]["columns"])
    notes = [
        f"Median and range over {len(record['seeds'])} seeds; {record['form']} form.",
        *record["notes"],
    ]
    if "command" in record["environment"]:
        notes.append(f"Measured by `{record['environment']['command']}`.")
    if record["source"]:
        notes.append(f"Published: {record['source']}.")
    means = "<details><summary>Means over seeds, with 95 % intervals (bootstrap)</summary>"
    return "\n\n".join(
        [
            grid(record, columns, median_and_range),
            "\n".join(notes),
            f"{means}\n\n{grid(record, columns, mean_and_interval)}\n\n</details>",
        ]
    )


def median_and_range(values: Sequence[float]) -> str:
    """One cell of one contestant."""
    return f"{median(values):.3g} [{min(values):.3g}, {max(values):.3g}]"


def mean_and_interval(values: Sequence[float]) -> str:
    """The same, as published tables have it; no interval for one seed or a run that diverged."""
    import numpy as np

    from s2lab.stats import bootstrap_interval, mean

    if len(values) == 1 or not np.isfinite(values).all():
        return f"{np.mean(values):.3g}"
    found = bootstrap_interval(mean, [values], np.random.default_rng(0))
    return f"{found.estimate:.3g} [{found.low:.3g}, {found.high:.3g}]"


def grid(
    record: Mapping[str, Any], columns: Sequence[str], cell: Callable[[Sequence[float]], str]
) -> str:
    """A table of contestants x columns, then what is published and constant."""
    head, asked = ["", "parameters", "updates", "CPU s", *columns], len(record["seeds"])
    lines = [head, ["---"] * len(head)]
    for row in record["rows"]:
        updates, spent = median(row["updates"]), median(row["train_cpu_s"])
        some = f", {len(row['seeds'])}/{asked} seeds" if len(row["seeds"]) < asked else ""
        lines.append(
            [row["label"] + some, f"{row['parameters']:,}", f"{updates:.0f}", f"{spent:.0f}"]
        )
        lines[-1] += [cell(row["columns"][column]) for column in columns]
    for kind in ("published", "constants"):
        for label, values in record[kind].items():
            known = [f"{values[c]:.4g}" if c in values else "" for c in columns]
            name = f"_{label}, published_" if kind == "published" else f"_{label}_"
            lines.append([name, "", "", "", *known])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def draw(record: Mapping[str, Any], path: Path) -> None:
    """Error against shift: one line per contestant through its medians, a band over its range.

    Contestants with a comma in their label are variants of others and have a panel of their own.
    """
    from matplotlib import colormaps

    columns = record["shift"] or list(record["rows"][0]["columns"])
    variants = [row for row in record["rows"] if "," in row["label"]]
    cores = [row for row in record["rows"] if "," not in row["label"]]
    panels = [rows for rows in (cores, variants) if rows]
    figure = new_figure(8 * len(panels), 4.5)
    every = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    what = "accuracy" if columns[0].startswith("accuracy") else "error"
    figure.suptitle(f"{record['table']} ({record['form']} form): {what} against shift")
    for axes, rows in zip(every, panels, strict=True):
        colours = colormaps["tab10" if len(rows) <= 10 else "tab20"]
        axes.set_prop_cycle(color=[colours(number) for number in range(colours.N)])
        for row in rows:
            values = [row["columns"][column] for column in columns]
            middle = [median(v) for v in values]
            (line,) = axes.plot(columns, middle, marker="o", label=row["label"])
            ends = [min(v) for v in values], [max(v) for v in values]
            axes.fill_between(columns, *ends, color=line.get_color(), alpha=0.1, lw=0)
        if rows is panels[0]:
            draw_known(record, columns, axes)
        if all(v > 0 for row in record["rows"] for c in columns for v in row["columns"][c]):
            axes.set_yscale("log")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="x-small")
        axes.tick_params(axis="x", labelrotation=30)
    save_figure(figure, path)


def draw_known(record: Mapping[str, Any], columns: Sequence[str], axes: Any) -> None:
    """Dashed lines: what was published, and what needs no learning."""
    published = {f"{label}, published": known for label, known in record["published"].items()}
    for number, (label, known) in enumerate({**published, **record["constants"]}.items()):
        shown = [column for column in columns if column in known]
        values = [known[column] for column in shown]
        axes.plot(shown, values, ls=DASHES[number % len(DASHES)], color="k", lw=1, label=label)
