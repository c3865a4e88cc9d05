"""Charts, read as a reader would: positions against the numbers on the axes."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2lab.reporting import axes
from s2lab.reporting.curve_charts import Line, line_chart
from s2lab.reporting.dot_charts import Dot, dot_chart
from s2lab.stats import Interval

SVG = "{http://www.w3.org/2000/svg}"
X = np.array([0.0, 500.0, 1000.0, 2000.0])
Y = np.array([0.0, 0.25, 0.5, 0.75])


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in parsed(svg).iter(f"{SVG}text")]


def drawn_with(svg: str, kind: str) -> list[ElementTree.Element]:
    return [node for node in parsed(svg).iter() if node.get("class") == kind]


def points(node: ElementTree.Element) -> np.ndarray:
    pairs = re.findall(r"[ML]([\d.-]+) ([\d.-]+)", node.get("d", ""))
    return np.array(pairs, dtype=float)


def axis_map(svg: str, labels: dict[str, float], attribute: str) -> np.ndarray:
    """Slope and offset from pixels to data, from two labelled ticks; text sits 4 below its tick."""
    shift = 4.0 if attribute == "y" else 0.0
    found = {
        labels[node.text]: float(node.get(attribute, "nan")) - shift
        for node in parsed(svg).iter(f"{SVG}text")
        if node.text in labels and (attribute == "x") == (node.get("text-anchor") == "middle")
    }
    return np.polyfit(list(found.values()), list(found.keys()), 1)


def chart(**more: object) -> str:
    lines = [Line("lstm", X, Y, Y - 0.1, Y + 0.1)]
    options = {"title": "t", "x_title": "steps", "y_title": "success", "percent": True, **more}
    return line_chart(lines, **options).svg  # type: ignore[arg-type]


def test_a_curve_read_off_its_axes_gives_its_data_back() -> None:
    svg = chart()
    to_x = axis_map(svg, {"0": 0.0, "500": 500.0, "1k": 1000.0, "2k": 2000.0}, "x")
    to_y = axis_map(svg, {"0 %": 0.0, "20 %": 0.2, "80 %": 0.8, "100 %": 1.0}, "y")
    (series,) = drawn_with(svg, "series")
    np.testing.assert_allclose(np.polyval(to_x, points(series)[:, 0]), X, atol=4)
    np.testing.assert_allclose(np.polyval(to_y, points(series)[:, 1]), Y, atol=0.002)


def test_a_band_runs_along_its_upper_limits_and_back_along_its_lower_ones() -> None:
    svg = chart()
    to_y = axis_map(svg, {"0 %": 0.0, "100 %": 1.0}, "y")
    (band,) = drawn_with(svg, "band")
    expected = np.concatenate([Y + 0.1, np.maximum(Y - 0.1, 0)[::-1]])  # cut at the axis
    np.testing.assert_allclose(np.polyval(to_y, points(band)[:, 1]), expected, atol=0.002)


def test_a_curve_without_limits_has_no_band_and_gaps_stay_open() -> None:
    holey = np.array([0.1, np.nan, 0.3, 0.4])
    unknown = np.full(4, np.nan)
    lines = [Line("a", X, holey, unknown, unknown)]
    svg = line_chart(lines, title="t", x_title="x", y_title="y", percent=True).svg
    assert drawn_with(svg, "band") == []
    (series,) = drawn_with(svg, "series")
    assert series.get("d", "").count("M") == 2


def test_a_chart_has_every_series_run_and_name_on_page_and_phone() -> None:
    lines = [Line(f"agent {k}", X, Y, runs=((X, Y), (X, Y))) for k in range(12)]
    picture = line_chart(lines, title="t", x_title="x", y_title="y")
    for svg in (picture.svg, picture.narrow or ""):
        assert len(drawn_with(svg, "series")) == 12
        assert len(drawn_with(svg, "run")) == 24
        assert {f"agent {k}" for k in range(12)} <= set(texts(svg))
    assert len({node.get("style") for node in drawn_with(picture.svg, "series")}) == 8
    dashes = [node.get("stroke-dasharray") for node in drawn_with(picture.svg, "series")]
    assert dashes[:8] == [None] * 8
    assert dashes[8:] == ["7 3"] * 4  # colours come round again, dashed


def test_names_at_the_ends_of_curves_never_overlap() -> None:
    lines = [Line(f"agent{k}", X, Y + k / 1000) for k in range(8)]
    svg = line_chart(lines, title="t", x_title="x", y_title="y", percent=True).svg
    places = [
        float(node.get("y", "nan"))
        for node in parsed(svg).iter(f"{SVG}text")
        if (node.text or "").startswith("agent")
    ]
    assert len(places) == 8
    assert np.diff(sorted(places)).min() >= 16.9


@given(st.lists(st.floats(0, 300), min_size=1, max_size=8))
def test_labels_pushed_apart_keep_their_order_and_their_distance(places: list[float]) -> None:
    from s2lab.reporting.curve_charts import _apart

    moved = _apart(sorted(places), lowest=300.0)
    assert all(b - a >= 17.0 - 1e-9 for a, b in pairwise(moved))
    assert moved[-1] <= 300.0


def test_dots_read_off_their_axis_are_their_estimates_and_limits() -> None:
    dots = [Dot("a", Interval(0.5, 0.25, 0.75), (0.3, 0.7), "E"), Dot("b", Interval(0.1, 0.0, 0.2))]
    svg = dot_chart(dots, title="t", x_title="x", percent=True).svg
    to_x = axis_map(svg, {"0 %": 0.0, "20 %": 0.2, "100 %": 1.0}, "x")
    estimates = [float(node.get("cx", "nan")) for node in drawn_with(svg, "series")]
    runs = [float(node.get("cx", "nan")) for node in drawn_with(svg, "run")]
    np.testing.assert_allclose(np.polyval(to_x, estimates), [0.5, 0.1], atol=1e-3)
    np.testing.assert_allclose(np.polyval(to_x, runs), [0.3, 0.7], atol=1e-3)
    bars = [node for node in parsed(svg).iter(f"{SVG}line") if node.get("stroke-width") == "6"]
    limits = [[float(bar.get(end, "nan")) for end in ("x1", "x2")] for bar in bars]
    np.testing.assert_allclose(np.polyval(to_x, limits), [[0.25, 0.75], [0.0, 0.2]], atol=1e-3)
    assert "50.0 % [25.0, 75.0]" in texts(svg)


def test_names_from_disk_are_text_and_never_markup() -> None:
    name = '<script>alert("1")</script>&\x00\ud800'
    for picture in (
        line_chart([Line(name, X, Y)], title=name, x_title=name, y_title=name),
        dot_chart([Dot(name, Interval(1, 0, 2), group=name)], title=name, x_title=name),
    ):
        for svg in (picture.svg, picture.narrow or ""):
            assert not list(parsed(svg).iter(f"{SVG}script"))
            shown = '<script>alert("1")</script>&\ufffd\ufffd'
            assert shown in ["".join(node.itertext()) for node in parsed(svg).iter(f"{SVG}title")]


def test_charts_name_and_describe_themselves() -> None:
    root = parsed(chart(description=""))
    named = {node.get("id"): node.text for node in root if node.get("id")}
    assert root.get("role") == "img"
    name, description = (named[key] for key in root.get("aria-labelledby", "").split())
    assert name == "t"
    assert description == "lstm ends at 75.0 % [65.0, 85.0]."


@pytest.mark.parametrize(
    "y", [np.full(4, 0.0), np.full(4, -3.0), np.array([1e-9, 2e-9, 3e-9, 4e-9])]
)
def test_flat_and_tiny_curves_can_be_drawn(y: np.ndarray) -> None:
    svg = line_chart([Line("a", X, y)], title="t", x_title="x", y_title="y").svg
    (series,) = drawn_with(svg, "series")
    assert np.isfinite(points(series)).all()


def test_a_chart_of_nothing_is_an_empty_frame() -> None:
    svg = line_chart([], title="t", x_title="x", y_title="y").svg
    assert drawn_with(svg, "series") == []


@given(st.floats(-1e4, 1e4), st.floats(1e-2, 1e6), st.integers(2, 12))
def test_ticks_are_round_numbers_inside_the_range(low: float, span: float, most: int) -> None:
    high = low + span
    ticks = axes.nice_ticks(low, high, most)
    assert len(ticks) <= most + 1
    assert all(low - 1e-6 * span <= tick <= high + 1e-6 * span for tick in ticks)
    if len(ticks) > 1:
        step = (ticks[-1] - ticks[0]) / (len(ticks) - 1)
        mantissa = step / 10 ** np.floor(np.log10(step * (1 + 1e-6)))
        assert min(abs(mantissa - np.array([1, 2, 5]))) < 1e-4


def test_ticks_of_a_known_axis() -> None:
    assert axes.nice_ticks(0, 200_000, 5) == [0, 50_000, 100_000, 150_000, 200_000]
    assert axes.nice_ticks(0.0, 1.0, 5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert axes.nice_range(-0.3, 9.1) == (-2, 10)
