"""Steps of a long search: a bar on stderr when asked for, an end in time. Knows no search."""

from __future__ import annotations

import time
from collections.abc import Iterator

from s2lab.causal.errors import InputError


def check_seconds(max_seconds: float | None) -> None:
    """Refuse a time limit that is not a positive number."""
    if max_seconds is not None and not max_seconds > 0:
        raise InputError(f"max_seconds is {max_seconds}; it must be above 0, or None for no limit")


def paced(
    steps: int, title: str, show_progress: bool = False, max_seconds: float | None = None
) -> Iterator[int]:
    """Count 0 .. steps - 1 and stop early once `max_seconds` have passed; the first step runs."""
    started = time.perf_counter()

    def timed() -> Iterator[int]:
        for step in range(steps):
            if step and max_seconds is not None and time.perf_counter() - started > max_seconds:
                return
            yield step

    if not show_progress:
        yield from timed()
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=steps)
        for step in timed():
            yield step
            bar.update(task, completed=step + 1)
