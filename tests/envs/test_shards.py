"""Jobs shared between threads of compiled code."""

import threading
import time
from typing import Any

import numpy as np
import pytest
from numba import njit, types

from s2lab.envs.grid import intrinsics
from s2lab.envs.grid.compiled import load
from s2lab.envs.grid.entries import ENTRY
from s2lab.envs.grid.preference import Preference
from s2lab.envs.grid.shards import CHUNK, Shards

COUNT = 12 * CHUNK + 5
ROUNDS = 300

this_thread = types.ExternalFunction("pthread_self", types.int64())
sleep_us = types.ExternalFunction("usleep", types.int32(types.int32))


@njit(nogil=True)  # type: ignore[untyped-decorator]  # numba is not typed
def count_items(state: int, mode: int, start: int, stop: int) -> int:
    for i in range(start, stop):
        intrinsics.fetch_add(state + 8 * i, mode)
    return stop - start - CHUNK  # true for the last, shorter range


@njit(nogil=True)  # type: ignore[untyped-decorator]  # numba is not typed
def sign_slowly(state: int, mode: int, start: int, stop: int) -> int:
    sleep_us(mode)
    for i in range(start, stop):
        intrinsics.write(state + 8 * i, this_thread())
    return 0


@njit(nogil=True)  # type: ignore[untyped-decorator]  # numba is not typed
def sign_or_stop(state: int, mode: int, start: int, stop: int) -> int:
    signed = state + 8 * COUNT
    waited_ms = 0
    while this_thread() != mode and intrinsics.read(signed) < COUNT - CHUNK and waited_ms < 30_000:
        sleep_us(1000)
        waited_ms += 1
    for i in range(start, stop):
        intrinsics.write(state + 8 * i, this_thread())
    intrinsics.fetch_add(signed, stop - start)
    return 0


@njit(nogil=True)  # type: ignore[untyped-decorator]  # numba is not typed
def do_nothing(state: int, mode: int, start: int, stop: int) -> int:
    return 0


def address(function: Any) -> int:
    function.compile(ENTRY)
    return load(function, "a kernel of the tests", ENTRY)


def shards(words: Any, threads: int, *, helped: bool) -> Shards:
    made = Shards(COUNT, threads, words.ctypes.data)
    made.preference.helped = helped
    made.preference.record = lambda elapsed_s: None  # type: ignore[method-assign]  # stays as it is
    return made


@pytest.mark.parametrize(("threads", "helped"), [(1, False), (2, False), (2, True), (5, True)])
def test_every_item_is_worked_on_once_in_every_job(threads: int, helped: bool) -> None:
    words = np.zeros(COUNT, np.int64)
    ours = shards(words, threads, helped=helped)
    first, nothing = address(count_items), address(do_nothing)
    for n in range(1, ROUNDS + 1):
        ours.run((first, nothing, nothing), mode=n)
        assert (words == n * (n + 1) // 2).all(), n
    ours.close()


@pytest.mark.parametrize("helped", [False, True])
def test_later_kernels_work_where_the_first_one_asks_for_it_or_there_is_none(helped: bool) -> None:
    words = np.zeros(COUNT, np.int64)
    ours = shards(words, 2, helped=helped)
    count, nothing = address(count_items), address(do_nothing)
    ours.run((nothing, count, count), mode=1)
    assert not words.any()
    ours.run((0, count, nothing), mode=1)
    assert (words == 1).all()
    ours.run((count, count, nothing), mode=1)
    last = COUNT // CHUNK * CHUNK if helped else 0
    assert (words[:last] == 2).all()
    assert (words[last:] == 3).all()
    ours.close()


def test_helpers_work_while_the_caller_does_and_never_on_its_part() -> None:
    words = np.zeros(COUNT, np.int64)
    ours = shards(words, 2, helped=True)
    start = time.monotonic()
    while len(np.unique(words)) < 2:  # a busy machine may keep the helper from its core for a while
        ours.run((address(sign_slowly), 0, 0), mode=5000)
        assert time.monotonic() < start + 60
    assert (words[: COUNT // CHUNK // 2 * CHUNK] == threading.get_ident()).all()
    ours.close()


def test_the_caller_takes_over_what_a_helper_that_stops_has_not_begun() -> None:
    words = np.zeros(COUNT + 1, np.int64)  # the last: how many are signed
    ours = shards(words, 2, helped=True)
    start = time.monotonic()
    while len(np.unique(words[:-1])) < 2:
        words[:] = 0
        ours.run((address(sign_or_stop), 0, 0), mode=threading.get_ident())
        assert time.monotonic() < start + 60
    assert (words[:-1] != threading.get_ident()).sum() <= CHUNK
    ours.close()


def test_a_helper_that_never_comes_does_not_hold_up_the_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda self: None)
    words = np.zeros(COUNT, np.int64)
    ours = shards(words, 2, helped=True)
    ours.run((address(sign_slowly), 0, 0), mode=0)
    assert (words == threading.get_ident()).all()


@pytest.mark.parametrize("way", ["closed", "forgotten"])
def test_helpers_end_when_they_are_no_longer_needed(way: str) -> None:
    before = set(threading.enumerate())
    ours = shards(np.zeros(COUNT, np.int64), 3, helped=True)
    helpers = set(threading.enumerate()) - before
    assert len(helpers) == 2
    if way == "closed":
        ours.close()
    del ours
    for helper in helpers:
        helper.join(60)
        assert not helper.is_alive()


def test_waiting_helpers_take_no_processor_time() -> None:
    ours = shards(np.zeros(COUNT, np.int64), 4, helped=True)
    nothing = address(do_nothing)
    ours.run((nothing, nothing, nothing), mode=0)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.1  # three that spin take 0.5 s of one core at least
    ours.close()


@pytest.mark.parametrize(("alone_s", "helped_s"), [(0.001, 0.002), (0.002, 0.001)])
def test_the_faster_way_is_kept_nearly_always(alone_s: float, helped_s: float) -> None:
    preference = Preference()
    busy = {False: 0.0, True: 0.0}
    for _ in range(100_000):
        elapsed_s = helped_s if preference.helped else alone_s
        busy[preference.helped] += elapsed_s
        preference.record(elapsed_s)
    faster = helped_s < alone_s
    assert busy[not faster] / sum(busy.values()) < 0.01
    assert busy[not faster] > 0


def test_a_preference_follows_a_machine_that_becomes_busy() -> None:
    preference = Preference()
    for helped_s in (0.005, 0.05, 0.005):
        for _ in range(2000):
            preference.record(helped_s if preference.helped else 0.01)
        runs = [preference.helped]
        for _ in range(400):
            preference.record(helped_s if preference.helped else 0.01)
            runs.append(preference.helped)
        assert (sum(runs) > len(runs) / 2) == (helped_s < 0.01)
