"""Ranges of work between threads."""

import threading
from collections import Counter

import pytest

from s2lab.envs.grid.shards import SMALLEST_SHARD, Preference, Shards

COUNT = 16 * SMALLEST_SHARD


def test_every_item_is_worked_on_once_by_whoever_comes_first() -> None:
    shards = Shards(COUNT, 3)
    seen: Counter[int] = Counter()
    for helped in (False, True):
        shards.preference.helped = helped
        shards.run(lambda start, stop: seen.update(range(start, stop)))
    assert seen == Counter(dict.fromkeys(range(COUNT), 2))
    shards.close()


def test_helpers_work_while_the_caller_does() -> None:
    shards = Shards(COUNT, 2)
    shards.preference.helped = True
    both = threading.Barrier(2, timeout=30)
    first = threading.local()

    def work(start: int, stop: int) -> None:
        if not hasattr(first, "met"):
            first.met = True
            both.wait()  # breaks unless two threads are inside at once

    shards.run(work)
    assert not both.broken
    shards.close()


def test_a_helper_that_sleeps_on_does_not_hold_up_the_caller() -> None:
    shards = Shards(COUNT, 2)
    inside, leave = threading.Event(), threading.Event()

    def keep_busy() -> None:
        inside.set()
        leave.wait(30)

    class Stuck:
        help = staticmethod(keep_busy)

    shards._alarms[0].put(Stuck())  # type: ignore[arg-type]  # a job that keeps the helper
    assert inside.wait(30)
    shards.preference.helped = True
    workers = set()
    shards.run(lambda start, stop: workers.add(threading.get_ident()))
    assert workers == {threading.get_ident()}
    leave.set()
    shards.close()


@pytest.mark.parametrize("helped", [False, True])
def test_a_failure_in_any_thread_reaches_the_caller(helped: bool) -> None:
    shards = Shards(COUNT, 2)
    shards.preference.helped = helped

    def work(start: int, stop: int) -> None:
        if stop == COUNT:
            raise KeyError(start)

    with pytest.raises(KeyError):
        shards.run(work)
    shards.close()


@pytest.mark.parametrize(("alone_s", "helped_s"), [(0.01, 0.02), (0.02, 0.01)])
def test_the_faster_way_is_kept_most_of_the_time(alone_s: float, helped_s: float) -> None:
    preference = Preference()
    busy = {False: 0.0, True: 0.0}
    for _ in range(2000):
        elapsed_s = helped_s if preference.helped else alone_s
        busy[preference.helped] += elapsed_s
        preference.record(elapsed_s)
    faster = helped_s < alone_s
    assert busy[not faster] / sum(busy.values()) < 0.08
    assert busy[not faster] > 0


def test_a_preference_follows_a_machine_that_becomes_busy() -> None:
    preference = Preference()
    for helped_s in (0.005, 0.05):
        for _ in range(400):
            preference.record(helped_s if preference.helped else 0.01)
        runs = [preference.helped]
        for _ in range(150):
            preference.record(helped_s if preference.helped else 0.01)
            runs.append(preference.helped)
        assert (sum(runs) > len(runs) / 2) == (helped_s < 0.01)
