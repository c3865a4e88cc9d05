"""A job on N items, shared between threads of compiled code that sleep in between.

Items are cut into a part for each thread, the same in every job: what a thread writes stays in its
core's caches, from where another fetches it in longer than the work on it takes. Of a helper's part
the caller takes over what nobody has begun, at once where the helper has not come, after a while
where it has stopped: it waits only for chunks that have been begun. Helpers need no lock of
Python's. Knows no worlds.

Waking a thread takes longer than some jobs do. So who waits looks for `LOOK_S` first: a helper
where the last job followed as closely on the one before, and the caller for what its helpers have
begun. Then it sleeps: nobody spins while there is nothing to do.

What threads share is one block of words at an address `at`; the names below are offsets in bytes.
"""

import sys
import threading
import weakref
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from s2lab.envs.grid import intrinsics as own
from s2lab.envs.grid.compiled import inlined, kernel
from s2lab.envs.grid.preference import Preference
from s2lab.envs.grid.worlds import Array

CHUNK = 32  # items that are taken at once
LOOK_S = 2e-5  # about what it takes to fall asleep and be woken

FIRST, SECOND, THIRD, STATE, MODE, COUNT, PARTS, CLOSELY = range(0, 64, 8)  # the job: `_perform`
LOOKS, CLOSED = 128, 136  # how often to look, and whether helpers are to go
SLEEPS = 192  # whether the caller sleeps
STARTED, FINISHED = 256, 512  # bells
PART, PART_SIZE = 768, 128  # the parts, the caller's first

# A bell is a count of its rings, a mutex and a condition, each with room for any system's.
MUTEX, CONDITION = 64, 128

# A part: its first chunk and the one after its last, the next that is to be taken, and how many are
# not done.
START, STOP, NEXT, PENDING = 0, 8, 16, 64


@inlined
def _ring(bell: int) -> None:
    """Wake whoever sleeps by a bell."""
    own.lock(bell + MUTEX)
    own.write(bell, own.read(bell) + 1)
    own.unlock(bell + MUTEX)
    own.wake_all(bell + CONDITION)


@inlined
def _sleep(bell: int, heard: int) -> None:
    """Sleep until a bell has rung since `heard`."""
    own.lock(bell + MUTEX)
    while own.read(bell) == heard:
        own.wait(bell + CONDITION, bell + MUTEX)
    own.unlock(bell + MUTEX)


@inlined
def _perform(at: int, start: int, stop: int) -> None:
    """The job on a range: the first kernel says whether the others have anything to do there."""
    first, state, mode = own.read(at + FIRST), own.read(at + STATE), own.read(at + MODE)
    if first == 0 or own.call(first, state, mode, start, stop):
        own.call(own.read(at + SECOND), state, mode, start, stop)
        own.call(own.read(at + THIRD), state, mode, start, stop)


@inlined
def _part(at: int, number: int) -> Any:
    """Where a part is."""
    return at + PART + PART_SIZE * number


@inlined
def _work_on(at: int, part: int) -> None:
    """Take what is left of a part, chunk by chunk; others look at what is done, so say it once."""
    done = 0
    chunk = own.fetch_add(part + NEXT, 1)
    while chunk < own.read(part + STOP):
        _perform(at, chunk * CHUNK, min((chunk + 1) * CHUNK, own.read(at + COUNT)))
        done += 1
        chunk = own.fetch_add(part + NEXT, 1)
    if done:
        own.fetch_add(part + PENDING, -done)


@inlined
def _begin(at: int) -> None:
    """Lay the parts out for a job and wake the helpers."""
    for number in range(own.read(at + PARTS)):
        part = _part(at, number)
        start = own.read(part + START)
        own.write(part + PENDING, own.read(part + STOP) - start)
        own.write(part + NEXT, start)
    _ring(at + STARTED)


@inlined
def _take_over(at: int, begun: bool) -> None:
    """Take what is left of the helpers' parts; of those that have been begun only if it is said."""
    for number in range(1, own.read(at + PARTS)):
        part = _part(at, number)
        if begun or own.read(part + NEXT) == own.read(part + START):
            _work_on(at, part)


@inlined
def _is_done(at: int) -> Any:
    number = own.read(at + PARTS) - 1
    while number >= 0 and own.read(_part(at, number) + PENDING) == 0:
        number -= 1
    return number < 0


@inlined
def _look(at: int) -> Any:
    """Look whether all is done, a few times."""
    looks = own.read(at + LOOKS)
    while looks > 0 and not _is_done(at):
        own.pause()
        looks -= 1
    return looks > 0


@inlined
def _sleep_until_done(at: int) -> None:
    own.fetch_add(at + SLEEPS, 1)
    heard = own.read(at + FINISHED)
    while not _is_done(at):
        _sleep(at + FINISHED, heard)
        heard = own.read(at + FINISHED)
    own.fetch_add(at + SLEEPS, -1)


@kernel("prepare_bells")
def _prepare_bells(at: int) -> None:
    for bell in (at + STARTED, at + FINISHED):
        own.mutex_init(bell + MUTEX, 0)
        own.condition_init(bell + CONDITION, 0)


