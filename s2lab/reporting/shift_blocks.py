"""Agents on both sides of a shift, drawn and in a table. Knows no HTML and no files."""

from s2lab.reporting.blocks import Block, Picture
from s2lab.reporting.comparison import Comparison, Shifted
from s2lab.reporting.comparison_tables import shifts_table
from s2lab.reporting.dot_charts import Dot, dot_chart


def shift_blocks(comparison: Comparison, env_id: str) -> tuple[Block, ...]:
    """Nothing where no run of the environment was evaluated on a shift."""
    shifts = [shifted for shifted in comparison.shifts if shifted.env_id == env_id]
    if not shifts:
        return ()
    return shift_picture(comparison, shifts), shifts_table(comparison, shifts)


def shift_picture(comparison: Comparison, shifts: list[Shifted]) -> Picture:
    """Every agent on the train side of each shift, then on its test side."""
    dots = []
    for name in dict.fromkeys(shifted.shift for shifted in shifts):
        here = [shifted for shifted in shifts if shifted.shift == name]
        for side in ("train", "test"):
            for shifted in here:
                value, scores = shifted.train, shifted.train_scores
                if side == "test":
                    value, scores = shifted.test, shifted.test_scores
                place = comparison.labels.index(shifted.label)
                rings = scores if len(scores) > 1 else ()
                dots.append(Dot(shifted.label, value, rings, f"{name}, {side} side", place))
    return dot_chart(
        dots,
        title=f"{comparison.metric_name} on both sides of a shift",
        x_title=f"{comparison.metric_name} in evaluation",
        percent=comparison.metric == "success_rate",
        caption=(
            "The same runs on worlds like those of training and on worlds that training left out: "
            f"means over seeds with {100 * comparison.level:g} % intervals; rings are single seeds."
        ),
    )
