"""The report file: whole or not at all, self-contained, and every name in it only text."""

import base64
import csv
import hashlib
import io
import math
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from s2lab import durable
from s2lab.errors import UserError
from s2lab.report import (
    Code,
    Column,
    Facts,
    Figure,
    Fold,
    Headline,
    Notice,
    Paragraph,
    Picture,
    Row,
    Section,
    Table,
    write_report,
)
from s2lab.reporting.cells import as_text, duration, short
from s2lab.reporting.tables import to_csv, to_latex, to_markdown
from s2lab.stats import Interval

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\x00'
DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0L9 9"/></svg>'


def everything(text: str) -> list[Section]:
    """One block of each kind, `text` wherever a string goes."""
    table = Table(
        (Column(text, hint=text), Column("n", "number")), ((text, 1.0), (text, None)), caption=text
    )
    inner = (Paragraph(text), Notice(text), Facts(((text, text),)), Code(text, text, folded=True))
    blocks = (
        *inner,
        Code(text, text),
        table,
        Headline((Figure(text, text, text),)),
        Picture(DRAWING, text),
        Row(inner),
        Fold(text, (table,)),
    )
    return [Section(text, blocks)] * 3


class Page(HTMLParser):
    """Tags, attributes and text of a page as a browser would find them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def written(path: Path, sections: list[Section], title: str = "Title") -> str:
    return write_report(
        path, title=title, sections=sections, subtitle=title, footer=title
    ).read_text()


def test_every_string_shows_as_text_and_is_never_run(tmp_path: Path) -> None:
    page = Page(written(tmp_path / "r.html", everything(EVIL), EVIL))
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.texts.count(EVIL.replace("\x00", "\ufffd")) >= 3 * 17


def test_the_page_refers_to_nothing_outside_itself(tmp_path: Path) -> None:
    page = Page(written(tmp_path / "r.html", everything("x")))
    links = [value for name, value in page.attributes if name in ("href", "src", "action")]
    assert set(links) == {"data:,", "#section-1", "#section-2", "#section-3"}
    text = (tmp_path / "r.html").read_text().replace('"http://www.w3.org/2000/svg"', "")
    assert not re.findall(r"https?:|@import|url\(", text)


def test_the_page_forbids_every_script_but_its_own(tmp_path: Path) -> None:
    text = written(tmp_path / "r.html", everything("x"))
    script = text.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = dict(Page(text).attributes)["content"]  # the last <meta> wins: look it up by name
    policy = next(v for k, v in Page(text).attributes if k == "content" and "default-src" in v)
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}';" in policy


def test_a_report_replaces_the_old_one_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "folder" / "r.html"
    written(path, everything("first"))
    before = path.read_bytes()

    def full(stage: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "at_stage", full)
    with pytest.raises(UserError, match=r"disk full while writing .*r.html") as caught:
        written(path, everything("second"))
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["r.html"]


def test_a_place_that_cannot_hold_a_report_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="it is a folder; name a file in it"):
        written(tmp_path, [])
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*choose another place for the report"):
        written(tmp_path / "file" / "r.html", [])


@pytest.mark.parametrize(
    ("svg", "message"),
    [
        ("<svg><script>1</script></svg>", "must not contain <script>"),
        ('<svg xmlns="http://www.w3.org/2000/svg"><image/></svg>', "must not contain <image>"),
        ('<svg onload="x()"></svg>', "must not contain onload"),
        ('<svg><g href="https://x.org"/></svg>', "must not contain href"),
        ('<svg><g style="fill:url(https://x.org)"/></svg>', "must not contain style"),
        ("<svg><style>@import 'x'</style></svg>", "must not fetch"),
        ("<!DOCTYPE svg><svg></svg>", "must not have a DOCTYPE"),
        ("<svg><g></svg>", "not well formed"),
        ("<p>hello</p>", "expected an <svg> drawing, got <p>"),
    ],
)
def test_drawings_that_run_or_fetch_anything_are_refused(svg: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Picture(svg)
    with pytest.raises(ValueError, match=re.escape(message)):
        Picture(DRAWING, narrow=svg)


def test_drawings_may_use_their_own_markers_and_odd_words() -> None:
    Picture('<svg><g style="marker-end:url(#arrow)" aria-label="url(x)"/><text>url(x)</text></svg>')


def test_a_row_that_does_not_fit_its_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="a row has 2 cells for 1 columns"):
        Table((Column("a"),), (("x", "y"),))


TABLE = Table(
    (
        Column("Agent"),
        Column("Success", "percent"),
        Column("Steps", "amount"),
        Column("Time", "seconds"),
    ),
    (
        ("a|b_c\n<i>", Interval(0.823, 0.741, 0.889), 200_000, 187.4),
        ("50% & more", Interval(0.5, math.nan, math.nan), math.inf, None),
    ),
    caption="Two agents",
)


def test_markdown_tables_keep_their_shape_whatever_the_names() -> None:
    lines = to_markdown(TABLE).splitlines()
    assert lines == [
        "Two agents",
        "",
        "| Agent | Success | Steps | Time |",
        "| :-- | --: | --: | --: |",
        r"| a\|b\_c &lt;i&gt; | 82.3 % \[74.1, 88.9\] | 200k | 3 m 07 s |",
        "| 50% &amp; more | 50.0 % | ∞ | – |",  # noqa: RUF001 - the dash for what is missing
    ]


def test_csv_keeps_full_precision_and_limits_in_columns_of_their_own() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(TABLE))))
    assert rows[0] == {
        "Agent": "a|b_c\n<i>",
        "Success": "0.823",
        "Success low": "0.741",
        "Success high": "0.889",
        "Steps": "200000",
        "Time": "187.4",
    }
    assert (rows[1]["Success low"], rows[1]["Steps"], rows[1]["Time"]) == ("", "inf", "")


def test_latex_tables_escape_what_latex_would_obey() -> None:
    lines = to_latex(TABLE).splitlines()
    assert lines[1] == r"\begin{tabular}{lrrr}"
    assert (
        lines[5] == r"a|b\_c \textless{}i\textgreater{} & 82.3 \% [74.1, 88.9] & 200k & 3 m 07 s \\"
    )
    assert lines[6] == r"50\% \& more & 50.0 \% & $\infty$ & -- \\"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (999.6, "1k"), (12_345, "12.3k"), (999_900, "1M"), (2.5e6, "2.5M")],
)
def test_amounts_have_three_digits(value: float, text: str) -> None:
    assert short(value) == text


def test_durations_read_as_people_say_them() -> None:
    assert [duration(s) for s in (0.04, 59.94, 59.96, 187, 3599.6, 7500)] == [
        "0.0 s",
        "59.9 s",
        "1 m 00 s",
        "3 m 07 s",
        "1 h 00 m",
        "2 h 05 m",
    ]


def test_numbers_have_the_digits_they_deserve() -> None:
    minus = "\N{MINUS SIGN}"
    values = (0.8234, 12.345, 123.45, 12345.6, -0.5, math.nan)
    texts = [as_text(value, "number") for value in values]
    assert texts == ["0.823", "12.35", "123.5", "12,346", f"{minus}0.500", "\N{EN DASH}"]
