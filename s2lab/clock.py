"""When something is due: counters of environment steps, and the wish to stop. Knows no run."""

import signal
from types import FrameType, TracebackType


class Every:
    """True once each time the step count passes a multiple of `period`."""

    def __init__(self, period: int, step: int = 0) -> None:
        self.period = period
        self._passed = step // period

    def __call__(self, step: int) -> bool:
        """Whether a multiple was passed since the last call."""
        passed, self._passed = step // self.period > self._passed, step // self.period
        return passed


class StopRequest:
    """Turns the first Ctrl-C (or SIGTERM) into a request; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "StopRequest":
        try:
            for name in (signal.SIGINT, signal.SIGTERM):
                self._before[name] = signal.signal(name, self._on_signal)
        except ValueError:  # not the main thread: nobody can press Ctrl-C on it
            self._before.clear()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name, handler in self._before.items():
            signal.signal(name, handler)  # type: ignore[arg-type]  # what signal.signal returned

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
