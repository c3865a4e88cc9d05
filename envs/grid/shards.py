"""A job on N items, shared between threads of compiled code that sleep in between.

Nobody owns an item. Chunks are taken as they come, the caller's from the front and its helpers'
from the back: where a helper comes late, the caller has done its part, and it waits only for chunks
that have been begun. Helpers need no lock of Python's. Knows no worlds.

Waking a thread takes longer than some jobs do. So who waits looks a few times first, and offers its
core to others after each look: a helper where jobs follow each other closely, and the caller for
the chunks that have been begun. Then it sleeps: nobody spins while there is nothing to do.

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

CHUNK = 32  # items; few, so that threads end together, who wait for each other's last chunk
LEFT = 2  # chunks that helpers leave to the caller
LOOKS = 64  # before sleeping, each of less than a microsecond
CLOSE_S = 2e-5  # between jobs that follow each other closely, which is less than the looks take

CURSOR = 0  # chunks taken: from the front in the upper half of the word, from the back in the lower
PENDING = 64  # chunks that are not done, and one more until the caller has no chunk left to take
FIRST, SECOND, THIRD, STATE, MODE = 128, 136, 144, 152, 160  # the job: see `_perform`
COUNT, CHUNKS, CLOSED, CLOSELY = 192, 200, 208, 216
STARTED, FINISHED = 256, 448  # bells
SIZE = 640

# A bell is a count of its rings, a mutex and a condition, each with room for any system's.
MUTEX, CONDITION = 64, 128


@inlined
def _ring(bell: int) -> None:
    """Wake whoever sleeps by a bell."""
    own.lock(bell + MUTEX)
    own.write(bell, own.read(bell) + 1)
    own.unlock(bell + MUTEX)
    own.wake_all(bell + CONDITION)


@inlined
def _look(bell: int, heard: int) -> None:
    """Look whether a bell has rung since `heard`, a few times."""
    looks = 0
    while looks < LOOKS and own.read(bell) == heard:
        own.offer_core()
        looks += 1


@inlined
def _sleep(bell: int, heard: int) -> int:
    """Sleep until a bell has rung since `heard`; its rings so far."""
    own.lock(bell + MUTEX)
    while own.read(bell) == heard:
        own.wait(bell + CONDITION, bell + MUTEX)
    heard = own.read(bell)
    own.unlock(bell + MUTEX)
    return heard


@inlined
def _perform(at: int, start: int, stop: int) -> None:
    """The job on a range: the first kernel says whether the others have anything to do there."""
    first, state, mode = own.read(at + FIRST), own.read(at + STATE), own.read(at + MODE)
    if first == 0 or own.call(first, state, mode, start, stop):
        own.call(own.read(at + SECOND), state, mode, start, stop)
        own.call(own.read(at + THIRD), state, mode, start, stop)


@inlined
def _perform_chunk(at: int, chunk: int) -> Any:
    """The job on a chunk; what was pending before it was done."""
    stop = min((chunk + 1) * CHUNK, own.read(at + COUNT))
    _perform(at, chunk * CHUNK, stop)
    return own.fetch_add(at + PENDING, -1)


@inlined
def _helper_chunk(at: int) -> int:
    """The last chunk that nobody has taken, -1 for none; the first ones are left to the caller.

    So the caller, who must not go before all is done, is the last to finish, and need not sleep.
    """
    chunks, cursor = own.read(at + CHUNKS), own.read(at + CURSOR)
    if (cursor >> 32) + (cursor & 0xFFFFFFFF) >= chunks - LEFT:
        return -1
    cursor = own.fetch_add(at + CURSOR, 1)
    back = cursor & 0xFFFFFFFF
    return chunks - 1 - back if (cursor >> 32) + back < chunks else -1


@inlined
def _caller_chunk(at: int) -> int:
    """The first chunk that nobody has taken, -1 for none."""
    cursor = own.fetch_add(at + CURSOR, 1 << 32)
    front = cursor >> 32
    return front if front + (cursor & 0xFFFFFFFF) < own.read(at + CHUNKS) else -1


@kernel("prepare_bells")
def _prepare_bells(at: int) -> None:
    for bell in (at + STARTED, at + FINISHED):
        own.mutex_init(bell + MUTEX, 0)
        own.condition_init(bell + CONDITION, 0)


@kernel("help")
def _help(block: Array, at: int) -> None:
    """A helper's life; `block` is what lies at the address, and stays while it is needed."""
    heard = 0
    while own.read(at + CLOSED) == 0:
        if own.read(at + CLOSELY):
            _look(at + STARTED, heard)
        heard = _sleep(at + STARTED, heard)
        chunk = _helper_chunk(at)
        while chunk >= 0:
            if _perform_chunk(at, chunk) == 1:
                _ring(at + FINISHED)
            chunk = _helper_chunk(at)


