"""What the record of shifts says: tables, a figure, and the page that answers the central question.

Every word is made of the record's figures by `shift_comparisons.py`. Knows no training.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from s2lab import durable
from s2lab.reproduce.figures import new_figure, save_figure
from s2lab.reproduce.kept_runs import record_path
from s2lab.reproduce.learning_table import minutes, seeds_of, shown, summarise
from s2lab.reproduce.module_use import index
from s2lab.reproduce.records import markdown, read_record
from s2lab.reproduce.shift_comparisons import (
    LEVEL,
    MODULAR,
    Comparison,
    Row,
    Shifts,
    comparisons,
    gaps,
    limits,
    nearest,
    success,
    within_groups,
)

PANELS_ACROSS = 4


def all_compared(compared: Sequence[Comparison]) -> str:
    """Every comparison as a line of a table."""
    if not compared:
        return "None yet."
    header = ["shifted worlds", "modular", "plain", "gap, plain less modular"]
    header += ["success there, modular less plain", "p", "p alone"]
    lines = [
        [one.test, one.modular, one.plain, limits(one.gap), limits(one.success),
         f"{one.p_value:.3f}", f"{one.alone:.3f}"]
        for one in compared
    ]  # fmt: skip
    return (
        f"{markdown(header, lines)}\n\nDifferences of means over seeds, with a bootstrap's 95 % "
        "interval; above 0 where modules help. p of the gaps' difference by permutation, with "
        "Holm's correction over all lines, and alone."
    )


def table(record: Mapping[str, Any]) -> str:
    """One table per shift, the gap as its headline."""
    rows = summarise(record["rows"])
    parts = []
    for name, shift in record["config"]["shifts"].items():
        of = [row for row in rows if row["label"].split(", ")[1] == name]
        if of:
            head = f"**{name}**: trained in {shift['train']}, {of[0]['steps']:,} frames"
            parts.append(f"{head}\n\n{shift_table(of, shift)}")
    layouts = record["config"]["layouts"]
    note = (
        f"Success on {layouts} unseen layouts, sampled actions, mean over seeds with Student's "
        "95 % interval. Gap: success in training's own worlds less that in the shifted ones. "
        "Specialisation: share of an event's entropy that the best module's activity tells beyond "
        "chance, mean over events, in training's own worlds."
    )
    return "\n\n".join([*parts, note])


def shift_table(rows: Sequence[Row], shift: Mapping[str, Any]) -> str:
    """Rows of one shift as Markdown."""
    tests: Mapping[str, str] = shift["tests"]
    header = ["agent", "seeds", *(f"gap, {words}" for words in tests)]
    header += ["in distribution", *tests, "specialisation", "CPU minutes"]
    lines = []
    for row in rows:
        line = [row["label"].split(",")[0], seeds_of(row)]
        line += [shown(gaps(row, shift["train"], test), 3) for test in tests.values()]
        line += [shown(success(row, world), 3) for world in (shift["train"], *tests.values())]
        line += [shown([index(found) for found in row["looked"]], 3), minutes(row["cpu_s"])]
        lines.append(line)
    return markdown(header, lines)


def answer(compared: Sequence[Comparison]) -> str:
    """The central question, in words."""
    if not compared:
        return "No modular core has been measured beside an LSTM or a GRU yet."
    better = [one for one in compared if one.better]
    worse = [one for one in compared if one.worse]
    lines = []
    if better:
        lines.append("A modular core generalises better than equally tuned plain ones here:")
        lines += [f"* {one.in_words()}" for one in better]
    else:
        count = len(compared)
        lines.append(
            f"In none of the {count} comparisons does a modular core generalise better than "
            "equally tuned LSTMs and GRUs beyond chance (gap smaller with p below "
            f"{LEVEL}, Holm's correction, and success in the shifted worlds higher)."
        )
        first = nearest(compared)
        if first is not None:
            lines.append(f"\nNearest to it comes {first.in_words()}, or {first.alone:.3f} alone.")
    if worse:
        lines.append("\nLSTMs and GRUs generalise better than a modular core here:")
        lines += [f"* {one.in_words()}" for one in worse]
    return "\n".join(lines)


def explained(rows: Sequence[Row], shifts: Shifts) -> list[str]:
    """Per shifted world, whether runs that specialise more have a smaller gap, within cores."""
    lines = []
    for name, shift in shifts.items():
        for words, test in shift["tests"].items():
            groups = []
            for row in rows:
                core, of = row["label"].split(", ")
                if of != name or core not in MODULAR:
                    continue
                measured = [index(found) for found in row["looked"]]
                pairs = zip(measured, gaps(row, shift["train"], test), strict=True)
                groups.append([(x, y) for x, y in pairs if x is not None])
            groups = [group for group in groups if len(group) > 1]
            if sum(map(len, groups)) > 3:
                r, p = within_groups(groups)
                place = words if words == name else f"{name}, {words}"
                runs = sum(map(len, groups))
                lines.append(f"* {place}: r = {r:+.2f} over {runs} runs, p = {p:.3f}")
    return lines


def page(record: Mapping[str, Any], figure: str) -> str:
    """The whole page as Markdown."""
    rows, shifts = summarise(record["rows"]), record["config"]["shifts"]
    compared = comparisons(rows, shifts)
    related = explained(rows, shifts)
    link = (
        "Correlation between how much the modules of a run specialise and its gap, within cores:\n"
        + "\n".join(related)
        if related
        else "Too few modular runs are measured to relate specialisation to the gap."
    )
    quick = record["name"].endswith("-quick")
    command = "s2lab reproduce shifts" + " --quick" * quick
    parts = [
        "# Which shifts do modules help with?",
        f"Made by `{command}` from `{record['name']}.json`; nothing here is typed."
        + (" A reduced form: it shows that everything runs, and answers nothing." * quick),
        answer(compared),
        "## Does specialisation explain it?",
        link,
        "## All comparisons",
        all_compared(compared),
        "## The tables",
        table(record),
        f"![Gap between training's own and shifted worlds]({figure})",
    ]
    return "\n\n".join(parts) + "\n"


def write_page(path: Path) -> None:
    """Beside the record: the page and its figure."""
    record = read_record(path)
    draw(record, path.with_suffix(".svg"))
    text = page(record, path.with_suffix(".svg").name)
    durable.replace(path.with_suffix(".md"), text.encode())


def draw(record: Mapping[str, Any], target: Path) -> None:
    """The gap of every agent on every shifted world: a dot per seed and their mean."""
    rows, shifts = summarise(record["rows"]), record["config"]["shifts"]
    measured = {row["label"].split(", ")[1] for row in rows}
    tests = [(name, *test) for name in shifts if name in measured
             for test in shifts[name]["tests"].items()]  # fmt: skip
    across = min(max(len(tests), 1), PANELS_ACROSS)
    down = -(-len(tests) // across)
    figure = new_figure(3.2 * max(across, 2), 3.4 * down)
    panels = list(figure.subplots(down, across, squeeze=False).flat)
    for axes in panels[len(tests) :]:
        axes.remove()
    for axes, (name, words, test) in zip(panels, tests, strict=False):
        of = [row for row in rows if row["label"].endswith(f", {name}")]
        for place, row in enumerate(of):
            values = gaps(row, shifts[name]["train"], test)
            axes.plot([place] * len(values), values, "o", alpha=0.4)
            axes.plot([place - 0.25, place + 0.25], [fmean(values)] * 2, "k-")
        axes.axhline(0, lw=0.8, color="grey")
        names = [row["label"].split(",")[0] for row in of]
        axes.set_xticks(range(len(of)), names, rotation=30, ha="right")
        axes.set_title(words if words == name else f"{name}, {words}", fontsize="medium")
        axes.set_ylabel("gap")
    save_figure(figure, target)


if __name__ == "__main__":
    for name in ("shifts", "shifts-quick"):
        if record_path(name).exists():
            write_page(record_path(name))
