"""What a sweep may vary: one dimension a setting, typed by the field that it sets.

    ppo.lr=log:1e-4:1e-2   ppo.epochs=1:8   core.hidden_size=32,64,128

A range of a field that takes whole numbers is a range of whole numbers. Loads no Optuna.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from s2lab.config import RunConfig
from s2lab.errors import UserError
from s2lab.settings import parse_word, setting_type

MOST_CHOICES = 100


@dataclass(frozen=True)
class Dimension:
    """One setting and where its values come from."""

    name: str
    """Of the setting, dotted."""
    choices: tuple[Any, ...] = ()
    """Values to choose from; without them there is a range."""
    low: float = 0.0
    """Least value of a range."""
    high: float = 0.0
    """Greatest value of a range, included."""
    whole: bool = False
    """Only whole numbers."""
    log: bool = False
    """Draw evenly over the logarithm."""

    def suggest(self, trial: Any) -> Any:
        """Ask an Optuna trial for a value."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)

    def to_wandb(self) -> dict[str, Any]:
        """The same in W&B's sweep configuration."""
        if self.choices:
            return {"values": list(self.choices)}
        ends: dict[str, Any] = {"min": self.low, "max": self.high}
        if self.whole:
            ends = {"min": int(self.low), "max": int(self.high)}
        kinds = {
            (False, False): "uniform",
            (True, False): "int_uniform",
            (False, True): "log_uniform_values",
            (True, True): "q_log_uniform_values",
        }
        return {"distribution": kinds[self.whole, self.log], **ends}


def parse_space(config: RunConfig, words: Mapping[str, str]) -> tuple[Dimension, ...]:
    """Dimensions from `name=values` words.

    Raises:
        UserError: none at all, an unknown setting, or values that make no range and no choice.
    """
    if not words:
        raise UserError(
            "a sweep needs something to vary: --space ppo.lr=log:1e-4:1e-2 core.hidden_size=32,64"
        )
    return tuple(_dimension(config, name, text) for name, text in words.items())


def _dimension(config: RunConfig, name: str, text: str) -> Dimension:
    kind = setting_type(config, name)
    log = text.startswith("log:")
    ends = text.removeprefix("log:").split(":")
    try:
        if len(ends) == 2:
            return _range(name, ends, kind, log)
        if log or len(ends) != 1:
            raise UserError("takes low:high, log:low:high, or choices with commas between them")
        choices = tuple(parse_word(word.strip(), kind) for word in text.split(","))
    except UserError as error:
        raise UserError(f"--space {name}={text}: {error}") from None
    if not 2 <= len(set(choices)) == len(choices) <= MOST_CHOICES:
        raise UserError(
            f"--space {name}={text}: name 2 to {MOST_CHOICES} different choices, or low:high"
        )
    return Dimension(name, choices=choices)


def _range(name: str, ends: Sequence[str], kind: type | None, log: bool) -> Dimension:
    low, high = (parse_word(end, kind) for end in ends)
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high)):
        raise UserError("only numbers have ranges; list the choices with commas between them")
    if not low < high:
        raise UserError(f"the range must rise, got {low} to {high}")
    if log and low <= 0:
        raise UserError(f"a logarithmic range must begin above 0, got {low}")
    whole = isinstance(low, int) and isinstance(high, int) and kind is not float
    return Dimension(name, low=float(low), high=float(high), whole=whole, log=log)
