"""The report in a real browser: quiet console, working sorting, no sideways scrolling."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2lab.compare import compare
from s2lab.report import Column, Section, Table, write_report
from s2lab.reporting.comparison_page import comparison_sections
from s2lab.reporting.sweep_page import Tried, sweep_sections
from s2lab.stats import Interval
from s2lab.sweep_space import Dimension

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (BROWSER and DRIVER), reason="chromium or chromedriver is not installed"
    ),
]

WIDTHS = (380, 1400)
EVIL = "ppo<script>document.title='run'</script>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (
        *("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"),
        *("disable-background-networking", "disable-component-update", "disable-sync"),
        *("disable-dev-shm-usage", f"user-data-dir={tmp_path_factory.mktemp('profile')}"),
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture
def report(make_run: Any, tmp_path: Path) -> Path:
    """The page of `s2lab compare` over three agents, curves, several seeds and an evil name."""
    rng = np.random.default_rng(0)
    for agent, level in (
        ("lstm", 0.9),
        (EVIL, 0.5),
        ("a_very_long_agent_name_without_a_break", 0.7),
    ):
        for seed in range(5):
            rise = [(k, level * k / 10_000) for k in range(0, 10_001, 500)]
            make_run(agent, seed, rng.random(100) < level, curve=rise, steps=10_000)
    make_run("random", 0, rng.random(100) < 0.1, steps=0, kind="baseline")
    sections = comparison_sections(compare(tmp_path / "runs"))
    odd = Table(
        (Column("Name"), Column("Value", "number")),
        (("b10", 2.0), ("b9", None), ("a", Interval(10.0, 9.0, 11.0)), ("c", -1.0)),
    )
    return write_report(
        tmp_path / "report.html",
        title=EVIL,
        sections=[*sections, Section("Odd", (odd,))],
        footer="s2lab",
    )


def open_at(browser: Any, path: Path, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(path.as_uri())


def test_the_report_works_in_a_browser(browser: Any, report: Path) -> None:
    for width in WIDTHS:
        open_at(browser, report, width)
        assert browser.get_log("browser") == []
        assert browser.title == EVIL
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        shown = browser.execute_script(
            "return [...document.querySelectorAll('svg')].filter(s => s.checkVisibility())"
            ".map(s => [s.querySelectorAll('.series').length, s.getBoundingClientRect().width])"
        )
        series = [count for count, _ in shown]
        assert series == [3, 4, 4]  # curves, dots, profile; once each, for this width
        assert all(drawn <= width for _, drawn in shown)


def test_columns_sort_by_value_both_ways_and_keep_what_is_missing_last(
    browser: Any, report: Path
) -> None:
    open_at(browser, report, 1400)
    press = "document.querySelectorAll('section:last-of-type th button')[arguments[0]].click();"
    names = "document.querySelectorAll('section:last-of-type tbody th')"
    read = f"return [...{names}].map(cell => cell.innerText)"
    sort = "return document.querySelector('section:last-of-type [aria-sort]').ariaSort"
    orders = []
    for column in (1, 1, 0, 0):
        browser.execute_script(press, column)
        orders.append((browser.execute_script(sort), browser.execute_script(read)))
    assert orders == [
        ("descending", ["a", "b10", "c", "b9"]),
        ("ascending", ["c", "b10", "a", "b9"]),
        ("ascending", ["a", "b9", "b10", "c"]),
        ("descending", ["c", "b10", "b9", "a"]),
    ]


def test_text_in_the_dark_and_in_the_light_can_be_read(browser: Any, report: Path) -> None:
    """WCAG 2.1 asks for a contrast of 4.5 to 1 (success criterion 1.4.3)."""
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        open_at(browser, report, 1400)
        paper = colour_of(browser, "body", "backgroundColor")
        for selector, part in (
            *(("p", "color"), ("nav a", "color"), ("figcaption", "color"), (".limits", "color")),
            *(("svg text", "fill"), ("th button", "color")),
        ):
            ratio = contrast(colour_of(browser, selector, part), paper)
            assert ratio >= 4.5, f"{selector} in the {scheme}: {ratio:.2f}"
        assert (paper.mean() < 0.2) == (scheme == "dark")


def test_paper_shows_what_the_screen_folds_away(browser: Any, report: Path) -> None:
    open_at(browser, report, 1400)
    count = "return document.querySelectorAll('details[open]').length"
    assert browser.execute_script(count) == 0
    pages = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    assert len(pages["data"]) > 10_000
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.execute_script(count) >= 4
    browser.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert browser.execute_script(count) == 0


def test_the_page_of_a_sweep_works_in_a_browser(browser: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    space = (
        Dimension("ppo.lr", low=1e-4, high=1e-2, log=True),
        Dimension("core.a_setting_with_a_very_long_name_indeed", choices=(EVIL, "b")),
    )
    tried = [
        Tried(k, f"run-{k}", "complete", {space[0].name: 10 ** rng.uniform(-4, -2),
              space[1].name: (EVIL, "b")[k % 2]}, rng.random())
        for k in range(20)
    ]  # fmt: skip
    weights = {dimension.name: 0.5 for dimension in space}
    sections = sweep_sections(tried, space, weights, "success_rate", "s2lab train " + "x" * 200)
    page = write_report(tmp_path / "sweep.html", title=EVIL, sections=sections)
    for width in WIDTHS:
        open_at(browser, page, width)
        assert browser.get_log("browser") == []
        assert browser.title == EVIL
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        shown = browser.execute_script(
            "return [...document.querySelectorAll('svg')].filter(s => s.checkVisibility())"
            ".map(s => [s.querySelectorAll('.series').length, s.getBoundingClientRect().width])"
        )
        assert [count for count, _ in shown] == [2, 20]  # importances, a line a trial
        assert all(drawn <= width for _, drawn in shown)


def colour_of(browser: Any, selector: str, part: str) -> np.ndarray:
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    text = browser.execute_script(script, selector, part)
    return np.array([int(v) for v in text[text.index("(") + 1 : -1].split(",")[:3]]) / 255


def contrast(first: np.ndarray, second: np.ndarray) -> float:
    def luminance(colour: np.ndarray) -> float:
        linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
