"""A comparison as sections of a report: the headline first, then the curves, then every number.

Knows no HTML and no files.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from s2lab.reporting.blocks import (
    Block,
    Code,
    Facts,
    Figure,
    Fold,
    Headline,
    Kind,
    Notice,
    Paragraph,
    Picture,
    Section,
)
from s2lab.reporting.cells import limits_text, value_text
from s2lab.reporting.comparison import Comparison, Entry, MeanCurve
from s2lab.reporting.comparison_tables import (
    agents_table,
    contests_table,
    efficiency_table,
    overall_table,
    runs_table,
    scores_table,
)
from s2lab.reporting.curve_charts import Line, line_chart
from s2lab.reporting.curves import Curve
from s2lab.reporting.dot_charts import Dot, dot_chart
from s2lab.reporting.shift_blocks import shift_blocks
from s2lab.stats import FloatArray

MOST_FAINT_LINES = 12
"""Seeds drawn one by one behind their mean; more would be a second band."""
MOST_RINGS = 50
"""Seeds drawn one by one as rings; more would hide the interval."""
MOST_RUNS = 1000
"""Rows in the list of runs."""
SHOWN_AT_ONCE = 6
"""Findings and warnings beyond these are folded away."""


def comparison_sections(comparison: Comparison) -> tuple[Section, ...]:
    """The whole report of `s2lab compare`; pick single sections for a report of your own."""
    environments = comparison.environments
    sections = [summary_section(comparison)]
    if len(environments) > 1:
        sections += _unless_empty("All environments", overall_blocks(comparison))
        for env_id in environments:
            blocks = (*curve_blocks(comparison, env_id), *score_blocks(comparison, env_id))
            sections += _unless_empty(env_id, blocks)
    else:
        sections += _unless_empty("Learning curves", curve_blocks(comparison, environments[0]))
        sections += _unless_empty("Evaluation", score_blocks(comparison, environments[0]))
        profile = profile_picture(comparison)
        sections += _unless_empty("Performance profile", (profile,) if profile else ())
    sections += [runs_section(comparison), versions_section(comparison.environment)]
    return (*sections, method_section(comparison))


def summary_section(comparison: Comparison) -> Section:
    """The best agents, what can be said of them, and what to beware of."""
    level = f"{100 * comparison.level:g} %"
    kind: Kind = "percent" if comparison.metric == "success_rate" else "number"
    figures = []
    for label in comparison.labels[:4]:
        scores = [e for e in comparison.entries if e.label == label and e.score is not None]
        overall = comparison.overall.scores.get(label) if comparison.overall else None
        best = overall or (scores[0].score if len(scores) == 1 else None)
        if best is not None:
            limits = limits_text(best.mean, kind)
            runs = sum(len(entry.scores) for entry in scores)
            note = f"{level} interval {limits}; " if limits else ""
            note += f"{runs} run{'s' * (runs > 1)}"
            figures.append(Figure(value_text(best.mean, kind), label, note))
    blocks: list[Block] = [Headline(tuple(figures))] if figures else []
    blocks += _some_at_once([Paragraph(text) for text in comparison.verdicts], "findings")
    blocks += _some_at_once([Notice(text) for text in comparison.warnings], "warnings")
    return Section("Summary", tuple(blocks))


def overall_blocks(comparison: Comparison) -> tuple[Block, ...]:
    """Scores over all environments."""
    profile = profile_picture(comparison)
    dots = dots_picture(comparison, list(comparison.entries))
    tables = (overall_table(comparison), contests_table(comparison, None))
    return (
        *((dots,) if dots else ()),
        *(table for table in tables if table.rows),
        *((profile,) if profile else ()),
    )


def curve_blocks(comparison: Comparison, env_id: str) -> tuple[Block, ...]:
    """Learning over steps and over time, and how soon levels were reached."""
    entries = [entry for entry in comparison.entries if entry.env_id == env_id]
    steps = curves_picture(comparison, env_id)
    clock = curves_picture(comparison, env_id, clock=True)
    efficiency = efficiency_table(comparison, entries)
    return (
        *((steps,) if steps else ()),
        *((efficiency,) if efficiency.rows else ()),
        *((Fold("The same over wall-clock time", (clock,)),) if clock else ()),
    )


def score_blocks(comparison: Comparison, env_id: str) -> tuple[Block, ...]:
    """Evaluations in one environment, drawn and in tables."""
    entries = [entry for entry in comparison.entries if entry.env_id == env_id]
    tables = [agents_table(comparison, entries), scores_table(comparison, entries)]
    contests = contests_table(comparison, env_id)
    dots = dots_picture(comparison, entries)
    return (
        *((dots,) if dots else ()),
        *(table for table in (*tables, contests) if table.rows),
        *shift_blocks(comparison, env_id),
    )


def curves_picture(comparison: Comparison, env_id: str, *, clock: bool = False) -> Picture | None:
    """Learning curves of one environment; a policy that never trained is a level across."""
    entries = [entry for entry in comparison.entries if entry.env_id == env_id]
    drawn = [(e, e.clock if clock else e.curve) for e in entries]
    lines = [
        _line(comparison, entry, curve, _elapsed if clock else _steps)
        for entry, curve in drawn
        if curve is not None
    ]
    if not lines:
        return None
    level = f"{100 * comparison.level:g} %"
    untrained = [e for e in entries if e.untrained and e.curve is None and e.score is not None]
    reference = None
    if untrained and untrained[0].score is not None:
        reference = (untrained[0].label, untrained[0].score.mean.estimate)
    return line_chart(
        lines,
        title=f"{comparison.metric_name} of {env_id} while training",
        x_title="seconds of training" if clock else "environment steps",
        y_title=comparison.metric_name,
        percent=comparison.metric == "success_rate",
        reference=reference,
        caption=(
            f"{comparison.curve_metric} while training: the mean over seeds, the {level} bootstrap "
            "interval around it, and faintly every seed."
            + (f" Dotted: {reference[0]}, as evaluated." if reference else "")
        ),
    )


def dots_picture(comparison: Comparison, entries: list[Entry]) -> Picture | None:
    """Scores as dots with intervals, under their environments when there are several."""
    several = len({entry.env_id for entry in entries}) > 1
    dots = [
        Dot(
            entry.label,
            entry.score.mean,
            entry.scores if 1 < len(entry.scores) <= MOST_RINGS else (),
            entry.env_id if several else "",
            comparison.labels.index(entry.label),
        )
        for entry in entries
        if entry.score is not None
    ]
    if not dots:
        return None
    alone = any(len(entry.scores) == 1 for entry in entries)
    return dot_chart(
        dots,
        title=f"{comparison.metric_name} in evaluation",
        x_title=f"{comparison.metric_name} in evaluation",
        percent=comparison.metric == "success_rate",
        caption=(
            f"Mean over seeds with {100 * comparison.level:g} % intervals; rings are single seeds."
            + (" A single run has the interval of its episodes." if alone else "")
        ),
    )


def profile_picture(comparison: Comparison) -> Picture | None:
    """What share of the runs lies above each score."""
    if comparison.profile is None:
        return None
    percent = comparison.metric == "success_rate"
    lines = [
        Line(
            label,
            comparison.profile.thresholds,
            band.estimate,
            band.low,
            band.high,
            series=comparison.labels.index(label),
        )
        for label, band in comparison.profile.bands.items()
    ]
    return line_chart(
        lines,
        title="Performance profile",
        x_title=comparison.metric_name,
        y_title="runs above it",
        percent=True,
        percent_x=percent,
        steps=True,
        caption=(
            f"Share of the runs whose {comparison.metric_name} exceeds each value, with "
            f"{100 * comparison.level:g} % intervals: a curve above another is better throughout."
        ),
    )


def runs_section(comparison: Comparison) -> Section:
    """Every run, and the configuration of each agent's first one."""
    table = runs_table(comparison)
    count, title = len(table.rows), f"All {len(table.rows):,} runs"
    if count > MOST_RUNS:
        title = f"The first {MOST_RUNS:,} of {count:,} runs; a CSV table lists them all"
        table = replace(table, rows=table.rows[:MOST_RUNS])
    blocks: list[Block] = [Fold(title, (table,))]
    for label, config in comparison.configs.items():
        if config:
            text = "\n".join(f"{name}: {value}" for name, value in config.items())
            blocks.append(Code(text, f"Configuration of {label}", folded=True))
    return Section("Runs and configurations", tuple(blocks))


