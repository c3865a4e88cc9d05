"""Work shared between threads that wait without spinning. Knows no worlds."""

import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from queue import SimpleQueue
from time import perf_counter

Range = tuple[int, int]
Work = Callable[[int, int], None]

# Fewer items than this take no longer than waking a thread does.
SMALLEST_SHARD = 256
SHARDS_PER_THREAD = 4

# How long each way of working is tried, and how long the better one is kept, in seconds of work.
TRIAL_S = 0.05
SETTLED_S = 1.0


class Preference:
    """Whether to work with helpers, measured again and again.

    On a machine that has no core to spare, waking helpers and waiting for them costs more than they
    do. Both ways are tried in turn, and the faster one is kept for a while.
    """

    def __init__(self) -> None:
        self.helped = False
        self._settled = False
        self._runs, self._busy_s = 0, 0.0
        self._runs_per_s = {False: 0.0, True: 0.0}  # without and with helpers

    def record(self, elapsed_s: float) -> None:
        """Take note of how long a run took; `helped` may have changed for the next one."""
        self._runs += 1
        self._busy_s += elapsed_s
        if self._busy_s < (SETTLED_S if self._settled else TRIAL_S):
            return
        self._runs_per_s[self.helped] = self._runs / self._busy_s
        self._runs, self._busy_s = 0, 0.0
        if self._settled:
            self._settled, self.helped = False, False
        elif not self.helped:
            self.helped = True
        else:
            self._settled = True
            self.helped = self._runs_per_s[True] > self._runs_per_s[False]


class _Job:
    """One call of `Shards.run`: the ranges that nobody has taken yet, and what became of others."""

    def __init__(self, work: Work, ranges: list[Range]) -> None:
        self._work = work
        self._left: Iterator[Range] = iter(ranges)
        self.outcomes: SimpleQueue[Exception | None] = SimpleQueue()  # one per range

    def help(self) -> None:
        """Take ranges until none is left."""
        for start, stop in self._left:  # a list's iterator hands out each range once
            try:
                self._work(start, stop)
            except Exception as error:
                self.outcomes.put(error)
            else:
                self.outcomes.put(None)


class Shards:
    """The calling thread and `threads - 1` helpers, which share ranges of `count` items.

    Work drops the GIL, so that ranges run at the same time. Helpers sleep in between. Nobody owns a
    range: where the machine is busy with other things and a helper comes late, the caller has done
    its part, and waits only for ranges that have been begun. Where helpers do not pay, they are let
    sleep (`Preference`).
    """

    def __init__(self, count: int, threads: int) -> None:
        parts = min(threads * SHARDS_PER_THREAD, count // SMALLEST_SHARD) if threads > 1 else 1
        parts = max(1, parts)
        edges = [count * i // parts for i in range(parts + 1)]
        self.ranges = list(pairwise(edges))
        self.preference = Preference()
        self._alarms: list[SimpleQueue[_Job | None]] = []
        for _ in range(min(threads, parts) - 1):
            alarm: SimpleQueue[_Job | None] = SimpleQueue()
            threading.Thread(target=_serve, args=(alarm,), daemon=True).start()
            self._alarms.append(alarm)

    def run(self, work: Work) -> None:
        """Call `work(start, stop)` once for every range; return when all are done.

        Raises:
            Exception: the first that any range raised.
        """
        if not self._alarms:
            work(self.ranges[0][0], self.ranges[-1][1])
            return
        began = perf_counter()
        if self.preference.helped:
            self._run_with_helpers(work)
        else:
            work(self.ranges[0][0], self.ranges[-1][1])
        self.preference.record(perf_counter() - began)

    def _run_with_helpers(self, work: Work) -> None:
        job = _Job(work, self.ranges)
        for alarm in self._alarms:
            alarm.put(job)
        job.help()
        outcomes = [job.outcomes.get() for _ in self.ranges]
        failures = [outcome for outcome in outcomes if outcome is not None]
        if failures:
            raise failures[0]

    def close(self) -> None:
        """Let the helpers go; `run` then works in the calling thread alone."""
        for alarm in self._alarms:
            alarm.put(None)
        self._alarms = []


def _serve(alarm: "SimpleQueue[_Job | None]") -> None:
    while (job := alarm.get()) is not None:
        job.help()
        del job
