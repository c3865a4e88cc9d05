"""Walk a world by hand: what a key does, what there is to show. Knows no terminal, no window."""

from collections.abc import Iterable
from dataclasses import dataclass

from s2lab.envs.grid.physics import ACTION_NAMES
from s2lab.envs.single import GridEnv
from s2lab.envs.spaces import EVENT_BITS
from s2lab.errors import UserError

# Key -> the action's number; the names are pygame's for its window and ours for a terminal.
ACTIONS = {
    **{"left": 0, "a": 0, "right": 1, "d": 1, "up": 2, "w": 2},
    **{"p": 3, "tab": 3, "x": 4, "left shift": 4, "space": 5, "return": 6},
}
RESTART, QUIT = ("backspace", "r"), ("escape", "q")
HELP = (
    "left/right or a/d turn · up or w forward · p pick up · x drop · space toggle · enter done · "
    "r new episode · q quit"
)


@dataclass
class Game:
    """One world under somebody's hands."""

    env: GridEnv
    """The world."""
    seed: int | None = None
    """Seed of the first episode."""
    total: float = 0.0
    """Rewards of this episode so far."""
    steps: int = 0
    """Steps of this episode so far."""
    over: bool = False
    """Whether this episode has ended; any action begins the next one."""
    said: str = ""
    """What the last key did."""
    quit: bool = False
    """Whether the player has left."""

    def __post_init__(self) -> None:
        self.begin(self.seed)

    def begin(self, seed: int | None = None) -> None:
        """Begin an episode; without a seed, the next one of the same generator."""
        self.env.reset(seed=seed)
        self.total, self.steps, self.over, self.said = 0.0, 0, False, "a new episode"

    def press(self, key: str) -> None:
        """Do what a key stands for; an unknown key explains the known ones."""
        if key in QUIT:
            self.quit = True
        elif key in RESTART or (self.over and key in ACTIONS):
            self.begin()
        elif key not in ACTIONS or ACTIONS[key] >= self.env.batch.level.actions:
            self.said = HELP
        else:
            self._act(ACTIONS[key])

    def _act(self, action: int) -> None:
        _, reward, terminated, truncated, info = self.env.step(action)
        self.steps, self.total = self.steps + 1, self.total + reward
        self.over = terminated or truncated
        did = [name.replace("_", " ") for name, bit in EVENT_BITS.items() if info["events"] & bit]
        self.said = ", ".join([ACTION_NAMES[action], *(x for x in did if "in view" not in x)])
        if self.over:
            how = "solved" if reward > 0 else "failed" if terminated else "out of time"
            self.said += f" - {how}; any action begins the next episode"

    def screen(self) -> str:
        """The world in letters, the mission and how it is going."""
        letters: str = self.env.canvas().letters()
        status = f"step {self.steps}  reward {self.total:.3f}  {self.said}"
        return f"{self.env.mission}\n\n{letters}\n\n{status}"


def new_game(world_id: str, seed: int | None, *, window: bool, view_size: int = 7) -> Game:
    """A game in a world of ours.

    Raises:
        UserError: the world, the seed or the view size will not do.
    """
    if seed is not None and seed < 0:
        raise UserError(f"seed is {seed}; give one from 0")
    try:
        mode = "human" if window else None
        return Game(GridEnv(world_id, view_size=view_size, render_mode=mode), seed)
    except ValueError as error:
        raise UserError(str(error)) from None


def play_keys(game: Game, keys: Iterable[str]) -> Iterable[str]:
    """The screen before the first key and after each one, until the player leaves."""
    yield game.screen()
    for key in keys:
        game.press(key)
        if game.quit:
            return
        yield game.screen()
