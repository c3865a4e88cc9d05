"""DoorKey with its true factors: on the engine as an environment, and as batches of transitions.

Factors: `agent_x`, `agent_y`, `direction` (0 right, 1 down, 2 left, 3 up), `carrying` (0 or 1) and
`door` (0 open, 1 closed, 2 locked). The whole grid is in view, because no part of it tells where
the agent is. Knows no learning.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from s2lab.envs.batches import MODES, make_batch
from s2lab.envs.grid import cells, kernels, physics
from s2lab.envs.grid.cpu import GridBatch
from s2lab.envs.single import GridEnv
from s2lab.envs.vector import GridVectorEnv

Array = NDArray[Any]
FACTORS = ("agent_x", "agent_y", "direction", "carrying", "door")
SIZES = (5, 6, 8, 16)
IDS = {f"s2lab/DoorKeyFactors-{n}x{n}-v0": f"MiniGrid-DoorKey-{n}x{n}-v0" for n in SIZES}
CHANNELS = 15  # of a one-hot image: eleven types, four states; DoorKey's colours never change


def true_factors(batch: GridBatch) -> dict[str, Array]:
    """The factors of every world as it is now, int64 [N] each."""
    worlds = batch.worlds
    inner = worlds.cells[:, cell_places(batch)].astype(np.int64)  # [N, C]
    return {
        "agent_x": worlds.agent_x.astype(np.int64),
        "agent_y": worlds.agent_y.astype(np.int64),
        "direction": worlds.agent_dir.astype(np.int64),
        "carrying": (worlds.carrying != cells.EMPTY).astype(np.int64),
        "door": np.max(np.where(inner & 15 == cells.DOOR, inner >> 7 & 3, 0), axis=1),
    }


def cell_places(batch: GridBatch) -> Array:
    """Where in a world's `cells` its grid lies, int64 [W * H], x outermost."""
    rules, level = batch.rules, batch.level
    x, y = np.divmod(np.arange(level.width * level.height), level.height)
    places: Array = int(rules.origin) + y * int(rules.stride) + x
    return places


class FactorEnv(GridEnv):
    """One world, wholly in view, whose infos tell the factors."""

    def _info(self) -> dict[str, Any]:
        found = {name: int(values[0]) for name, values in true_factors(self.batch).items()}
        return {**super()._info(), "factors": found}


class FactorVectorEnv(GridVectorEnv):
    """Many worlds; `info["factors"]` holds int64 [N] for each factor of the newest observation."""

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """See `GridVectorEnv.reset`."""
        observation, info = super().reset(seed=seed, options=options)
        return observation, self._told(info)

    def step(self, actions: Any) -> tuple[dict[str, Any], Any, Any, Any, dict[str, Any]]:
        """See `GridVectorEnv.step`."""
        observation, reward, terminated, truncated, info = super().step(actions)
        return observation, reward, terminated, truncated, self._told(info)

    def _told(self, info: dict[str, Any]) -> dict[str, Any]:
        return {**info, "factors": true_factors(self.batch), "_factors": self._everyone}


def make_factor_env(env_id: str, **options: Any) -> FactorEnv:
    """One world of an id in `IDS`."""
    return FactorEnv(IDS[env_id], observation="full", **options)


def make_factor_vec(
    env_id: str,
    num_envs: int = 1,
    autoreset: AutoresetMode = AutoresetMode.SAME_STEP,
    *,
    copy: bool = True,
) -> FactorVectorEnv:
    """Many worlds of an id in `IDS`."""
    batch = make_batch(
        IDS[env_id], num_envs, mode=MODES[autoreset], observation="full", view_size=7, threads=1
    )
    return FactorVectorEnv(batch, autoreset, torch=False, copy=copy)


