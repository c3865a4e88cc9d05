"""What a sweep found, as sections of a report. Knows no Optuna: it is handed plain trials."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2lab.reporting import axes
from s2lab.reporting.axes import GRID, INK, SERIES, SOFT, Scale, rule, words
from s2lab.reporting.blocks import (
    Block,
    Cell,
    Code,
    Column,
    Figure,
    Headline,
    Kind,
    Paragraph,
    Picture,
    Section,
    Table,
)
from s2lab.reporting.cells import value_text
from s2lab.reporting.dot_charts import Dot, dot_chart
from s2lab.reporting.markup import Attributes, Markup, element, join
from s2lab.stats import Interval
from s2lab.sweep_space import Dimension

ROW = 64.0  # pixels from one axis to the next
BEST_SHARE = 0.1


@dataclass(frozen=True)
class Tried:
    """One trial."""

    number: int
    run_id: str
    state: str
    """complete, pruned, running or fail."""
    values: Mapping[str, Any]
    """What was chosen, by setting."""
    score: float
    """Of the final evaluation; nan without one."""

    def to_json(self) -> dict[str, Any]:
        """Plain values; no score is null."""
        score = self.score if math.isfinite(self.score) else None
        about = {"trial": self.number, "run": self.run_id, "state": self.state}
        return {**about, "values": dict(self.values), "score": score}


def sweep_sections(
    tried: Sequence[Tried],
    space: Sequence[Dimension],
    importance: Mapping[str, float],
    metric: str,
    command: str,
) -> tuple[Section, ...]:
    """The best first, then what mattered, then every trial."""
    kind: Kind = "percent" if metric == "success_rate" else "number"
    judged = sorted((t for t in tried if math.isfinite(t.score)), key=lambda t: -t.score)
    counts = {state: sum(t.state == state for t in tried) for state in ("complete", "pruned")}
    figures = [Figure(f"{len(tried)}", "trials", f"{counts['pruned']} stopped early")]
    blocks: list[Block] = []
    if judged:
        figures.insert(0, Figure(value_text(judged[0].score, kind), "best", judged[0].run_id))
        rows = tuple((name, _shown(value)) for name, value in judged[0].values.items())
        blocks.append(Table((Column("Setting"), Column("Best")), rows))
        blocks.append(Code(command, "The best settings again, on fresh seeds"))
        if counts["complete"] > 1:
            blocks.append(
                Paragraph(
                    "The best of many trials looks better than it is: train it again on seeds that "
                    "the sweep has not seen before comparing it with anything."
                )
            )
    sections = [Section("Best", (Headline(tuple(figures)), *blocks))]
    if importance:
        sections.append(Section("What mattered", (importance_picture(importance),)))
    if len(judged) > 1:
        sections.append(Section("Settings and scores", (parallel_picture(judged, space, kind),)))
    return (*sections, Section("Trials", (trials_table(tried, space, kind),)))


def importance_picture(importance: Mapping[str, float]) -> Picture:
    """Settings by falling share."""
    ordered = sorted(importance.items(), key=lambda item: -item[1])
    dots = [Dot(name, Interval(share, math.nan, math.nan)) for name, share in ordered]
    return dot_chart(
        dots,
        title="importance of each setting",
        x_title="share of what the settings explain",
        percent=True,
        caption="PED-ANOVA (Watanabe et al. 2023): how far the best trials' values differ from "
        "all trials' values. Few trials give a rough guess.",
    )


def parallel_picture(judged: Sequence[Tried], space: Sequence[Dimension], kind: Kind) -> Picture:
    """One line a trial across an axis per setting, the best ones in colour; `judged` best first."""
    scores = [t.score for t in judged]
    best = max(1, round(BEST_SHARE * len(judged)))

    def drawn(width: float) -> str:
        parts: list[Markup] = []
        crossings: list[list[tuple[float, float]]] = [[] for _ in judged]
        for row, dimension in enumerate([*space, None]):
            y = 34 + ROW * row
            shown = [t.values.get(dimension.name) for t in judged] if dimension else scores
            places, ticks = _places(shown, dimension, 12, width - 12)
            if dimension is None:
                ticks = [value_text(min(scores), kind), value_text(max(scores), kind)]
            parts.append(_axis(dimension.name if dimension else "score", ticks, y, width))
            for line, x in zip(crossings, places, strict=True):
                line.append((x, y))
        lines = [
            _line(crossings[k], judged[k], k < best, kind) for k in reversed(range(len(judged)))
        ]
        told = f"{len(judged)} trials; the best has {value_text(scores[0], kind)}"
        height = 34 + ROW * len(space) + 30
        return axes.drawing(width, height, "settings and scores", told, *lines, *parts)

    caption = (
        "Every trial that was judged, from setting to setting down to its score; the best "
        f"{best} in colour."
    )
    return Picture(drawn(axes.WIDE), caption, narrow=drawn(axes.NARROW))


def trials_table(tried: Sequence[Tried], space: Sequence[Dimension], kind: Kind) -> Table:
    """Every trial."""
    columns = [Column("Trial", "integer"), Column("State"), Column("Score", kind)]
    columns += [
        Column(d.name, "text" if d.choices else "integer" if d.whole else "amount") for d in space
    ]
    rows = []
    for each in tried:
        cells: list[Cell] = [each.number, each.state, each.score]
        for dimension in space:
            value = each.values.get(dimension.name)
            cells.append(str(value) if dimension.choices and value is not None else value)
        rows.append((*cells, each.run_id))
    return Table((*columns, Column("Run")), tuple(rows))


def _shown(value: Any) -> str:
    """Four digits: best.yaml has them all."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _places(
    values: Sequence[Any], dimension: Dimension | None, left: float, right: float
) -> tuple[list[float], list[str]]:
    """Where each value lies along an axis, and what is written along it, evenly spread."""
    if dimension is not None and dimension.choices:
        choices = list(dimension.choices)
        scale = Scale(0, len(choices) - 1, left, right)
        return [scale(choices.index(v)) for v in values], list(map(str, choices))
    low = dimension.low if dimension else min(values)
    high = dimension.high if dimension else max(values)
    ends = [f"{low:g}", f"{high:g}"]
    if dimension is not None and dimension.log:
        scale = Scale(math.log(low), math.log(high), left, right)
        return [scale(math.log(v)) for v in values], ends
    return [Scale(low, high, left, right)(v) for v in values], ends