@kernel("pause")
def _pause(at: int, count: int) -> None:
    for _ in range(count):
        own.read(at + LOOKS)
        own.pause()


@kernel("help")
def _help(block: Array, at: int, number: int) -> None:
    """A helper's life; `block` is what lies at the address, and stays while it is needed."""
    heard = 0
    while own.read(at + CLOSED) == 0:
        looks = own.read(at + LOOKS) if own.read(at + CLOSELY) else 0
        while looks > 0 and own.read(at + STARTED) == heard:
            own.pause()
            looks -= 1
        if own.read(at + STARTED) == heard:
            _sleep(at + STARTED, heard)
        heard = own.read(at + STARTED)
        _work_on(at, _part(at, number))
        if own.read(at + SLEEPS):
            _ring(at + FINISHED)


@inlined
def _set_job(at: int, first: int, second: int, third: int, mode: int) -> None:
    own.write(at + FIRST, first)
    own.write(at + SECOND, second)
    own.write(at + THIRD, third)
    own.write(at + MODE, mode)


@kernel("work_alone")
def _work_alone(at: int, first: int, second: int, third: int, mode: int) -> None:
    _set_job(at, first, second, third, mode)
    _perform(at, 0, own.read(at + COUNT))


@kernel("call")
def _call(first: int, state: int, mode: int, stop: int) -> None:
    own.call(first, state, mode, 0, stop)


@kernel("work_helped")
def _work_helped(at: int, first: int, second: int, third: int, mode: int, closely: bool) -> None:
    _set_job(at, first, second, third, mode)
    own.write(at + CLOSELY, int(closely))
    _begin(at)
    _work_on(at, _part(at, 0))
    _take_over(at, False)
    if not _look(at):
        _take_over(at, True)
        if not _look(at):
            _sleep_until_done(at)


@kernel("let_go")
def _close(block: Array, at: int) -> None:
    own.write(at + CLOSED, 1)
    _ring(at + STARTED)


def looks_in(seconds: float) -> int:
    """How often a thread can look before that time is over."""
    block = np.zeros(LOOKS // 8 + 1, np.int64)
    count, took_s = 1000, []
    for _ in range(5):
        began = perf_counter()
        _pause(block.ctypes.data, count)
        took_s.append(perf_counter() - began)
    return int(count * seconds / min(took_s))


class Shards:
    """The calling thread and `threads - 1` helpers, which share jobs on `count` items.

    Where helpers do not pay, they are let sleep (`Preference`).
    """

    def __init__(self, count: int, threads: int, state: int) -> None:
        """Let helpers begin their lives, asleep.

        Args:
            count: items.
            threads: threads that work; never more than there are chunks.
            state: what kernels are handed first, an address.

        Raises:
            ValueError: several threads on a system without POSIX threads.
        """
        if threads > 1 and sys.platform == "win32":
            raise ValueError(f"threads is {threads}; on Windows only 1 is possible")
        chunks = -(-count // CHUNK)
        parts = min(threads, chunks)
        self._block = np.zeros((PART + PART_SIZE * (parts + 1)) // 8, np.int64)
        self._at = -(-self._block.ctypes.data // PART_SIZE) * PART_SIZE
        self._state = state
        self._set(STATE, state)
        self._set(COUNT, count)
        self._set(PARTS, parts)
        self._set(LOOKS, looks_in(LOOK_S) if parts > 1 else 0)
        for number in range(parts):
            start, stop = (chunks * n // parts for n in (number, number + 1))
            for word, value in ((START, start), (STOP, stop), (NEXT, stop)):  # nothing to take
                self._set(PART + PART_SIZE * number + word, value)
        self.preference = Preference()
        self.helpers = parts - 1
        self._ended = 0.0
        self._let_go: Callable[[], object] = int  # nobody is there
        if self.helpers:
            self._begin()

    def _set(self, offset: int, word: int) -> None:
        self._block[(self._at - self._block.ctypes.data + offset) // 8] = word

    def _begin(self) -> None:
        _prepare_bells(self._at)
        for number in range(1, self.helpers + 1):
            arguments = (self._block, self._at, number)
            threading.Thread(target=_help, args=arguments, daemon=True).start()
        block, at = self._block, self._at
        self._let_go = weakref.finalize(self, _close, block, at)

    def run(self, kernels: tuple[int, int, int], mode: int) -> None:
        """Call the first kernel on ranges that make all items, and the others where it says so.

        Args:
            kernels: addresses; without a first (0), the others are always called.
            mode: what kernels are handed as their second argument.
        """
        if not self.helpers:
            _work_alone(self._at, *kernels, mode)
            return
        began = perf_counter()
        if self.preference.helped:
            _work_helped(self._at, *kernels, mode, began - self._ended < LOOK_S)
        else:
            _work_alone(self._at, *kernels, mode)
        self._ended = perf_counter()
        self.preference.record(self._ended - began)

    def call(self, kernel: int, mode: int, stop: int) -> None:
        """Call one kernel on the first items alone, up to `stop`, in the calling thread."""
        _call(kernel, self._state, mode, stop)

    def close(self) -> None:
        """Let the helpers go; `run` then works in the calling thread alone."""
        self.helpers = 0
        self._let_go()
