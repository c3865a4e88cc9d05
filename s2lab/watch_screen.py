"""A view of runs on a terminal that follows along, or as plain lines elsewhere. Reads no files."""

import contextlib
import math
import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from s2lab.watch import View, Watched, sparkline

STYLES = {"running": "green", "silent": "yellow", "failed": "red", "interrupted": "yellow"}
AROUND = 6  # lines of a screen besides the runs


def follow(
    look: Callable[[int], View],
    *,
    rows: int | None,
    every_s: float,
    once: bool,
    console: Console | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show views until Ctrl-C, which is no fault; without a terminal, until nothing runs any more.

    The last view of a terminal stays on it.
    """
    console = console or Console(file=sys.stdout)
    if not console.is_terminal:
        _lines(look, rows or 20, every_s, once, console, sleep)
        return
    view = look(rows or _fitting(console))
    if not once:
        live = Live(console=console, auto_refresh=False, screen=True)
        with contextlib.suppress(KeyboardInterrupt), live:
            while True:
                live.update(grid(view), refresh=True)
                sleep(every_s)
                view = look(rows or _fitting(console))
    console.print(grid(view))


def _lines(
    look: Callable[[int], View],
    rows: int,
    every_s: float,
    once: bool,
    console: Console,
    sleep: Callable[[float], None],
) -> None:
    while True:
        view = look(rows)
        for line in plain(view):
            print(line, file=console.file, flush=True)
        if once or not view.counts.get("running"):
            return
        sleep(every_s)


def _fitting(console: Console) -> int:
    """Runs that the screen has room for, as large as it is now."""
    return max(1, console.height - AROUND)


def plain(view: View) -> list[str]:
    """A headline, then a line a run."""
    return [view.headline, *(f"  {' '.join(words(run))}" for run in view.shown)]


def grid(view: View) -> Table:
    """The same as a table; names are text and never markup."""
    table = Table(title=Text(view.headline), title_justify="left", box=None, pad_edge=False)
    for title in ("run", "status"):
        table.add_column(title, overflow="ellipsis", no_wrap=True)
    for title in ("progress", "ETA", "steps/s", "MiB"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("success", no_wrap=True)
    for run in view.shown:
        name, status, *figures, success = words(run)
        style = STYLES.get(run.status, "")
        table.add_row(Text(name), Text(status, style), *map(Text, figures), Text(success))
    return table


def words(run: Watched) -> list[str]:
    """Run, status, progress, ETA, steps/s, memory, success; a dash for what is not known."""
    progress = f"{run.step:,}"
    if run.total:
        progress += f"/{run.total:,} {min(run.step / run.total, 1):4.0%}"
    success = f"{sparkline(run.success)} {run.success[-1]:.0%}" if run.success else "-"
    return [
        f"{run.env_id} {run.agent} s{run.seed}",
        run.status,
        progress,
        _span(run.eta_s),
        f"{run.steps_per_s:,.0f}/s" if math.isfinite(run.steps_per_s) else "-",
        f"{run.memory_mib:,.0f} MiB" if math.isfinite(run.memory_mib) else "-",
        success,
    ]


def _span(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