@kernel("work_alone")
def _work_alone(at: int) -> None:
    _perform(at, 0, own.read(at + COUNT))


@kernel("call")
def _call(first: int, state: int, mode: int, stop: int) -> None:
    own.call(first, state, mode, 0, stop)


@kernel("work_helped")
def _work_helped(at: int) -> None:
    heard = own.read(at + FINISHED)
    chunks = own.read(at + CHUNKS)
    own.write(at + PENDING, chunks + 1)
    own.write(at + CURSOR, 0)
    _ring(at + STARTED)
    chunk = _caller_chunk(at)
    while chunk >= 0:
        _perform_chunk(at, chunk)
        chunk = _caller_chunk(at)
    if own.fetch_add(at + PENDING, -1) > 1:
        _look(at + FINISHED, heard)
        _sleep(at + FINISHED, heard)


@kernel("let_go")
def _close(block: Array, at: int) -> None:
    own.write(at + CLOSED, 1)
    _ring(at + STARTED)


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
        self._block = np.zeros(SIZE // 8 + 8, np.int64)
        self._at = -(-self._block.ctypes.data // 64) * 64  # where a cache line begins
        self._words = self._block[(self._at - self._block.ctypes.data) // 8 :]
        self._set(STATE, state)
        self._set(COUNT, count)
        self._set(CHUNKS, chunks)
        self._set(CURSOR, chunks)  # nothing to take
        self.preference = Preference()
        self.helpers = min(threads, chunks) - 1
        self._ended = 0.0
        self._let_go: Callable[[], object] = int  # nobody is there
        if self.helpers:
            self._begin()

    def _set(self, offset: int, word: int) -> None:
        self._words[offset // 8] = word

    def _begin(self) -> None:
        _prepare_bells(self._at)
        for _ in range(self.helpers):
            arguments = (self._block, self._at)
            threading.Thread(target=_help, args=arguments, daemon=True).start()
        block, at = self._block, self._at
        self._let_go = weakref.finalize(self, _close, block, at)

    def run(self, kernels: tuple[int, int, int], mode: int) -> None:
        """Call the first kernel on ranges that make all items, and the others where it says so.

        Args:
            kernels: addresses; without a first (0), the others are always called.
            mode: what kernels are handed as their second argument.
        """
        for offset, word in zip((FIRST, SECOND, THIRD, MODE), (*kernels, mode), strict=True):
            self._set(offset, word)
        if not self.helpers:
            _work_alone(self._at)
            return
        began = perf_counter()
        self._set(CLOSELY, began - self._ended < CLOSE_S)
        (_work_helped if self.preference.helped else _work_alone)(self._at)
        self._ended = perf_counter()
        self.preference.record(self._ended - began)

    def call(self, kernel: int, mode: int, stop: int) -> None:
        """Call one kernel on the first items alone, up to `stop`, in the calling thread."""
        _call(kernel, int(self._words[STATE // 8]), mode, stop)

    def close(self) -> None:
        """Let the helpers go; `run` then works in the calling thread alone."""
        self.helpers = 0
        self._let_go()
