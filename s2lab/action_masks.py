"""Which actions of a grid world change anything, read off what the agent sees. Knows no learner.

minigrid's rules (minigrid_env.py, `step`): turning always works; everything else depends on the
cell in front and on what is carried, and the agent sees both. In a few worlds an action that
changes nothing still ends the episode or earns a reward; they have no mask. In MiniGrid-Memory
picking up never works, which cannot be seen, so its mask leaves in an idle action.
"""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from s2lab.errors import UserError

LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(7)
EMPTY, FLOOR, DOOR, KEY, BALL, BOX, GOAL, LAVA = 1, 3, 4, 5, 6, 7, 8, 9
OPEN, LOCKED = 0, 2

# Prefixes of ids -> the rule by which an action without effect counts.
WITHOUT_MASK = {
    "MiniGrid-Dynamic-Obstacles": "walking into an obstacle ends the episode",
    "MiniGrid-GoToDoor": "toggle and done end the episode",
    "MiniGrid-GoToObject": "toggle and done end the episode",
    "MiniGrid-PutNear": "a drop that is blocked ends the episode",
}


def check_maskable(env_id: str, observations: gym.Space[Any], actions: gym.Space[Any]) -> None:
    """Refuse worlds without a mask.

    Raises:
        UserError: the world is no grid world of minigrid's, or idle actions count in it.
    """
    for prefix, rule in WITHOUT_MASK.items():
        if env_id.startswith(prefix):
            raise UserError(f"{env_id} has no action mask: {rule}; use --algo ppo")
    fields = observations.spaces if isinstance(observations, gym.spaces.Dict) else {}
    seven = isinstance(actions, gym.spaces.Discrete) and actions.n == DONE + 1
    if not seven or not {"image", "direction", "mission"} <= fields.keys():
        raise UserError(
            f"{env_id} has no action mask: only MiniGrid's and BabyAI's worlds say which actions "
            "change anything; use --algo ppo"
        )


def effective_actions(observation: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Whether each action would change the world.

    Args:
        observation: its `image` [N, X, Y, 3] is the agent's view; the agent stands in the middle
            of the last row of Y and shows what it carries

    Returns:
        bool [N, 7], by minigrid's numbers of actions
    """
    image = np.asarray(observation["image"])
    middle, last = image.shape[1] // 2, image.shape[2] - 1
    kind, colour, state = image[:, middle, last - 1].T  # each [N]
    held, held_colour = image[:, middle, last, 0], image[:, middle, last, 1]  # [N]
    free = held == EMPTY
    may = np.ones((len(image), DONE + 1), np.bool_)
    may[:, FORWARD] = np.isin(kind, (EMPTY, FLOOR, GOAL, LAVA)) | (kind == DOOR) & (state == OPEN)
    may[:, PICKUP] = free & np.isin(kind, (KEY, BALL, BOX))
    may[:, DROP] = ~free & (kind == EMPTY)
    opens = (state != LOCKED) | (held == KEY) & (held_colour == colour)
    may[:, TOGGLE] = (kind == BOX) | (kind == DOOR) & opens
    may[:, DONE] = False
    return may