class GridFactors:
    """Transitions of a DoorKey; a state is a row: the grid's cells, what is carried, x, y, way.

    States are drawn evenly over what the world can be and not as an agent would meet them: a third
    face the door, a third the key, the rest anything; the door is locked, closed or open and the
    key carried or lying anywhere, as often. Turns never are blocked; `done` is left out.
    """

    LAYOUTS = 2048

    def __init__(self, env_id: str = "s2lab/DoorKeyFactors-8x8-v0") -> None:
        self.world_id = IDS[env_id]
        self._batches: dict[int, GridBatch] = {}
        self._layouts: Array | None = None  # int64 [LAYOUTS, C + 4]
        level = self._batch(1).level
        self.width, self.height = level.width, level.height
        self.area = self.width * self.height

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a one-hot image; x runs down it."""
        return CHANNELS, self.width, self.height

    @property
    def action_names(self) -> tuple[str, ...]:
        """Six of minigrid's."""
        return physics.ACTION_NAMES[:6]

    @property
    def factor_names(self) -> tuple[str, ...]:
        """The direction as the step forward that it means, the door as two facts."""
        return "agent_x", "agent_y", "facing_x", "facing_y", "carrying", "door_open", "door_locked"

    @property
    def controllable(self) -> int:
        """All."""
        return len(self.factor_names)

    def every(self) -> None:
        """They are too many."""
        return

    def sample(self, rng: np.random.Generator, count: int) -> Array:  # int64 [N, C + 4]
        """States drawn as the class says."""
        if self._layouts is None:
            batch = self._batch(self.LAYOUTS)
            batch.seed(rng.integers(0, 2**32, self.LAYOUTS).tolist())
            batch.reset()
            self._layouts = self._read(batch)
        states = self._layouts[rng.integers(0, self.LAYOUTS, count)]
        rows, grid = np.arange(count), states[:, : self.area]
        door = (grid & 15 == cells.DOOR).argmax(1)
        made = [int(cells.door(cells.YELLOW, state)) for state in range(3)]
        grid[rows, door] = np.array(made)[rng.integers(0, 3, count)]
        key = int(cells.thing(cells.KEY, cells.YELLOW))
        grid[grid & 15 == cells.KEY] = cells.EMPTY
        carried = rng.random(count) < 0.5
        free = grid == cells.EMPTY
        lies = _draw(rng, free)
        grid[rows, lies] = np.where(carried, cells.EMPTY, key)
        states[:, self.area] = np.where(carried, key, cells.EMPTY)
        return self._placed(rng, states, door, np.where(carried, -1, lies))

    def _placed(self, rng: np.random.Generator, states: Array, door: Array, key: Array) -> Array:
        """Put the agents anywhere, or before the door or the key."""
        count, rows = len(states), np.arange(len(states))
        grid = states[:, : self.area]
        standable = (grid == cells.EMPTY) | (grid == cells.GOAL_CELL) | (grid == made_open())
        way = rng.integers(0, 4, count)
        place = _draw(rng, standable)
        wish = rng.integers(0, 3, count)
        aim = np.where(wish == 1, door, np.where(wish == 2, key, -1))
        step = np.array([self.height, 1, -self.height, -1])[way]
        before = np.where(aim >= 0, aim - step, 0)
        able = (aim >= 0) & standable[rows, before]
        place = np.where(able, before, place)
        states[:, self.area + 1], states[:, self.area + 2] = np.divmod(place, self.height)
        states[:, self.area + 3] = way
        return states

    def successors(self, states: Array, rng: np.random.Generator | None = None) -> Array:
        """The state after every action, [N, A, C + 4], by the engine."""
        count = len(self.action_names)
        batch = self._batch(len(states) * count)
        rows = np.repeat(states, count, axis=0)
        worlds = batch.worlds
        worlds.cells[:, cell_places(batch)] = rows[:, : self.area]
        for i, array in enumerate(
            (worlds.carrying, worlds.agent_x, worlds.agent_y, worlds.agent_dir)
        ):
            array[:] = rows[:, self.area + i]
        worlds.step_count[:] = 0
        batch.outputs.ended[:] = False
        batch.step(np.tile(np.arange(count), len(states)))
        return self._read(batch).reshape(len(states), count, -1)

    def blocked(self, states: Array) -> Array:  # bool [N, A]
        """Which actions change nothing."""
        blocked: Array = (self.successors(states) == states[:, None]).all(-1)
        return blocked

    def factors(self, states: Array) -> Array:  # float64 [N, F]
        """The truth, linearly: see `factor_names`."""
        way = states[:, self.area + 3]
        grid = states[:, : self.area]
        door = np.max(np.where(grid & 15 == cells.DOOR, grid >> 7 & 3, 0), axis=1)
        columns = (
            states[:, self.area + 1],
            states[:, self.area + 2],
            np.array([1, 0, -1, 0])[way],
            np.array([0, 1, 0, -1])[way],
            states[:, self.area] != cells.EMPTY,
            door == cells.OPEN,
            door == cells.LOCKED,
        )
        return np.stack(columns, axis=1).astype(float)

    def images(self, states: Array) -> Array:  # float32 [N, CHANNELS, X, Y]
        """One-hot types and states of all cells, the agent over them."""
        return one_hot(self.symbols(states))

    def symbols(self, states: Array) -> Array:  # uint8 [N, X, Y, 3]
        """What the environment shows; a carried key is not in it."""
        grid = states[:, : self.area]
        symbols = np.stack([grid & 15, grid >> 4 & 7, grid >> 7 & 3], axis=-1).astype(np.uint8)
        place = states[:, self.area + 1] * self.height + states[:, self.area + 2]
        way = states[:, self.area + 3]
        agent = [np.full_like(way, cells.AGENT), np.zeros_like(way), way]
        symbols[np.arange(len(states)), place] = np.stack(agent, axis=1)
        return symbols.reshape(len(states), self.width, self.height, 3)

    def _batch(self, count: int) -> GridBatch:
        if count not in self._batches:
            self._batches[count] = make_batch(
                self.world_id,
                count,
                mode=kernels.DISABLED,
                observation="full",
                view_size=7,
                threads=1,
            )
        return self._batches[count]

    def _read(self, batch: GridBatch) -> Array:
        worlds = batch.worlds
        agent = (worlds.carrying, worlds.agent_x, worlds.agent_y, worlds.agent_dir)
        grid = worlds.cells[:, cell_places(batch)]
        return np.column_stack([grid, *agent]).astype(np.int64)


def made_open() -> int:
    """An open yellow door as a cell."""
    return int(cells.door(cells.YELLOW, cells.OPEN))


def one_hot(symbols: Array) -> Array:  # uint8 [N, X, Y, 3] -> float32 [N, CHANNELS, X, Y]
    """Types and states of cells; the colours are left out."""
    image = np.concatenate([np.eye(11, dtype=np.float32)[symbols[..., 0]],
                            np.eye(4, dtype=np.float32)[symbols[..., 2]]], axis=-1)  # fmt: skip
    return np.ascontiguousarray(image.transpose(0, 3, 1, 2))


def _draw(rng: np.random.Generator, allowed: Array) -> Array:  # bool [N, C] -> int64 [N]
    """One allowed place in each row, evenly."""
    drawn: Array = (rng.random(allowed.shape) * allowed).argmax(1)
    return drawn


def register_factor_worlds(known: Mapping[str, Any]) -> None:
    """Register the ids that are not known yet."""
    for env_id in IDS:
        if env_id not in known:
            gym.register(
                env_id,
                entry_point="s2lab.envs.grid_factors:make_factor_env",
                vector_entry_point="s2lab.envs.grid_factors:make_factor_vec",
                kwargs={"env_id": env_id},
            )


register_factor_worlds(gym.registry)
