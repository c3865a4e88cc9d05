"""What the record of shifts says: tables, a figure, and the page that answers the central question.

The gap of a run is its success in training's own worlds less that in shifted ones. Every word is
made of the record's figures; a modular core counts as generalising better where its gap is smaller
and its success in the shifted worlds no lower, both beyond chance. Knows no training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

from s2lab import durable
from s2lab.reproduce.kept_runs import record_path
from s2lab.reproduce.learning_table import minutes, seeds_of, shown, summarise
from s2lab.reproduce.module_use import index
from s2lab.reproduce.records import markdown, read_record
from s2lab.stats import Interval

PLAIN = ("lstm", "gru")
MODULAR = ("rims", "workspace", "scoff")
LEVEL = 0.05
PERMUTATIONS = 10_000

Row = Mapping[str, Any]
Shifts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Comparison:
    """A modular core beside the plain ones, taken together, on one shifted world.

    Together, because five runs against five leave 1/126 as the least p there can be, which a
    correction for two dozen comparisons takes above any level whatever the runs did; five against
    ten leave 1/3003.
    """

    test: str
    """Words for the shifted worlds."""
    modular: str
    plain: str
    gap: Interval
    """The plain cores' gap less the modular one's: above 0 where modules help."""
    success: Interval
    """Success in the shifted worlds, modular less plain."""
    p_value: float
    """Of the gaps' difference, by permutation; Holm's over all comparisons of the record."""

    @property
    def better(self) -> bool:
        """Whether the modular core generalises better, beyond chance."""
        return self.p_value < LEVEL and self.gap.estimate > 0 and self.success.low > 0

    @property
    def worse(self) -> bool:
        """The other way round."""
        return self.p_value < LEVEL and self.gap.estimate < 0 and self.success.high < 0

    def in_words(self) -> str:
        """One line."""
        gap = amount(self.gap, "smaller", "larger")
        rate = amount(self.success, "higher", "lower")
        return (
            f"{self.test}: the gap of {self.modular} is {gap} than that of {self.plain}, "
            f"success there {rate}; p = {self.p_value:.3f}"
        )


def amount(found: Interval, above: str, below: str) -> str:
    """Such as "larger by 0.120 (0.020 to 0.210)": the word says which side of 0 the estimate is."""
    if found.estimate >= 0:
        return f"{above} by {found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})"
    return f"{below} by {-found.estimate:.3f} ({-found.high:.3f} to {-found.low:.3f})"


def limits(found: Interval) -> str:
    """Such as +0.120 (+0.020 to +0.210)."""
    return f"{found.estimate:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def all_compared(compared: Sequence[Comparison]) -> str:
    """Every comparison as a line of a table."""
    if not compared:
        return "None yet."
    header = ["shifted worlds", "modular", "plain", "gap, plain less modular"]
    header += ["success there, modular less plain", "p"]
    lines = [
        [one.test, one.modular, one.plain, limits(one.gap), limits(one.success),
         f"{one.p_value:.3f}"]
        for one in compared
    ]  # fmt: skip
    return (
        f"{markdown(header, lines)}\n\nDifferences of means over seeds, with a bootstrap's 95 % "
        "interval; above 0 where modules help. p of the gaps' difference by permutation, Holm's "
        "correction over all lines."
    )


def success(row: Row, world: str) -> list[float]:
    """Of each seed, sampled."""
    found: list[float] = row["played"][world]["sampled"]["success"]
    return found


def gaps(row: Row, train: str, test: str) -> list[float]:
    """Of each seed: in distribution less out of it."""
    pairs = zip(success(row, train), success(row, test), strict=True)
    return [inside - outside for inside, outside in pairs]


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


def comparisons(rows: Sequence[Row], shifts: Shifts) -> list[Comparison]:
    """Every modular core beside LSTM and GRU together, shift by shift; two seeds each at least."""
    import numpy as np

    from s2lab.significance import holm, permutation_test
    from s2lab.stats import contest_intervals

    by_label = {row["label"]: row for row in rows if len(row["seeds"]) > 1}
    found: list[tuple[str, str, str, Interval, Interval, float]] = []
    for name, shift in shifts.items():
        plain = [core for core in PLAIN if f"{core}, {name}" in by_label]
        theirs = [by_label[f"{core}, {name}"] for core in plain]
        for (words, test), modular in product(shift["tests"].items(), MODULAR):
            ours = by_label.get(f"{modular}, {name}")
            if ours is None or not theirs:
                continue
            rng = np.random.default_rng(0)
            apart = [value for row in theirs for value in gaps(row, shift["train"], test)]
            distances = [apart], [gaps(ours, shift["train"], test)]
            reached = [value for row in theirs for value in success(row, test)]
            rates = [success(ours, test)], [reached]
            gap, _ = contest_intervals(*distances, rng)
            rate, _ = contest_intervals(*rates, rng)
            p_value = permutation_test(*distances, rng, permutations=PERMUTATIONS)
            place = words if words == name else f"{name}, {words}"
            found.append((place, modular, " and ".join(plain), gap, rate, p_value))
    adjusted = holm([entry[-1] for entry in found])
    return [Comparison(*entry[:-1], p) for entry, p in zip(found, adjusted, strict=True)]


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


def within_groups(groups: Sequence[Sequence[tuple[float, float]]]) -> tuple[float, float]:
    """Correlation of deviations from each group's means; its two-sided p by permutation within."""
    import numpy as np

    rng = np.random.default_rng(0)
    x = np.concatenate([np.array([a for a, _ in g]) - fmean(a for a, _ in g) for g in groups])
    y = [np.array([b for _, b in g]) - fmean(b for _, b in g) for g in groups]
    scale = float(np.sqrt((x**2).sum() * sum(float((part**2).sum()) for part in y)))
    if scale == 0:
        return 0.0, 1.0
    found = float(x @ np.concatenate(y)) / scale
    drawn = np.array(
        [x @ np.concatenate([rng.permutation(part) for part in y]) for _ in range(PERMUTATIONS)]
    )
    reached = int((np.abs(drawn / scale) >= abs(found) - 1e-12).sum())
    return found, (reached + 1) / (PERMUTATIONS + 1)


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
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    rows, shifts = summarise(record["rows"]), record["config"]["shifts"]
    measured = {row["label"].split(", ")[1] for row in rows}
    tests = [(name, *test) for name in shifts if name in measured
             for test in shifts[name]["tests"].items()]  # fmt: skip
    figure = Figure(figsize=(3.2 * max(len(tests), 2), 3.6), layout="constrained")
    FigureCanvasSVG(figure)
    for axes, (name, words, test) in zip(
        figure.subplots(1, len(tests), squeeze=False)[0], tests, strict=True
    ):
        of = [row for row in rows if row["label"].endswith(f", {name}")]
        for place, row in enumerate(of):
            values = gaps(row, shifts[name]["train"], test)
            axes.plot([place] * len(values), values, "o", alpha=0.4)
            axes.plot([place - 0.25, place + 0.25], [fmean(values)] * 2, "k-")
        axes.axhline(0, lw=0.8, color="grey")
        names = [row["label"].split(",")[0] for row in of]
        axes.set_xticks(range(len(of)), names, rotation=30)
        axes.set_title(words if words == name else f"{name}, {words}", fontsize="medium")
        axes.set_ylabel("gap")
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    for name in ("shifts", "shifts-quick"):
        if record_path(name).exists():
            write_page(record_path(name))
