"""One world as a `gymnasium.Env`: the engine of `vector.py` with N = 1. Knows no layouts.

Observations are the vector environment's without the leading axis: token ids for the mission, whose
text is `env.unwrapped.mission`. The world draws from `np_random`, as minigrid's do.
"""

from operator import index
from typing import Any, SupportsIndex

import gymnasium
import numpy as np
from gymnasium import spaces

from s2lab.envs.batches import make_batch
from s2lab.envs.grid import kernels, random
from s2lab.envs.shifts import MissionFilter
from s2lab.envs.spaces import observation_space


class GridEnv(gymnasium.Env[dict[str, Any], Any]):
    """One world of an id; `gymnasium.make("s2lab/...")` makes it."""

    metadata = {"render_modes": ["human", "rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        world_id: str,
        *,
        observation: str = "partial",
        view_size: int = 7,
        shift: str | None = None,
        split: str | None = None,
        missions: MissionFilter | None = None,
        done_actions: bool = False,
        render_mode: str | None = None,
        highlight: bool = True,
        tile_size: int = 32,
        agent_pov: bool = False,
    ) -> None:
        """One world.

        Args:
            world_id: minigrid's own id, such as "MiniGrid-FourRooms-v0".
            observation: "partial", what the agent sees, or "full", the whole grid.
            view_size: cells on a side of the partial view, odd, 3 to 15.
            shift: a named shift of `s2lab.envs.shifts`, for worlds that it is defined for.
            split: "train" or "test", with a shift.
            missions: which missions a BabyAI world may have.
            done_actions: whether a part of a BabyAI mission counts once the agent says `done`.
            render_mode: "rgb_array" for pictures, "human" for a window.
            highlight: lighten the cells in view when drawing.
            tile_size: pixels on a side of a cell.
            agent_pov: draw what the agent sees in place of the whole grid.

        Raises:
            ValueError: an argument is not one of those allowed.
        """
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode is {render_mode!r}; give 'human', 'rgb_array' or None")
        self.batch = make_batch(
            world_id,
            1,
            mode=kernels.DISABLED,
            observation=observation,
            view_size=view_size,
            threads=1,
            shift=shift,
            split=split,
            missions=missions,
            done_actions=done_actions,
        )
        self.render_mode = render_mode
        self._drawing: dict[str, Any] = {
            "highlight": highlight,
            "tile_size": tile_size,
            "agent_pov": agent_pov,
        }
        self._canvas: Any = None
        self._begun = False
        shape = self.batch.outputs.image.shape[1:]
        self.observation_space = observation_space(shape, self.batch.worlds.tokens.shape[1])
        self.action_space = spaces.Discrete(self.batch.level.actions)

    @property
    def mission(self) -> str:
        """The mission in words."""
        return self.batch.mission_text(0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin a new episode; without a seed the generator goes on where it was."""
        super().reset(seed=seed)
        self._take_generator()
        self.batch.reset()
        self._give_generator()
        self._begun = True
        if self.render_mode == "human":
            self.render()
        return self._observation(), self._info()

    def step(
        self, action: SupportsIndex
    ) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Do one action.

        Raises:
            ValueError: there is no such action, or the episode is over; nothing has changed.
        """
        chosen, count = index(action), self.batch.level.actions
        if not 0 <= chosen < count:
            raise ValueError(f"action {chosen} is not one of 0 to {count - 1}")
        outputs = self.batch.outputs
        if not self._begun or outputs.ended[0]:
            raise ValueError("no episode is under way; call reset()")
        self._take_generator()
        self.batch.step(np.array([chosen], np.int64))
        self._give_generator()
        if self.render_mode == "human":
            self.render()
        reward, ends = float(outputs.reward[0]), (outputs.terminated[0], outputs.truncated[0])
        return self._observation(), reward, bool(ends[0]), bool(ends[1]), self._info()

    def _take_generator(self) -> None:
        random.load_state(self.batch.worlds.rng, 0, self.np_random.bit_generator.state)

    def _give_generator(self) -> None:
        self.np_random.bit_generator.state = random.dump_state(self.batch.worlds.rng, 0)

    def _observation(self) -> dict[str, Any]:
        return {
            "image": self.batch.outputs.image[0].copy(),  # uint8 [W, H, 3]
            "direction": self.batch.outputs.direction[0],  # int64
            "mission": self.batch.worlds.tokens[0].copy(),  # int16 [L]
        }

    def _info(self) -> dict[str, Any]:
        return {"events": int(self.batch.outputs.events[0])}

    def render(self) -> Any:
        """The world as minigrid draws it, uint8 [H * tile, W * tile, 3], or on its window."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                'nothing is drawn without a render mode; make it with render_mode="rgb_array"'
            )
            return None
        return self.canvas().draw()

    def canvas(self) -> Any:
        """What draws this world."""
        if self._canvas is None:
            from s2lab.envs.rendering import Canvas  # loads minigrid and pygame

            window = self.render_mode == "human"
            self._canvas = Canvas(self.batch, window=window, **self._drawing)
        return self._canvas

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._canvas is not None:
            self._canvas.close()
            self._canvas = None
