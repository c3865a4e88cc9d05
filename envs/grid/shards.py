"""Work shared between threads that wait without spinning. Knows no worlds."""

import threading
from collections.abc import Callable
from itertools import pairwise
from queue import SimpleQueue
from typing import Any


class Shards:
    """The calling thread and `threads - 1` helpers, each with its own range of `count` items.

    Work drops the GIL, so the ranges run at the same time. Helpers sleep on a queue in between.
    """

    def __init__(self, count: int, threads: int) -> None:
        threads = max(1, min(threads, count))
        edges = [count * i // threads for i in range(threads + 1)]
        self.ranges = list(pairwise(edges))
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._inboxes: list[SimpleQueue[Any]] = []
        for _ in self.ranges[1:]:
            inbox: SimpleQueue[Any] = SimpleQueue()
            thread = threading.Thread(target=_serve, args=(inbox, self._done), daemon=True)
            thread.start()
            self._inboxes.append(inbox)

    def run(self, work: Callable[[int, int], None]) -> None:
        """Call `work(start, stop)` once for every range; return when all are done.

        Raises:
            Exception: the first that any range raised.
        """
        for inbox, bounds in zip(self._inboxes, self.ranges[1:], strict=True):
            inbox.put((work, bounds))
        failures: list[BaseException] = []
        try:
            work(*self.ranges[0])
        except Exception as error:
            failures.append(error)
        answers = [self._done.get() for _ in self._inboxes]
        failures += [answer for answer in answers if answer is not None]
        if failures:
            raise failures[0]

    def close(self) -> None:
        """Let the helpers go; `run` then works in the calling thread alone."""
        for inbox in self._inboxes:
            inbox.put(None)
        self.ranges = [(self.ranges[0][0], self.ranges[-1][1])]
        self._inboxes = []


def _serve(inbox: "SimpleQueue[Any]", done: "SimpleQueue[BaseException | None]") -> None:
    while (task := inbox.get()) is not None:
        work, bounds = task
        try:
            work(*bounds)
        except Exception as error:
            done.put(error)
        else:
            done.put(None)
        del task, work
