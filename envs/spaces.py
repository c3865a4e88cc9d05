"""What an observation is: its fields, their shapes and types, and the bits of `info["events"]`.

* `image`: uint8 [W, H, 3], indexed [x, y, channel]; the channels are type, colour and state, as
  minigrid numbers them. Partial: W = H = view size, the agent is at [W // 2, H - 1] and looks
  towards y = 0; its own cell shows what it carries; cells out of sight are 0. Full: the whole grid,
  the agent's cell is (10, 0, direction).
* `direction`: 0 right, 1 down, 2 left, 3 up.
* `mission`: int16 [L] word ids, padded with 0 at the end; L is fixed for each id.

`info["events"]` is a uint16 bit field about the step that was just done: the bits of what the
action did are in `EVENT_BITS`, along with which of goal, key and door are in view after it (the
agent's own cell and what it carries do not count; with a full view, the whole grid is in view).
When an episode begins without a step, only the view's bits are set. `mission_part_done` is set when
a part of the mission has just been fulfilled; missions of MiniGrid's ids count as one part.
"""

from typing import Any

import numpy as np
from gymnasium import spaces

from s2lab.envs.grid.events import NAMES as EVENT_BITS
from s2lab.envs.vocabulary import words

__all__ = ["EVENT_BITS", "LARGEST_SYMBOL", "observation_space"]

LARGEST_SYMBOL = 10  # the type `agent`


def observation_space(image_shape: tuple[int, int, int], mission_length: int) -> "spaces.Dict":
    """The space of one world's observation."""
    fields: dict[str, spaces.Space[Any]] = {
        "image": spaces.Box(0, LARGEST_SYMBOL, image_shape, np.uint8),
        "direction": spaces.Discrete(4),
        "mission": spaces.Box(0, len(words()) - 1, (mission_length,), np.int16),
    }
    return spaces.Dict(fields)