def _axis(name: str, ticks: Sequence[str], y: float, width: float) -> Markup:
    """The name above its line, ticks below; where they would touch, only the first and the last."""
    if sum(axes.text_width(tick) + 16 for tick in ticks) > width - 24:
        ticks = [axes.shortened(tick, width / 2 - 24) for tick in (ticks[0], ticks[-1])]
    shown = axes.shortened(name, width - 24)
    parts = [rule(12, y, width - 12, y, GRID), _clear(shown, 12, y - 10, "start", INK, name)]
    for place, tick in enumerate(ticks):
        x = 12 + (width - 24) * place / max(1, len(ticks) - 1)
        anchor = "start" if place == 0 else "end" if place == len(ticks) - 1 else "middle"
        parts.append(_clear(tick, x, y + 16, anchor, SOFT))
    return join(*parts)


def _clear(text: str, x: float, y: float, anchor: str, fill: str, title: str = "") -> Markup:
    """Words that lines run behind: first as a blot of the paper's colour, then as ink."""
    blot = {"stroke": "var(--paper,#fff)", "stroke-width": "5", "stroke-linejoin": "round"}
    under = element("g", {**blot, "aria-hidden": "true"}, words(text, x, y, anchor=anchor))
    return join(under, words(text, x, y, anchor=anchor, fill=fill, title=title))


def _line(points: Sequence[tuple[float, float]], each: Tried, best: bool, kind: Kind) -> Markup:
    hue = f"var(--series-1,{SERIES[0]})" if best else SOFT
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    name = element("title", None, f"trial {each.number}: {value_text(each.score, kind)}")
    style = f"stroke:{hue};stroke-opacity:{0.95 if best else 0.3}"
    attributes: Attributes = {
        "class": "series", "points": path, "style": style, "stroke-width": 2.5 if best else 1.2
    }  # fmt: skip
    return element("polyline", attributes, name)


def finite(value: float | None) -> float:
    """nan for None."""
    return float(np.nan if value is None else value)
