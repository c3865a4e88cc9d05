"""How far a run is, on the terminal: a live bar, or a line now and then. Knows no run."""

import sys
import time


class Progress:
    """Steps, steps/s, ETA and success rate on stderr."""

    def __init__(self, total_steps: int | None, *, quiet: bool = False) -> None:
        self.total_steps = total_steps
        self.quiet = quiet
        self._start: tuple[float, int] | None = None
        self._said = 0.0

    def update(self, step: int, success_rate: float | None = None) -> None:
        now = time.monotonic()
        if self._start is None:
            self._start = now, step
        if self.quiet or now - self._said < 10:
            return
        self._said = now
        rate = (step - self._start[1]) / max(now - self._start[0], 1e-9)
        success = "" if success_rate is None else f"  success {success_rate:.0%}"
        print(f"step {step:,} of {self.total_steps}  {rate:,.0f}/s{success}", file=sys.stderr)

    def close(self) -> None:
        pass