def versions_section(environment: Mapping[str, Any]) -> Section:
    """Versions and machine, from a run's environment.json."""
    versions = environment.get("versions")
    items = [
        (name.capitalize(), str(environment[name]))
        for name in ("python", "platform", "cpu", "cpus", "gpu", "commit")
        if environment.get(name) is not None
    ]
    if isinstance(versions, dict):
        items += [(str(name), str(version)) for name, version in versions.items() if version]
    if not items:
        return Section("Versions and machine", (Paragraph("The runs recorded none."),))
    return Section("Versions and machine", (Facts(tuple(items)),))


def method_section(comparison: Comparison) -> Section:
    level = f"{100 * comparison.level:g} %"
    text = (
        f"Seeds are the unit of comparison. Intervals are {level} percentile intervals of a "
        "bootstrap that redraws runs within each environment (Agarwal et al. 2021); for a single "
        "run, Wilson's interval of its episodes. The interquartile mean averages the middle half "
        "of the runs. The probability of a win counts a tie as half. P-values come from permuting "
        "runs between the two agents within each environment, after Holm's correction over all "
        "pairs shown together. Curves are interpolated linearly and averaged where every seed is."
    )
    return Section("Method", (Paragraph(text),))


def _unless_empty(title: str, blocks: tuple[Block, ...]) -> list[Section]:
    return [Section(title, blocks)] if blocks else []


def _some_at_once(blocks: Sequence[Block], what: str) -> list[Block]:
    shown = list(blocks[:SHOWN_AT_ONCE])
    rest = tuple(blocks[SHOWN_AT_ONCE:])
    return [*shown, Fold(f"{len(rest)} more {what}", rest)] if rest else shown


def _line(
    comparison: Comparison, entry: Entry, curve: MeanCurve, along: Callable[[Curve], FloatArray]
) -> Line:
    runs = tuple((along(run), run.values) for run in curve.runs) if len(curve.runs) > 1 else ()
    return Line(
        entry.label,
        curve.x,
        curve.band.estimate,
        curve.band.low,
        curve.band.high,
        runs if len(runs) <= MOST_FAINT_LINES else (),
        comparison.labels.index(entry.label),
    )


def _steps(curve: Curve) -> FloatArray:
    return curve.steps


def _elapsed(curve: Curve) -> FloatArray:
    return curve.elapsed_s
