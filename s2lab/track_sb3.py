"""Stable-Baselines3's logger as a source for the tracker, through SB3's own KVWriter interface."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from s2lab.machine import memory_mib
from s2lab.track import Tracker

if TYPE_CHECKING:
    from stable_baselines3.common.logger import Logger


def sb3_logger(
    tracker: Tracker,
    own: Callable[[], Mapping[str, float | None]] = dict,
) -> "Logger":
    """A logger for `model.set_logger`: whatever SB3 dumps becomes a line of the run.

    Args:
        tracker: Who writes the line.
        own: The run's own figures, over SB3's; None leaves one out. SB3's clock counts whole
            seconds, and it forgets the last hundred episodes when a run is interrupted: a resumed
            one would go on with an earlier time and the success rate of a few lucky episodes.
    """
    from numbers import Real

    from stable_baselines3.common.logger import KVWriter, Logger

    class TrackerWriter(KVWriter):
        def write(
            self,
            key_values: dict[str, Any],
            key_excluded: dict[str, tuple[str, ...]],
            step: int = 0,
        ) -> None:
            numbers = {
                name: float(value)
                for name, value in key_values.items()
                if isinstance(value, Real) and "json" not in (key_excluded.get(name) or ())
            }
            merged = {**numbers, **own(), "time/memory_mib": memory_mib()}
            known = {name: value for name, value in merged.items() if value is not None}
            tracker.log(step, known)

        def close(self) -> None:
            """The tracker outlives SB3's logger; whoever opened it closes it."""

    return Logger(folder=None, output_formats=[TrackerWriter()])
