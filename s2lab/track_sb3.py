"""Stable-Baselines3's logger as a source for the tracker, through SB3's own KVWriter interface."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from s2lab.machine import memory_mib
from s2lab.track import Tracker

if TYPE_CHECKING:
    from stable_baselines3.common.logger import Logger


def sb3_logger(
    tracker: Tracker,
    success_counts: Callable[[], bool] = lambda: True,
    clocks: Callable[[], Mapping[str, float]] = dict,
) -> "Logger":
    """A logger for `model.set_logger`: whatever SB3 dumps becomes a line of the run.

    Args:
        tracker: Who writes the line.
        success_counts: Whether enough episodes ended for `rollout/success_rate` to be written.
        clocks: The run's own, over SB3's where that has them: it counts whole seconds, so a
            resumed run's would stand before the last line of the stretch that was interrupted.
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
                if isinstance(value, Real)
                and "json" not in (key_excluded.get(name) or ())
                and (name != "rollout/success_rate" or success_counts())
            }
            tracker.log(step, {**numbers, **clocks(), "time/memory_mib": memory_mib()})

        def close(self) -> None:
            """The tracker outlives SB3's logger; whoever opened it closes it."""

    return Logger(folder=None, output_formats=[TrackerWriter()])
