"""How far a run is, on stderr: a live bar on a terminal, a line now and then elsewhere.

Knows no run and no metric but the success rate.
"""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

FIRST_LINE_S = 2.0
LINE_EVERY_S = 10.0


class Progress:
    """Steps, steps/s, ETA and success rate of one thing that takes a while."""

    def __init__(
        self,
        total_steps: int | None,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`total_steps` None: no end is known, so no ETA. `quiet`: only `say` prints."""
        self._total = total_steps
        self._quiet = quiet
        self._clock = clock
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._first: tuple[float, int] | None = None
        self._last: tuple[int, float | None] = (0, None)
        self._next_line = 0.0

    def update(self, step: int, success_rate: float | None = None) -> None:
        """`step` of the total is done; `success_rate` (0..1) stays shown until the next one."""
        if self._quiet:
            return
        now = self._clock()
        if self._first is None:
            self._first = now, step
            self._next_line = now + FIRST_LINE_S
            if sys.stderr.isatty():
                self._open_bar(step)
        self._last = step, self._last[1] if success_rate is None else success_rate
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=step, success=self._success())
        elif now >= self._next_line:
            self._next_line = now + LINE_EVERY_S
            self._line(now)

    def say(self, text: str) -> None:
        """One line for the user that does not tear the bar."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the last state standing."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        elif self._first is not None and self._clock() - self._first[0] >= FIRST_LINE_S:
            self._line(self._clock())
        self._first = None
        self._quiet = True

    def _open_bar(self, step: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            ProgressColumn,
            Task,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress
        from rich.text import Text

        class Rate(ProgressColumn):
            def render(self, task: Task) -> Text:
                return Text(f"{task.speed or 0:,.0f} steps/s")

        self._bar = RichProgress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            Rate(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[success]}"),
            console=Console(stderr=True),
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("", total=self._total, completed=step, success="")
        self._bar.start()

    def _line(self, now: float) -> None:
        if self._first is None:
            return
        step = self._last[0]
        rate = (step - self._first[1]) / max(now - self._first[0], 1e-9)
        parts = [f"{step:,} steps" if self._total is None else f"{step:,} of {self._total:,} steps"]
        parts.append(f"{rate:,.0f} steps/s")
        if self._total is not None and rate > 0:
            parts.append(f"ETA {_span(max(self._total - step, 0) / rate)}")
        if self._success():
            parts.append(self._success())
        print(", ".join(parts), file=sys.stderr, flush=True)

    def _success(self) -> str:
        return "" if self._last[1] is None else f"success {self._last[1]:.0%}"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
